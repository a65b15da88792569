"""The worked examples: every folder below `tests/examples/worked` is a pipeline, a script and a table of tasks.

`pipeline.yaml` is run against the emulator, whose workflows answer from `answers.yaml`; `expected.yaml` lists all
tasks in order, how each ended, and the input exactly as it reached the service.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.scripted import Came, carry_out

CASES = Path(__file__).parent.parent / "examples" / "worked"
FOLDERS = sorted(path for path in CASES.iterdir() if path.is_dir())


def _carry_out(case: Path, folder: Path) -> Came:
    for path in case.glob("*.yaml"):
        shutil.copy(path, folder)
    return carry_out(folder, "pipeline.yaml", yaml.safe_load((case / "answers.yaml").read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("case", FOLDERS, ids=lambda path: path.name)
def test_a_worked_example_runs_as_its_table_says(case: Path, tmp_path: Path) -> None:
    expected = yaml.safe_load((case / "expected.yaml").read_text(encoding="utf-8"))
    came = _carry_out(case, tmp_path)

    rows = [(task, status) for task, status, _ in expected["tasks"]]
    for step in {task.partition("@")[0] for task, _ in rows}:
        assert list(came.of(step).items()) == [
            (task.partition("@")[2], status) for task, status in rows if task.partition("@")[0] == step
        ]
    assert came.statuses == dict(rows)
    assert came.sent == {task: _with_urls(sent, came) for task, _, sent in expected["tasks"] if sent is not None}
    assert came.exit_code == expected["exit"]
    assert came.summary is not None
    counts = came.summary.to_json()["tasks"]
    assert {name: count for name, count in counts.items() if count} == expected["counts"]


def test_there_are_fourteen_worked_examples() -> None:
    assert len(FOLDERS) == 14


def test_a_singular_that_would_have_to_choose_is_an_error_at_its_place(tmp_path: Path) -> None:
    text = (CASES / "14-equal-lists" / "pipeline.yaml").read_text(encoding="utf-8")
    (tmp_path / "pipeline.yaml").write_text(
        text.replace("steps.white.outputs | map(attribute='v')", "steps.white.output.v"), encoding="utf-8"
    )
    came = carry_out(tmp_path, "pipeline.yaml")
    assert came.exit_code == 2
    assert came.submitted == 0
    (error,) = came.errors
    assert error == (
        "pipeline.yaml:12:43: steps.white.output: white runs for each of `params.photos`, which sheet does not "
        "share; use steps.white.outputs for all of them, or chain sheet with `for_each: ${{ steps.white }}`"
    )


def _with_urls(sent: Any, came: Came) -> Any:
    """The expected input, with `{url of: TASK}` replaced by the URL that the task's file has this time."""
    match sent:
        case {"url of": task}:
            return came.urls[task]
        case dict():
            return {name: _with_urls(value, came) for name, value in sent.items()}
        case list():
            return [_with_urls(value, came) for value in sent]
        case _:
            return sent
