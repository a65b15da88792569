"""`diff`: what changed in meaning between two states of a spec, and what would run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.cli import main
from tests.functional.repository import commit_all

pytestmark = pytest.mark.slow  # git is asked about a real repository

SPEC = """\
apiVersion: speedpix-pipe/v1
name: shots
params:
  names: {type: array, items: {type: string}, default: [cup, bowl, vase]}
  mood: {type: string, default: calm}
workflows:
  draw: {id: text-to-image, version: v3, price: 0.5}
limits: {max_cost: 40}
steps:
  white:
    workflow: draw
    for_each: ${{ params.names }}
    input: {prompt: "${{ item }} on white, ${{ params.mood }}"}
    save: out/white/${{ item }}.${{ ext }}
  sheet:
    image: [{contact-sheet: {columns: 2, gap: 4}}]
    input: {images: "${{ steps.white.files }}"}
    save: out/sheet.png
outputs:
  sheet: ${{ steps.sheet.file }}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / ".gitignore").write_text("out/\n.speedpix/\n", encoding="utf-8")
    commit_all(tmp_path, "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(folder: Path, *swaps: tuple[str, str]) -> None:
    text = (folder / "spec.yaml").read_text(encoding="utf-8")
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    (folder / "spec.yaml").write_text(text, encoding="utf-8")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["diff", "spec.yaml", *arguments]) == 0
    return capsys.readouterr().out


def difference(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(said(capsys, "--json", *arguments))


def changes(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[Any, ...]]:
    found = difference(capsys, *arguments)["changes"]
    return [(c["kind"], c["what"], c["name"], c["field"], c["before"], c["after"]) for c in found]


def test_comments_order_and_white_space_change_no_meaning(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, steps = SPEC.split("steps:\n")
    steps, outputs = steps.split("outputs:\n")
    white, sheet = steps.split("  sheet:\n")
    sheet = sheet.replace("columns: 2, gap: 4", "gap: 4, columns: 2").replace("{{ steps.white", "{{steps.white")
    (shop / "spec.yaml").write_text(
        f"# mended\n{head}outputs:\n{outputs}steps:\n  sheet:\n{sheet}{white}", encoding="utf-8"
    )
    assert "no change in meaning" in said(capsys, "--rev", "HEAD")
    assert changes(capsys, "--rev", "HEAD") == []


def test_without_a_revision_the_last_commit_is_compared(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop, ("default: calm", "default: wild"))
    assert changes(capsys) == [("changed", "param", "mood", "default", "calm", "wild")]


def test_a_changed_input_shows_both_values_and_every_task_runs_again(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(shop, ("on white,", "on black,"))
    assert changes(capsys, "--rev", "HEAD") == [
        (
            "changed",
            "step",
            "white",
            "input.prompt",
            "${{ item }} on white, ${{ params.mood }}",
            "${{ item }} on black, ${{ params.mood }}",
        )
    ]
    tasks = {step["step"]: step for step in difference(capsys)["tasks"]}
    assert (tasks["white"]["changed"], tasks["white"]["run"], tasks["white"]["total"]) == (3, 3, 3)
    assert tasks["sheet"]["when_known"] == 1


def test_what_is_cached_does_not_run_again(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "spec.yaml", "--local"]) == 0
    change(shop, ("[cup, bowl, vase]", "[cup, bowl, lamp]"), ("out/white", "out/clean"))
    found = difference(capsys, "--local")
    assert [(c["what"], c["name"], c["field"]) for c in found["changes"]] == [
        ("param", "names", "default"),
        ("step", "white", "save"),
    ]
    white, sheet = found["tasks"]
    assert (white["total"], white["cached"], white["run"], white["changed"]) == (3, 2, 1, 1)
    assert (sheet["cached"], sheet["when_known"]) == (0, 1)
    text = said(capsys, "--local")
    assert "1 task changed; a run now would do 1, find 2 cached, and up to 1 more would follow" in text


def test_a_renamed_step_is_known_again_and_runs_nothing_again(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop, ("  white:\n", "  clean:\n"), ("steps.white", "steps.clean"))
    assert changes(capsys) == [("renamed", "step", "clean", None, "white", "clean")]
    assert [step["changed"] for step in difference(capsys)["tasks"]] == [0, 0]
    assert "~ step white is now clean" in said(capsys)


def test_a_chain_of_renamed_steps_is_followed(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop, ("  white:\n", "  clean:\n"), ("steps.white", "steps.clean"))
    change(shop, ("  sheet:\n    image", "  page:\n    image"), ("steps.sheet.", "steps.page."))
    assert changes(capsys) == [
        ("renamed", "step", "clean", None, "white", "clean"),
        ("renamed", "step", "page", None, "sheet", "page"),
    ]


def test_a_moved_pin_is_told_apart_from_other_changes(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop, ("version: v3", "alias: main"), ("price: 0.5", "price: 0.75"))
    assert changes(capsys) == [
        ("pinned", "workflow", "draw", "release", "version:v3", "alias:main"),
        ("changed", "workflow", "draw", "price", 0.5, 0.75),
    ]
    assert "    pin: version:v3 -> alias:main" in said(capsys)


def test_steps_limits_outputs_and_params_come_and_go(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(
        shop,
        ("limits: {max_cost: 40}", "limits: {max_cost: 50, rate: 5/s}"),
        ("outputs:\n  sheet: ${{ steps.sheet.file }}\n", ""),
        ("  mood: {type: string, default: calm}\n", "  mood: {type: string, default: calm}\n  more: {type: string}\n"),
        ("    save: out/sheet.png\n", "    save: out/sheet.png\n  title: {workflow: describe, input: {text: hi}}\n"),
    )
    assert changes(capsys) == [
        ("added", "param", "more", None, None, None),
        ("added", "limit", "rate", None, None, 5.0),
        ("changed", "limit", "max_cost", None, 40, 50),
        ("removed", "output", "sheet", None, "${{ steps.sheet.file }}", None),
        ("added", "step", "title", None, None, None),
    ]


def test_sub_pipelines_are_compared_at_their_own_revisions(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "inner.yaml").write_text(
        "apiVersion: speedpix-pipe/v1\nname: inner\nparams: {text: {type: string}}\n"
        'steps:\n  one: {workflow: draw, input: {prompt: "${{ params.text }}"}}\n',
        encoding="utf-8",
    )
    (shop / "spec.yaml").write_text(
        "apiVersion: speedpix-pipe/v1\nname: outer\n"
        "steps:\n  part: {pipeline: ./inner.yaml, for_each: [a, b], input: {text: '${{ item }}'}}\n",
        encoding="utf-8",
    )
    commit_all(shop, "outer")
    inner = (shop / "inner.yaml").read_text(encoding="utf-8")
    (shop / "inner.yaml").write_text(inner.replace("params.text }}", "params.text }}!"), encoding="utf-8")
    assert changes(capsys) == [
        ("changed", "step", "part.one", "input.prompt", "${{ params.text }}", "${{ params.text }}!")
    ]
    tasks = {step["step"]: step["changed"] for step in difference(capsys)["tasks"]}
    assert tasks["part.one"] == 2


def test_two_revisions_are_compared_whatever_the_working_tree_holds(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(shop, ("default: calm", "default: wild"))
    commit_all(shop, "second")
    (shop / "spec.yaml").write_text("not: [a spec", encoding="utf-8")
    found = changes(capsys, "--rev", "HEAD~1", "--rev", "HEAD")
    assert found == [("changed", "param", "mood", "default", "calm", "wild")]
    assert (shop / "spec.yaml").read_text(encoding="utf-8") == "not: [a spec"


def test_a_side_that_is_no_spec_is_named(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "spec.yaml").write_text("name: 3\n", encoding="utf-8")
    commit_all(shop, "broken")
    (shop / "spec.yaml").write_text(SPEC, encoding="utf-8")
    assert main(["diff", "spec.yaml", "--rev", "HEAD"]) == 2
    assert "HEAD:spec.yaml:1:" in capsys.readouterr().err


def test_an_unknown_revision_and_a_third_one_are_refused(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "spec.yaml", "--rev", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main(["diff", "spec.yaml", "--rev", "a", "--rev", "b", "--rev", "c"]) == 2


def test_a_param_without_a_value_leaves_the_comparison_standing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop, ("{type: string, default: calm}", "{type: string}"))
    found = difference(capsys)
    assert found["tasks"] is None
    assert "mood" in found["why_not"]
    assert [step["changed"] for step in difference(capsys, "-p", "mood=calm")["tasks"]] == [0, 0]
