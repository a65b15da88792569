"""What the journal tells: runs and tasks, what is unknown, why a task ran. And how a run is ended from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from speedpix_pipe.app.selection import matches
from speedpix_pipe.errors import StoreError, UsageError
from speedpix_pipe.model import Json, Submission, SubmissionState, TaskStatus
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import Settings
from speedpix_pipe.store import RunRow, Store, TaskRow
from speedpix_pipe.summary import RunSummary, Tally

EARLIER_RUNS = 20  # how far back `why` looks for the same task


def state_folder(settings: Settings, current: Path) -> Path:
    """The state folder that commands about the past mean. UsageError where there is none."""
    found = settings.nearest_state_folder(current)
    if found is None:
        raise UsageError(
            f"no .speedpix folder in {current} or above it",
            code="usage.no-state",
            hint="go to the folder of a pipeline that has run, or set SPEEDPIX_STATE_DIR",
        )
    return found


def open_past(settings: Settings, current: Path, *, write: bool = False) -> Store:
    folder = state_folder(settings, current)
    if write and not folder.is_dir():
        raise StoreError(f"there is no state in {folder} yet", code="store.empty")
    return Store.open(folder, write=write)


def status_of(row: RunRow) -> str:
    """The journal's word, and `died` for a run that nobody carries out any more."""
    return "died" if row.died else row.status


def run_to_json(row: RunRow) -> dict[str, Json]:
    return {
        "run_id": row.id,
        "pipeline": row.pipeline,
        "spec": row.spec_path,
        "service": row.service,
        "status": status_of(row),
        "resumable": row.resumable and not row.lives,
        "reason": row.reason,
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "seconds": row.seconds,
        "tasks": dict(row.counts),
        "origin": row.origin,
    }


def summary_of(store: Store, row: RunRow) -> RunSummary:
    """The summary of a past run (or of one under way), from its events."""
    tally = Tally()
    for event in store.journal.events(row.id):
        tally.add(event)
    return replace(tally.summary(), under_way=row.lives)


def task_to_json(task: TaskRow) -> dict[str, Json]:
    """A task as `runs show --json` lists it."""
    return {
        "step": task.step,
        "key": task.key,
        "status": task.status.value if task.status else None,
        "attempts": task.attempts,
        "seconds": task.seconds,
        "started_at": task.started_at.isoformat() if task.started_at else None,
        "finished_at": task.finished_at.isoformat() if task.finished_at else None,
        "fingerprint": task.fingerprint,
        "prediction_id": task.prediction_id,
        "reason": task.error_message or task.skip_reason,
        "cause": task.skip_cause,
        "input": task.input,
        "files": [saved.path for saved in task.saved],
    }


def unknown_of(store: Store, row: RunRow) -> list[Submission]:
    """Submissions of unknown outcome that stand against a run: its own, and those its tasks ran into."""
    found = {submission.id: submission for submission in store.ledger.unknown(run_id=row.id)}
    for task in store.journal.tasks(row.id):
        if task.status is TaskStatus.UNKNOWN and task.submission is not None and task.submission not in found:
            submission = store.ledger.row(task.submission)
            if submission is not None and submission.state in {SubmissionState.UNKNOWN, SubmissionState.REQUESTED}:
                found[submission.id] = submission
    return [found[number] for number in sorted(found)]


def unknown_to_json(submission: Submission) -> dict[str, Json]:
    return {
        "submission": submission.id,
        "time": submission.requested_at.isoformat(),
        "step": submission.step,
        "key": submission.key,
        "price": submission.price,
        "run_id": submission.run_id,
        "message": submission.message,
    }


def cancel(store: Store, row: RunRow) -> bool:
    """End a run for good. True if a living process was asked to; UsageError if the run has ended already."""
    if row.lives:
        store.journal.request_cancel(row.id)
        return True
    if not row.resumable:
        raise UsageError(f"run {row.id} has ended: {status_of(row)}", code="usage.run-ended")
    asyncio.run(store.journal.give_up(row.id, "cancelled by `runs cancel`"))
    return False


# --- why ---


@dataclass(frozen=True, slots=True)
class Why:
    """Why a task ran or was reused: a sentence, and what differs from the last time, by place."""

    run_id: str
    task: TaskRow
    sentence: str
    changes: tuple[tuple[str, Json, Json], ...] = ()
    earlier_run: str | None = None

    def to_json(self) -> dict[str, Json]:
        return {
            "run_id": self.run_id,
            "step": self.task.step,
            "key": self.task.key,
            "status": self.task.status.value if self.task.status else None,
            "why": self.sentence,
            "earlier_run": self.earlier_run,
            "changes": [{"place": place, "before": before, "now": now} for place, before, now in self.changes],
            "fingerprint": self.task.fingerprint,
        }


def why(store: Store, row: RunRow, selector: str) -> Why:
    """For one STEP@KEY of a run."""
    task = _named(list(store.journal.tasks(row.id)), selector, row.id)
    found = _why(store, row, task)
    chosen = store.seeds.behind(task.fingerprint, task.task) if task.fingerprint else None
    if chosen is None:
        return found
    seed = ", ".join(str(value) for value in (chosen.seed or {}).values())
    words = f"with seed {seed}, which run {chosen.run_id} drew for it" if seed else "with a seed of the service's own"
    return replace(found, sentence=f"{found.sentence}; {words}")


def _why(store: Store, row: RunRow, task: TaskRow) -> Why:
    match task.status:
        case TaskStatus.CACHED if task.source == "twin":
            return Why(row.id, task, "an equal task of the same run did it: same workflow, same input")
        case TaskStatus.CACHED if task.source == "resumed":
            return Why(row.id, task, f"made before the run was resumed, by prediction {task.prediction_id}")
        case TaskStatus.CACHED:
            when = f" by prediction {task.prediction_id}" if task.prediction_id else ""
            return Why(row.id, task, f"reused: a result for exactly this input was kept{when}")
        case TaskStatus.SKIPPED:
            return Why(row.id, task, f"skipped: {task.skip_reason}")
        case TaskStatus.UNKNOWN:
            return Why(row.id, task, f"not run: {task.error_message}")
        case None:
            return Why(row.id, task, "it has not ended")
        case _ if task.started_at is None:
            return Why(row.id, task, f"not run: {task.error_message or 'the run ended first'}")
        case _:
            return _why_it_ran(store, row, task)


def _why_it_ran(store: Store, row: RunRow, task: TaskRow) -> Why:
    if task.resumed:
        return Why(row.id, task, f"prediction {task.prediction_id} was paid for already; its result was fetched")
    for earlier, old in _earlier(store, row, task):
        if old.fingerprint == task.fingerprint:
            ended = "failed" if old.status is TaskStatus.FAILED else "left no result that is still kept"
            return Why(row.id, task, f"ran: the same input {ended} in run {earlier.id}", (), earlier.id)
        changes = tuple(_changes(old, task))
        what = "its input changed" if changes else "its workflow, release, options or caching changed"
        return Why(row.id, task, f"ran: {what} since run {earlier.id}", changes, earlier.id)
    return Why(row.id, task, "ran: no earlier run had this task, and no kept result fits its input")


def _earlier(store: Store, row: RunRow, task: TaskRow) -> Iterator[tuple[RunRow, TaskRow]]:
    """The newest earlier run of the spec in which the task started."""
    runs = store.journal.runs(spec_path=row.spec_path)
    older = [run for run in runs if run.number < row.number][:EARLIER_RUNS]
    for run in older:
        for old in store.journal.tasks(run.id):
            if old.step == task.step and old.key == task.key and old.fingerprint is not None:
                yield run, old
                return


def _changes(old: TaskRow, new: TaskRow) -> Iterator[tuple[str, Json, Json]]:
    before, now = _flat(old.input), _flat(new.input)
    for place in dict.fromkeys([*before, *now]):
        if before.get(place) != now.get(place):
            yield place, before.get(place), now.get(place)
    digests = {field: sha256 for field, _, sha256 in old.input_files}
    for field, path, sha256 in new.input_files:
        if field in digests and digests[field] != sha256 and before.get(field) == now.get(field):
            yield field, f"{path} ({digests[field][:12]})", f"{path} ({sha256[:12]})"


def _flat(value: Json, place: str = "") -> dict[str, Json]:
    if isinstance(value, dict):
        return {k: v for name, inner in value.items() for k, v in _flat(inner, f"{place}.{name}".lstrip(".")).items()}
    if isinstance(value, list):
        return {k: v for number, inner in enumerate(value) for k, v in _flat(inner, f"{place}.{number}").items()}
    return {place: value}


def _named(tasks: list[TaskRow], selector: str, run_id: str) -> TaskRow:
    """The one task that STEP@KEY means."""
    step, _, key = selector.partition("@")
    of_step = [task for task in tasks if task.step == step]
    exact = [task for task in of_step if task.key == key]
    found = exact or [task for task in of_step if matches(task.key, key)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(task.task for task in found[:3])
        raise UsageError(f'"{selector}" means {len(found)} tasks, such as {shown}', code="usage.ambiguous-task")
    steps = dict.fromkeys(task.step for task in tasks)
    hint = f"its steps are: {', '.join(steps)}" if not of_step else f"such as {of_step[0].task}"
    raise UsageError(f'run {run_id} has no task "{selector}"', code="usage.no-task", hint=hint)
