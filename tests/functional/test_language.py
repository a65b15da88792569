"""Clauses of the language that a user meets at the command line, each found wanting once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

HEAD = "apiVersion: speedpix-pipe/v1\nname: case\n"


@pytest.fixture
def checked(cli, project):
    """The problems of a spec as (line, code), errors and warnings."""

    def check(body: str) -> list[tuple[int, str]]:
        Path("case.yaml").write_text(HEAD + body)
        return [
            (problem["line"], problem["code"]) for problem in json.loads(cli("validate", "case.yaml", "--json").out)
        ]

    return check


def codes(found):
    warnings = {"spec.results-nowhere", "spec.unused-fan-out", "spec.unused-param"}
    return [(line, code) for line, code in found if code not in warnings]


# --- a default is evaluated only if used ---


@pytest.mark.parametrize("param", ["{type: file, default: nope.jpg}", '{type: files, default: "nope/*.jpg"}'])
def test_the_files_of_a_default_that_no_expression_uses_are_not_looked_for(checked, param):
    body = f"params: {{extra: {param}}}\nsteps:\n  a: {{workflow: x, input: {{p: q}}, save: o/a}}\n"
    assert codes(checked(body)) == []
    assert (3, "spec.unused-param") in checked(body)


def test_the_files_of_a_default_that_is_used_must_be_there(checked):
    body = 'params: {extra: {type: file, default: nope.jpg}}\nsteps:\n  a: {workflow: x, input: {p: "${{ params.extra }}"}}\n'
    assert codes(checked(body)) == [(3, "spec.default")]


def test_an_unused_default_of_a_sub_pipeline_is_not_looked_for_either(checked):
    Path("inner.yaml").write_text(
        HEAD + "params: {extra: {type: file, default: nope.jpg}}\nsteps:\n  a: {workflow: x, input: {p: q}}\n"
    )
    assert codes(checked("steps:\n  outer: {pipeline: ./inner.yaml}\n")) == []


# --- problems are reported all at once ---


def test_wrong_values_are_told_beside_wrong_words(checked):
    body = (
        "params:\n  old: {type: file, default: gone.jpg}\n"  # 3, 4
        "workflows: {w: {id: w, input: {text: {type: string, maxLength: 3}}}}\n"  # 5
        "steps:\n"  # 6
        "  a: {workflow: w, input: {txet: q}}\n"
        '  b: {workflow: w, input: {text: "x${{ null }}"}}\n'
        '  c: {workflow: w, for_each: "${{ glob(\'nope/*\') }}", input: {text: "${{ item }}"}}\n'
        "  d: {workflow: w, timeout: 5x}\n"
        '  e: {workflow: w, for_each: [1, 1], input: {text: "${{ item | string }}"}}\n'
        "  f: {workflow: w, input: {text: \"${{ 'four' }}\"}}\n"
        '  g: {workflow: w, input: {text: "${{ params.old.stem }}"}}\n'
    )
    assert sorted(codes(checked(body))) == [
        (4, "spec.default"),
        (7, "spec.unknown-input"),
        (8, "expression.text"),
        (9, "files.no-match"),
        (10, "spec.type"),
        (11, "spec.equal-keys"),
        (12, "spec.contract"),
    ]


def test_what_follows_a_wrong_step_is_not_judged(checked):
    body = (
        "steps:\n"
        '  a: {workflow: x, for_eahc: [1], input: {p: "${{ item }}"}}\n'
        '  b: {workflow: x, for_each: "${{ steps.a }}", input: {p: "x${{ null }}"}}\n'
        '  c: {workflow: x, needs: [b], input: {p: "x${{ null }}"}}\n'
        '  d: {workflow: x, input: {p: "x${{ null }}"}}\n'
        "outputs: {o: '${{ steps.b.key }}'}\n"
    )
    assert codes(checked(body)) == [(4, "spec.unknown-key"), (7, "expression.text"), (8, "spec.lacks-fan-out")]


def test_a_wrong_operation_is_told_once(checked):
    body = "steps:\n  a: {image: [{resiez: {width: 1}}], input: {image: ./p.png}, save: o/a}\n"
    Image.new("RGB", (4, 4)).save("p.png")
    assert codes(checked(body)) == [(4, "spec.unknown-key")]


# --- files in the input of an image step ---


def test_any_text_written_for_the_picture_of_an_image_step_is_a_file(cli, project, checked):
    Image.new("RGB", (40, 20), "red").save("p.png")
    body = "steps:\n  a: {image: [{resize: {width: 10}}], input: {image: p.png}, save: o/a.png}\n"
    assert checked(body) == []
    assert cli("run", "case.yaml", "--local", "--json").code == 0
    with Image.open("o/a.png") as made:
        assert made.size == (10, 5)
    assert codes(checked(body.replace("p.png", "gone.png"))) == [(4, "spec.no-file")]
    assert codes(checked(body.replace("image: p.png", "images: [p.png, gone.png]"))) == [(4, "spec.no-file")]


def test_a_wrong_default_is_told_once(checked):
    body = (
        "params:\n  c: {type: integer, default: x}\n  f: {type: file, default: 5}\n"
        'steps:\n  a: {workflow: x, input: {p: "${{ params.c }}", q: "${{ params.f }}"}}\n'
    )
    assert codes(checked(body)) == [(4, "spec.default"), (5, "spec.default")]


# --- patterns that find what the spec saves ---


@pytest.mark.parametrize("call", ["glob('**/*.png')", "glob('**/*.png') | list", "glob('OUT/*.PNG')"])
def test_a_glob_that_would_find_what_the_spec_saves_is_an_error(checked, call):
    Path("out").mkdir()
    Image.new("RGB", (4, 4)).save("out/p.png")
    body = (
        f'steps:\n  a: {{workflow: x, for_each: "${{{{ {call} }}}}", input: {{p: "${{{{ item }}}}"}},'
        ' save: "out/${{ item.stem }}-w.${{ ext }}"}\n'
    )
    assert codes(checked(body)) == [(4, "spec.save-covered")]


# --- outputs that depend on no step ---


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("x${{ null }}", "expression.text"),
        ("${{ 'x' | int }}", "expression.error"),
        ("${{ params.o.gone }}", "expression.undefined"),
        ("${{ item }}", "spec.no-item"),
        ("${{ [steps.a.key, index] }}", "spec.no-index"),
        ("${{ matrix.look }}", "spec.no-matrix"),
    ],
)
def test_an_output_that_can_never_be_had_is_an_error_before_paying(cli, checked, output, code):
    body = (
        "params: {o: {type: object, default: {}}}\nsteps:\n  a: {workflow: x, input: {p: q}}\n"
        f'outputs:\n  wrong: "{output}"\n  given: "${{{{ params.o }}}}"\n'
    )
    assert codes(checked(body)) == [(7, code)]
    for command in ("run", "plan"):
        assert cli(command, "case.yaml", "--local", "--json").code == 2


# --- where results lie ---


def test_an_input_is_never_paid_for_only_to_be_refused_as_a_target(cli, project):
    Image.new("RGB", (8, 8), "red").save("p.png")
    Path("case.yaml").write_text(
        HEAD + "steps: {a: {workflow: upscale, input: {image: ./p.png, factor: 1}, save: p.png}}\n"
    )
    came = cli("run", "case.yaml", "--local", "--json")
    summary = json.loads(came.out)
    assert (came.code, summary["predictions"]["submitted"]) == (1, 0)
    assert "is read by this run" in summary["errors"][0]["message"]


def test_nor_are_the_params_file_and_the_picture_of_an_operation_replaced(cli, project):
    Image.new("RGB", (8, 8), "red").save("p.png")
    Image.new("RGB", (2, 2), "red").save("logo.png")
    Path("params.yaml").write_text("factor: 1\n")
    Path("case.yaml").write_text(
        HEAD + "params: {factor: {type: integer}}\nsteps:\n"
        "  a: {workflow: upscale, input: {image: ./p.png, factor: '${{ params.factor }}'}, save: params.yaml}\n"
        "  b: {image: [composite: {over: logo.png}], input: {image: p.png}, save: logo.png}\n"
    )
    came = cli("run", "case.yaml", "--params-file", "params.yaml", "--local", "--json")
    summary = json.loads(came.out)
    assert (came.code, summary["predictions"]["submitted"]) == (1, 0)
    said = sorted(error["message"].partition(" is read by this run")[0] for error in summary["errors"])
    assert said == ["logo.png", "params.yaml"]


def test_what_a_sub_pipeline_gives_is_known_by_the_name_under_which_it_is_saved(cli, project):
    Image.new("RGB", (8, 8), "red").save("p.png")
    Path("inner.yaml").write_text(
        HEAD
        + "params: {photo: {type: file}}\n"
        + 'steps: {s: {image: [{resize: {width: 4}}], input: {image: "${{ params.photo }}"}}}\n'
        + 'outputs: {pic: "${{ steps.s.output.image }}"}\n'
    )
    Path("case.yaml").write_text(
        HEAD
        + "steps:\n  outer: {pipeline: ./inner.yaml, input: {photo: ./p.png}, "
        + 'save: {pic: "fin/x.${{ ext }}"}}\noutputs: {o: "${{ steps.outer.output.pic }}"}\n'
    )
    assert json.loads(cli("run", "case.yaml", "--local", "--json").out)["outputs"] == {"o": "fin/x.png"}


def test_what_a_sub_pipeline_gives_lies_where_the_spec_itself_would_look_for_it(cli, project):
    """Inside, paths begin at the inner folder; outside, and in the results, at that of the spec."""
    Path("parts").mkdir()
    Path("parts/inner.yaml").write_text(
        HEAD
        + "steps: {s: {workflow: text-to-image, input: {prompt: a cup}, save: 'out/x.${{ ext }}'}}\n"
        + 'outputs: {pic: "${{ steps.s.file }}", all: ["${{ steps.s.file }}"], inside: "${{ steps.s.file.path }}"}\n'
    )
    Path("case.yaml").write_text(
        HEAD
        + "steps: {outer: {pipeline: ./parts/inner.yaml}}\n"
        + "outputs: {o: '${{ steps.outer.output }}', f: '${{ steps.outer.file.dir }}', fs: '${{ steps.outer.files }}'}\n"
    )
    path = "parts/out/x.jpg"
    for _ in ("made", "cached"):
        came = json.loads(cli("run", "case.yaml", "--local", "--json").out)
        assert [file["path"] for file in came["files"]] == [path]
        assert came["outputs"] == {
            "o": {"pic": path, "all": [path], "inside": "out/x.jpg"},
            "f": "parts/out",
            "fs": [path, path],
        }


def test_files_of_a_sub_pipelines_own_default_go_by_the_paths_that_they_have_in_its_folder(cli, project):
    """As `glob` has them there, and as they are named where it is run by itself."""
    pictures("parts/in/a.png", "given.png")
    Path("parts/inner.yaml").write_text(
        HEAD
        + "params: {own: {type: files, default: 'in/*.png'}, given: {type: file}}\n"
        + "steps:\n  s: {for_each: '${{ params.own }}', image: [strip], input: {image: '${{ item }}'}}\n"
        + "outputs:\n  own: ${{ params.own | map(attribute='path') }}\n  rel: ${{ params.own | map(attribute='rel') }}\n"
        + "  found: ${{ glob('in/*.png') | map(attribute='path') }}\n  given: ${{ params.given.path }}\n"
        + "  keys: ${{ steps.s.tasks | map(attribute='key') }}\n"
    )
    Path("case.yaml").write_text(
        HEAD
        + "steps: {outer: {pipeline: ./parts/inner.yaml, input: {given: ./given.png}}}\n"
        + "outputs: {o: '${{ steps.outer.output }}'}\n"
    )
    came = cli("run", "case.yaml", "--local", "--json").json["outputs"]["o"]
    assert (came["own"], came["found"], came["keys"]) == (["in/a.png"], ["in/a.png"], ["in/a.png"])
    assert (came["rel"], came["given"]) == (["a.png"], "given.png")


def test_a_picture_made_here_is_uploaded_where_its_url_is_asked_for(cli, project):
    Image.new("RGB", (8, 8), "red").save("p.png")
    Path("case.yaml").write_text(
        HEAD
        + "steps:\n  small: {image: [{resize: {width: 4}}], input: {image: ./p.png}}\n"
        + '  up: {workflow: upscale, input: {image: "${{ steps.small.output.image.url }}", factor: 2}, save: "o.${{ ext }}"}\n'
    )
    assert cli("run", "case.yaml", "--local").code == 0
    with Image.open(next(Path().glob("o.*"))) as picture:
        assert picture.size == (8, 8)


def test_a_save_that_finds_nothing_says_so(cli, project):
    Path("case.yaml").write_text(
        HEAD
        + 'steps: {a: {workflow: text-to-image, input: {prompt: x, width: 64, height: 64}, save: {zzz: "o/a.${{ ext }}"}}}\n'
    )
    came = cli("run", "case.yaml", "--local")
    assert "the output has nothing there" in came.err


# --- what a spec saves is not its own input next time, whoever would find it ---

SAVING = (
    "params: {photos: {type: files}}\n"
    "steps:\n"
    "  a: {workflow: white-background, for_each: '${{ params.photos }}', input: {image: '${{ item }}'}, save: 'in/${{ item.stem }}-x.png'}\n"
)


def pictures(*paths: str) -> None:
    for number, path in enumerate(paths):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_a_given_pattern_that_would_find_what_is_saved_is_an_error(cli, project, command):
    pictures("in/a.png")
    Path("case.yaml").write_text(HEAD + SAVING)
    Path("params").mkdir()
    Path("params/p.yaml").write_text("photos: ../in/*.png\n")
    local = ["--local"] if command == "run" else []
    for given in (["-p", "photos=in/*.png"], ["-p", f"photos={project}/IN/*.png"], ["--params-file", "params/p.yaml"]):
        ran = cli(command, "case.yaml", *local, *given)
        assert ran.code == 2
        assert "would be found by the pattern" in ran.err
    assert cli(command, "case.yaml", *local, "-p", "photos=in/a.png").code == 0


def test_what_is_saved_into_a_watched_folder_is_an_error_whatever_its_patterns(checked):
    body = "watch: {folder: in/, param: photos, patterns: ['*.jpg']}\n" + SAVING
    assert codes(checked(body)) == [(6, "spec.save-covered")]
    assert codes(checked(body.replace("in/${{", "in/deep/er/${{"))) == [(6, "spec.save-covered")]
    assert codes(checked(body.replace("in/${{", "inn/${{"))) == []


def test_what_a_sub_pipeline_saves_may_be_found_by_the_spec_itself(cli, project):
    pictures("in/a.png")
    Path("parts").mkdir()
    inner = "params: {p: {type: file}}\nsteps: {b: {workflow: white-background, input: {p: '${{ params.p }}'}, save: '../in/b.png'}}\n"
    Path("parts/inner.yaml").write_text(HEAD + inner)
    outer = (
        SAVING.replace("workflow: white-background", "pipeline: ./parts/inner.yaml")
        .replace("image:", "p:")
        .replace(", save: 'in/${{ item.stem }}-x.png'", "")
    )
    Path("case.yaml").write_text(HEAD + outer.replace("{type: files}", "{type: files, default: 'in/*.png'}"))
    ran = cli("validate", "case.yaml", "--json")
    assert ran.code == 2
    (problem,) = [problem for problem in ran.json if problem["severity"] == "error"]
    assert problem["message"].startswith("what b saves here would be found by the spec's own pattern in/*.png")


def test_what_a_sub_pipeline_watches_does_not_count(cli, project):
    pictures("in/a.png")
    Path("inner.yaml").write_text(HEAD + "watch: {folder: in, param: photos}\n" + SAVING)
    Path("case.yaml").write_text(HEAD + "steps: {a: {pipeline: ./inner.yaml, input: {photos: [in/a.png]}}}\n")
    assert cli("validate", "case.yaml").code == 0
    assert cli("run", "case.yaml", "--local").code == 0
    assert cli("validate", "inner.yaml").code == 2


# --- workflows that the emulator does not know ---


def test_local_answers_what_has_an_entry_and_says_what_will_fail(cli, project):
    Path("case.yaml").write_text(
        HEAD
        + "workflows:\n"
        + "  told: {id: wf-1, output: {score: {type: number, maximum: 0.1}}}\n"
        + "  untold: {id: wf-2, input: {a: {type: string}}}\n"
        + "steps:\n"
        + "  a: {workflow: told}\n"
        + "  b: {workflow: untold, input: {a: x}, save: 'out/b.${{ ext }}'}\n"
        + "  c: {workflow: wf-3}\n"
        + "  d: {workflow: told, input: {a: 1}}\n"
    )
    ran = cli("run", "case.yaml", "--local", "--json")
    assert ran.code == 1
    assert ran.json["tasks"]["total"] == 4
    assert [error["step"] for error in ran.json["errors"]] == ["c"]
    assert [file["path"] for file in ran.json["files"]] == ["out/b.png"]
    notes = [line for line in ran.err.splitlines() if "exists on the service only" in line and "warning:" in line]
    assert [line.partition("warning: ")[2].split()[0] for line in notes] == ["told", "untold", "wf-3"]
    assert "its tasks will fail here" in notes[2]
