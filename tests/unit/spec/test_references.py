from __future__ import annotations

import pytest

from speedpix_pipe.model import Expression, Mark, NamedPlace, Reference
from speedpix_pipe.spec.templates import parse, parse_condition


def places(text):
    """A locator for a scalar that begins at line 10, column 5, and may have several lines."""

    def locate(offset: int) -> Mark:
        before = text[:offset]
        line = before.count("\n")
        column = offset - (before.rfind("\n") + 1)
        return Mark("p.yaml", 10 + line, column + 5)

    return locate


def references(text):
    template = parse(text, places(text))
    parts = (
        [template]
        if isinstance(template, Expression)
        else [part for part in template.parts if isinstance(part, Expression)]
    )
    return [reference for part in parts for reference in part.references]


def test_every_step_that_is_named_is_a_reference_with_its_place():
    assert references("${{ steps.white.output.images.url }}") == [
        Reference("white", "output", many=False, mark=Mark("p.yaml", 10, 9), width=18)
    ]
    assert references("see ${{ steps.vary.outputs[steps.judge.output.best].v }}") == [
        Reference("vary", "outputs", many=True, mark=Mark("p.yaml", 10, 13), width=18),
        Reference("judge", "output", many=False, mark=Mark("p.yaml", 10, 32), width=18),
    ]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("steps.a.output.images.url", [("images", 15), ("url", 22)]),
        ("  steps.a.output . images . url ~ 1", [("images", 17), ("url", 26)]),
        ("steps.a.output['images'].url", [("images", 15), ("url", 25)]),
        ("steps.a.outputs[0].v", [(None, 16), ("v", 19)]),
        ("steps.a.outputs[index]['v'][1]", [(None, 16), ("v", 23), (None, 28)]),
        ("steps.a.output", []),
        ("(steps.a.output).v", [("v", 16)]),
        ("steps.a.outputs | map(attribute='x.y') | first", [(None, 0), ("x", 33), ("y", 33)]),
        ("steps.a.outputs | map(attribute='x', default=1)", []),
        ("steps.a.outputs[0] | map(attribute='x')", [(None, 16)]),
        ("[steps.a.outputs] | map(attribute='x')", []),
    ],
)
def test_what_follows_a_steps_name_is_known_with_its_places(text, path):
    (reference,) = references("${{ " + text + " }}")
    assert list(reference.path) == path


@pytest.mark.parametrize(
    ("text", "tolerated"),
    [
        ("steps.a.output.v is defined", True),
        ("steps.a.output.v is not defined and true", True),
        ("steps.a.output.v | default('x') | upper", True),
        ("(steps.a.output.v if true else 1) | d(0)", True),
        ("1 | default(steps.a.output.v)", False),
        ("steps.a.output.v is none", False),
        ("[steps.a.output.v]", False),
    ],
)
def test_what_may_be_undefined_is_tolerated(text, tolerated):
    (reference,) = references("${{ " + text + " }}")
    assert reference.tolerated is tolerated


@pytest.mark.parametrize(
    ("name", "many"),
    [
        ("output", False),
        ("file", False),
        ("item", False),
        ("index", False),
        ("matrix", False),
        ("key", False),
        ("outputs", True),
        ("files", True),
        ("tasks", True),
    ],
)
def test_singular_and_plural_names(name, many):
    (reference,) = references("${{ steps.a." + name + " | default(1) }}")
    assert (reference.step, reference.name, reference.many) == ("a", name, many)


def test_branches_arguments_and_defaults_count_as_written():
    found = references(
        "${{ steps.a.output.v | default(steps.b.output) if steps.c.item else [steps.d.files, {'x': steps.e.key}] }}"
    )
    assert sorted(one.step for one in found) == ["a", "b", "c", "d", "e"]


def test_places_are_exact_across_lines_and_blanks():
    text = "first\n  ${{ 'x' ~\n     steps . white\n . output }} end ${{ steps.b.file }}"
    first, second = references(text)
    assert (first.mark, first.width) == (Mark("p.yaml", 12, 10), len("steps . white\n . output"))
    assert second.mark == Mark("p.yaml", 13, 26)


def test_a_bare_step_is_a_reference_without_name():
    for text in ("${{ steps.white }}", " ${{steps.white}}\n"):
        (reference,) = references(text)
        assert (reference.step, reference.name, reference.many, reference.width) == ("white", "", False, 11)


def test_the_same_source_elsewhere_has_its_own_place():
    text = "${{ steps.a.output ~ 1 }} ${{ steps.a.output ~ 1 }}"
    assert [one.mark.column for one in references(text)] == [9, 35]


def test_names_are_the_top_level_ones():
    expression = parse_condition(
        "params.a and item.b.c | default(matrix['x']) or range(index) and steps.q.output and true and null", places("")
    )
    assert expression.names == {"params", "item", "matrix", "index", "steps"}


def test_uses_are_collected_with_their_places():
    text = "a ${{ params.looks }} ${{ params['x y'].z | default(env.SHOP) }} ${{ item }}"
    uses: list[NamedPlace] = []
    parse(text, places(text), uses)
    assert [(use.names, use.mark.column, use.width) for use in uses] == [
        (("params", "looks"), 11, 12),
        (("params", "x y", "z"), 31, 15),
        (("env", "SHOP"), 57, 8),
        (("item",), 74, 4),
    ]
