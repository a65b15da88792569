"""Sub-pipelines, run as a user would run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.functional.scripted import HEAD
from tests.functional.specs_by_parts import LISTS, fails_for, over, single, xs

pytestmark = pytest.mark.slow


INNER = (
    "params: {word: {type: string}, times: {type: array, default: [1, 2]}}\n"
    "steps:\n"
    "  say:\n    workflow: say\n    for_each: ${{ params.times }}\n    matrix: {look: [sun]}\n"
    '    input: {x: "${{ params.word }}${{ item }}${{ matrix.look }}"}\n'
    "  sum:\n    workflow: echo\n    input: {x: \"${{ steps.say.outputs | map(attribute='v') | join('+') }}\"}\n"
    "outputs:\n  text: ${{ steps.sum.output.v }}\n"
)


def outer(*lines: str) -> str:
    given = "".join(f"    {line}\n" for line in lines)
    return (
        LISTS
        + "  sub:\n    pipeline: ./inner.yaml\n    for_each: ${{ params.a }}\n    matrix: {look: [moon]}\n"
        + f'    input: {{word: "${{{{ item }}}}"}}\n{given}'
        + over("after", each="steps.sub", x="[steps.sub.output.text, matrix.look]")
        + single("all", "steps.sub.outputs | map(attribute='text')")
    )


def test_a_sub_pipeline_runs_once_for_each_task_below_its_key(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer(), {"say": [{"give": {"v": "{x}"}}]})
    assert came.errors == []
    assert list(came.of("sub.say")) == [
        f"{outer_key},look=moon/{item},look=sun" for outer_key in "pq" for item in (1, 2)
    ]
    assert xs(came, "sub.sum") == {"p,look=moon": "p1sun+p2sun", "q,look=moon": "q1sun+q2sun"}
    assert came.of("sub") == {"p,look=moon": "succeeded", "q,look=moon": "succeeded"}
    assert xs(came, "after")["q,look=moon"] == ["q1sun+q2sun", "moon"]
    assert xs(came, "all") == {"": ["p1sun+p2sun", "q1sun+q2sun"]}
    assert came.exit_code == 0


def test_a_failure_inside_a_sub_pipeline_skips_what_needs_it(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer(), {"say": fails_for("p2sun")})
    assert came.statuses["sub.say@p,look=moon/2,look=sun"] == "failed"
    assert came.of("sub.sum") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert came.of("sub") == came.of("after") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert came.of("all") == {"": "skipped"}
    assert came.exit_code == 1


def test_a_sub_pipeline_may_ignore_the_failures_inside_it(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer("on_error: ignore"), {"say": fails_for("p2sun")})
    assert came.of("sub") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert xs(came, "all") == {"": ["q1sun+q2sun"]}
    assert came.exit_code == 0


def test_a_sub_pipeline_that_is_skipped_runs_nothing(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(outer("when: item == 'q'"), {"say": [{"give": {"v": "{x}"}}]})
    assert came.of("sub") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert came.of("sub.sum") == {"p,look=moon": "skipped", "q,look=moon": "succeeded"}
    assert xs(came, "all") == {"": ["q1sun+q2sun"]}
    assert came.exit_code == 0


def test_a_bad_input_of_a_sub_pipeline_is_told_once(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(
        LISTS
        + single("one", "5")
        + '  sub:\n    pipeline: ./inner.yaml\n    input: {word: "${{ steps.one.output.v }}"}\n'
        + single("after", "steps.sub.output.text")
    )
    assert came.ends.count("sub@") == 1
    assert came.of("sub") == {"": "failed"}
    assert came.of("sub.sum") == came.of("after") == {"": "skipped"}
    assert came.exit_code == 1


def test_a_wrong_value_for_a_sub_pipeline_that_is_known_is_an_error_before_the_run(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(HEAD + INNER, encoding="utf-8")
    came = go(
        LISTS + "  sub:\n    pipeline: ./inner.yaml\n    for_each: ${{ params.a }}\n"
        '    input: {word: "${{ item }}", times: "${{ [1, 1] }}"}\n'
    )
    assert came.exit_code == 2
    assert came.errors[0].startswith("inner.yaml:7:15")
    assert "same key" in came.errors[0]


def test_files_of_a_sub_pipelines_output_are_files_outside(go: Any, tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(
        HEAD + "steps:\n  draw:\n    workflow: pictures\n    input: {x: 1}\n"
        "outputs:\n  pic: ${{ steps.draw.output.p }}\n  file: ${{ steps.draw.file }}\n",
        encoding="utf-8",
    )
    came = go(
        "steps:\n  sub:\n    pipeline: ./inner.yaml\n" + single("after", "[steps.sub.file, steps.sub.files | length]"),
        {"pictures": [{"give": {"p": {"picture": "aa"}}}]},
    )
    assert xs(came, "after") == {"": [came.urls["sub.draw@"], 2]}


def test_a_pipeline_step_saves_and_expects_like_any_other(go: Any, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "inner.yaml").write_text(
        HEAD
        + "params: {p: {type: string}}\nsteps:\n  draw:\n    workflow: pictures\n"
        + '    input: {x: "${{ params.p }}"}\noutputs:\n  pic: ${{ steps.draw.output.p }}\n  note: hello\n',
        encoding="utf-8",
    )
    came = go(
        LISTS
        + "  sub:\n    pipeline: parts/inner.yaml\n    for_each: ${{ params.a }}\n"
        + '    input: {p: "${{ item }}"}\n'
        + "    expect: {pic: {min_width: \"${{ 1000 if item == 'q' else 1 }}\"}}\n"
        + "    save: {pic: 'out/${{ item }}.${{ ext }}', note: 'out/${{ item }}-note.${{ ext }}'}\n"
        + over("after", each="steps.sub", x="steps.sub.file.url == steps.sub.output.pic.url"),
        {"pictures": [{"give": {"p": {"picture": "{x}"}}}]},
    )
    assert came.of("sub") == {"p": "succeeded", "q": "failed"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p-note.txt", "p.png"]
    assert xs(came, "after") == {"p": True}
    assert came.exit_code == 1


@pytest.mark.parametrize(("inside", "fits"), [("o/x.${{ ext }}", True), ("../o/x.${{ ext }}", False)])
def test_a_sub_pipeline_saves_seen_from_its_own_folder(go: Any, tmp_path: Path, inside: str, fits: bool) -> None:
    (tmp_path / "parts").mkdir()
    inner = "steps:\n" + single("one", "'inner'", f"save: {inside}", workflow="w")
    (tmp_path / "parts/inner.yaml").write_text(HEAD + inner, encoding="utf-8")
    came = go(
        "steps:\n  sub:\n    pipeline: parts/inner.yaml\n"
        + single("two", "'outer'", "save: o/x.${{ ext }}", workflow="w"),
        {"w": [{"give": {"images": {"picture": "{x}"}}}]},
    )
    if fits:
        assert came.errors == []
        assert (tmp_path / "o/x.png").is_file()
        assert (tmp_path / "parts/o/x.png").is_file()
    else:
        assert "sub.one@ saves to o/x.ext too" in came.errors[0]
        assert came.submitted == 0
