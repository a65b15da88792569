from __future__ import annotations

from speedpix_pipe.pages.graph import draw

SPEC = {
    "steps": {
        "white": {"workflow": "white-background", "for_each": "${{ params.photos }}"},
        "looks": {"workflow": "relight", "for_each": "${{ steps.white }}"},
        "sheet": {"image": [{"contact-sheet": {}}], "input": {"images": "${{ steps.looks.files }}"}},
    }
}


def places(steps, spec):
    return {node["step"]: (node["column"], node["needs"]) for node in draw(steps, spec)}


def test_a_step_stands_right_of_what_it_needs():
    assert places(["white", "looks", "sheet"], SPEC) == {
        "white": (0, []),
        "looks": (1, ["white"]),
        "sheet": (2, ["looks"]),
    }


def test_the_steps_of_a_pipeline_step_stand_between_its_neighbours():
    spec = {
        "steps": {
            "first": {"workflow": "a"},
            "part": {"pipeline": "./p.yaml", "for_each": "${{ steps.first }}"},
            "last": {"workflow": "b", "needs": ["part"]},
        },
        "x-pipelines": {"./p.yaml": {"steps": {"x": {"workflow": "c"}, "y": {"input": {"i": "${{ steps.x.file }}"}}}}},
    }
    assert places(["first", "part.x", "part.y", "last"], spec) == {
        "first": (0, []),
        "part.x": (1, ["first"]),
        "part.y": (2, ["part.x"]),
        "last": (3, ["part.x", "part.y"]),
    }


def test_without_a_kept_spec_all_stand_side_by_side():
    assert places(["a", "b"], None) == {"a": (0, []), "b": (0, [])}
