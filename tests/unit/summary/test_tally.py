"""Events in, figures out: what `run --json` says and which exit code follows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from speedpix_pipe.errors import AccessError, Problem, RunInterruptedError, Severity, SpecError, UsageError
from speedpix_pipe.events import (
    Event,
    FileSaved,
    ItemFound,
    PredictionCreated,
    PredictionFinished,
    PredictionRequested,
    RunFinished,
    RunResumed,
    RunStarted,
    TaskCached,
    TaskCancelled,
    TaskFailed,
    TaskProgressed,
    TaskRetrying,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    TaskUnknown,
    UploadFinished,
    Warned,
)
from speedpix_pipe.model import RunStatus, TaskStatus
from speedpix_pipe.summary import Tally, common_reason, exit_code, refusal

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
BEGIN = RunStarted(
    run_id="R1",
    at=START,
    pipeline="shots",
    spec_path="shots.yaml",
    spec_digest="d",
    state_folder=".speedpix",
    service="local",
    params={},
    steps=("white", "looks"),
)


def tally_of(*events: Event, **options) -> Tally:
    tally = Tally(**options)
    for event in events:
        tally.add(event)
    return tally


def end(status: RunStatus = RunStatus.SUCCEEDED, *, resumable: bool = False, reason: str = "", outputs=None):
    return RunFinished(run_id="R1", status=status, resumable=resumable, seconds=4.25, outputs=outputs, reason=reason)


def found(step: str, *keys: str) -> list[Event]:
    return [ItemFound(step=step, key=key) for key in keys]


def paid(step: str, key: str, submission: int, price: float | None = 0.5) -> list[Event]:
    return [
        TaskStarted(step=step, key=key),
        PredictionRequested(step=step, key=key, submission=submission, fingerprint="f", price=price),
        PredictionCreated(step=step, key=key, submission=submission, prediction_id="p"),
        PredictionFinished(step=step, key=key, prediction_id="p", status="succeeded", service_seconds=1.5),
        TaskSucceeded(step=step, key=key, seconds=2.0),
    ]


def test_the_json_of_a_run_has_exactly_the_keys_of_the_contract():
    tally = tally_of(
        BEGIN,
        *found("white", "a", "b"),
        *paid("white", "a", 1),
        FileSaved(step="white", key="a", path="out/a.png", sha256="00", size=3),
        TaskFailed(step="white", key="b", kind="task", code="task.task", message="no subject"),
        end(RunStatus.FAILED, outputs={"sheet": "out/sheet.png"}),
    )
    assert tally.summary().to_json() == {
        "run_id": "R1",
        "status": "failed",
        "resumable": False,
        "tasks": {
            "total": 2,
            "succeeded": 1,
            "cached": 0,
            "failed": 1,
            "skipped": 0,
            "cancelled": 0,
            "unknown": 0,
        },
        "predictions": {"submitted": 1, "resumed": 0, "unknown": 0},
        "files": [{"step": "white", "key": "a", "path": "out/a.png", "sha256": "00"}],
        "errors": [{"step": "white", "key": "b", "type": "task", "message": "no subject"}],
        "outputs": {"sheet": "out/sheet.png"},
        "seconds": 4.25,
    }
    json.dumps(tally.summary().to_json())


def test_counts_add_up_when_every_final_state_occurs():
    tally = tally_of(
        BEGIN,
        *found("white", "a", "b", "c", "d", "e", "f"),
        *paid("white", "a", 1),
        TaskCached(step="white", key="b", fingerprint="f", price=0.5),
        TaskFailed(step="white", key="c", kind="task", code="c", message="m", ignored=True),
        TaskSkipped(step="white", key="d", reason="when is false"),
        TaskCancelled(step="white", key="e"),
        TaskUnknown(step="white", key="f", message="?", fingerprint="f", submission=9),
        end(),
    )
    tasks = tally.summary().to_json()["tasks"]
    assert tasks.pop("total") == sum(tasks.values()) == 6
    assert set(tasks.values()) == {1}


def test_tasks_left_over_by_an_interruption_count_as_cancelled():
    tally = tally_of(
        BEGIN,
        *found("white", "a", "b", "c"),
        TaskStarted(step="white", key="a"),
        end(RunStatus.CANCELLED, resumable=True),
    )
    summary = tally.summary()
    assert summary.tasks[TaskStatus.CANCELLED] == summary.total == 3
    assert exit_code(summary) == 130


def test_a_run_that_never_ended_is_cancelled_and_resumable():
    summary = tally_of(BEGIN, *found("white", "a"), Warned(code="c", message="m", at=START + timedelta(seconds=3)))
    done = summary.summary()
    assert (done.status, done.resumable, done.seconds) == (RunStatus.CANCELLED, True, 3.0)


def test_a_task_without_a_birth_still_counts():
    assert tally_of(BEGIN, TaskSkipped(step="new", key="x", reason="r"), end()).summary().total == 1


@pytest.mark.parametrize(
    ("events", "finish", "code"),
    [
        ([], end(), 0),
        ([TaskSkipped(step="white", key="a", reason="r")], end(), 0),
        ([TaskFailed(step="white", key="a", kind="task", code="c", message="m", ignored=True)], end(), 0),
        ([TaskFailed(step="white", key="a", kind="task", code="c", message="m")], end(RunStatus.FAILED), 1),
        (
            [TaskUnknown(step="white", key="a", message="?", fingerprint="f", submission=1)],
            end(RunStatus.FAILED),
            1,
        ),
        ([], end(RunStatus.FAILED, resumable=True, reason="max_cost 4 is reached"), 1),
        ([], end(RunStatus.CANCELLED, resumable=True), 130),
        ([], end(RunStatus.CANCELLED), 1),
    ],
)
def test_exit_codes(events, finish, code):
    assert exit_code(tally_of(BEGIN, *events, finish).summary()) == code


def test_what_stopped_the_run_is_an_error_without_a_task():
    summary = tally_of(BEGIN, end(RunStatus.FAILED, resumable=True, reason="max_failures 25 is reached")).summary()
    assert summary.to_json()["errors"] == [
        {"step": None, "key": None, "type": "stopped", "message": "max_failures 25 is reached"}
    ]


def test_a_refused_request_counts_as_submitted_but_costs_nothing():
    summary = tally_of(
        BEGIN,
        TaskStarted(step="white", key="a"),
        PredictionRequested(step="white", key="a", submission=1, fingerprint="f", price=0.5),
        TaskRetrying(step="white", key="a", attempt=2, delay_seconds=1, kind="gateway", message="busy"),
        *paid("white", "a", 2),
        end(),
    ).summary()
    assert (summary.submitted, summary.spent, summary.steps[0].retries) == (2, 0.5, 1)


def test_unknown_counts_as_spent_once_per_submission():
    def unknown(key):
        return TaskUnknown(step="white", key=key, message="?", fingerprint="f", submission=7, price=0.5)

    summary = tally_of(
        BEGIN,
        TaskStarted(step="white", key="a"),
        PredictionRequested(step="white", key="a", submission=7, fingerprint="f", price=0.5),
        unknown("a"),
        unknown("twin"),
        end(RunStatus.FAILED),
    ).summary()
    assert summary.spent == 0.5
    assert summary.to_json()["predictions"] == {"submitted": 1, "resumed": 0, "unknown": 1}
    assert [error["type"] for error in summary.to_json()["errors"]] == ["unknown", "unknown"]


def test_the_unknown_of_another_run_costs_this_one_nothing():
    summary = tally_of(
        BEGIN, TaskUnknown(step="white", key="a", message="?", fingerprint="f", submission=7, price=0.5), end()
    ).summary()
    assert (summary.spent, summary.unknown_submissions) == (0, 1)


def test_joined_predictions_are_resumed_not_submitted():
    summary = tally_of(
        BEGIN, PredictionCreated(step="white", key="a", submission=1, prediction_id="p", resumed=True), end()
    ).summary()
    assert (summary.submitted, summary.resumed) == (0, 1)


def test_a_resumed_run_counts_its_tasks_anew_and_its_submissions_on():
    tally = tally_of(BEGIN, *found("white", "a", "b"), *paid("white", "a", 1), TaskStarted(step="white", key="b"))
    for event in (
        RunResumed(run_id="R1"),
        *found("white", "a", "b"),
        TaskCached(step="white", key="a", fingerprint="f"),
        *paid("white", "b", 2),
        end(),
    ):
        tally.add(event)
    summary = tally.summary()
    assert (summary.total, summary.submitted, summary.spent) == (2, 2, 1.0)


def test_what_earlier_lives_submitted_can_be_given_instead_of_replayed():
    summary = tally_of(BEGIN, *paid("white", "a", 2), end(), submitted=3, spent=1.5).summary()
    assert (summary.submitted, summary.spent) == (4, 2.0)


def test_running_follows_retries_and_ends_without_counting_twice():
    tally = tally_of(BEGIN, *found("white", "a"), TaskStarted(step="white", key="a"))
    tally.add(TaskRetrying(step="white", key="a", attempt=2, delay_seconds=0, kind="gateway", message="m"))
    tally.add(TaskStarted(step="white", key="a", attempt=2))
    assert (tally.running, tally.steps["white"].running) == (1, 1)
    tally.add(TaskSucceeded(step="white", key="a", seconds=1))
    assert (tally.running, tally.steps["white"].running, tally.done) == (0, 0, 1)


def test_steps_keep_the_order_of_the_graph_and_their_own_figures():
    tally = tally_of(
        BEGIN,
        *found("looks", "x"),
        *paid("white", "a", 1),
        *paid("white", "b", 2, price=None),
        TaskProgressed(step="white", key="b", progress=0.5),
        UploadFinished(path="a", sha256="", size=10, seconds=1),
        UploadFinished(path="a", sha256="", size=10, seconds=1, reused=True),
        end(),
    )
    summary = tally.summary()
    assert [step.name for step in summary.steps] == ["white", "looks"]
    white = summary.steps[0]
    assert (white.seconds, white.service_seconds, white.spent, white.longest_seconds) == (4.0, 3.0, 0.5, 2.0)
    assert summary.uploaded_bytes == 10


def test_files_come_in_the_order_of_the_steps():
    saved = [("looks", "a"), ("white", "b"), ("white", "a")]
    tally = tally_of(BEGIN, *(FileSaved(step=s, key=k, path=k, sha256="", size=1) for s, k in saved), end())
    assert [(f["step"], f["key"]) for f in tally.summary().to_json()["files"]] == [
        ("white", "a"),
        ("white", "b"),
        ("looks", "a"),
    ]


def test_equal_warnings_are_kept_once():
    tally = tally_of(BEGIN, *[Warned(code="c", message="m")] * 3, end())
    assert tally.summary().warnings == (("c", "m"),)


def test_a_wrong_spec_is_a_summary_without_a_run():
    problems = [
        Problem("a.yaml", 3, 5, "spec.unknown-step", "no step"),
        Problem("a.yaml", 1, 1, "spec.unused", "unused", severity=Severity.WARNING),
    ]
    said = refusal(SpecError(problems)).to_json()
    assert said["run_id"] is None
    assert said["status"] == "failed"
    assert set(said["tasks"].values()) == {0}
    assert said["outputs"] == {}
    assert said["errors"] == [
        {"step": None, "key": None, "type": "spec.unknown-step", "message": "a.yaml:3:5: no step"}
    ]


@pytest.mark.parametrize("error", [UsageError("bad param"), AccessError("no key")])
def test_other_refusals_say_their_code(error):
    assert refusal(error).to_json()["errors"][0]["type"] == error.code


def test_who_said_no_before_paying_has_cancelled():
    said = refusal(RunInterruptedError("nothing was sent", code="run.declined")).to_json()
    assert (said["run_id"], said["status"], said["resumable"]) == (None, "cancelled", False)


def test_reasons_that_differ_in_names_and_numbers_are_the_same():
    assert common_reason("in/a.jpg is 31 MB", "in/a.jpg") == common_reason("in/b.jpg is 4.5 MB", "in/b.jpg")
    assert common_reason('no field "x"', "k") != common_reason("no file", "k")
