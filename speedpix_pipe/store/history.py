"""The tasks of a run, rebuilt from its events: what `runs show`, the report and the live page read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from speedpix_pipe.model import Json, KeptFile, TaskStatus
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.codec import decode_body, from_stamp, text_out

RawEvent = tuple[int, int, str, "str | bytes | None", str]  # seq, at, kind, task, body


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file that a task left under its final name."""

    path: str
    sha256: str
    size: int
    media_type: str = ""
    restored: bool = False


@dataclass(slots=True)
class TaskRow:
    """One task of a run. `status` is None while it has not ended."""

    step: str
    key: str
    status: TaskStatus | None = None
    ignored: bool = False  # failed, and `on_error: ignore` said that this is no matter
    attempts: int = 0
    seconds: float | None = None
    found_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    index: int | None = None
    item: Json = None
    matrix: Json = None
    order: tuple[int, ...] = ()
    fingerprint: str | None = None
    input: Json = None
    input_files: tuple[tuple[str, str, str], ...] = ()  # (field, path, sha256)
    output: Json = None
    files: tuple[KeptFile, ...] = ()
    saved: tuple[SavedFile, ...] = ()
    error_kind: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    skip_reason: str | None = None
    skip_cause: str | None = None
    by_failure: bool = False
    prediction_id: str | None = None
    submission: int | None = None
    resumed: bool = False  # its prediction was joined or fetched again
    source: str | None = None  # where a cached result came from
    service_seconds: float | None = None
    price: float | None = None

    @property
    def task(self) -> str:
        return f"{self.step}@{self.key}"


def fold(rows: Iterable[RawEvent]) -> Iterator[TaskRow]:
    """Tasks from the raw events of one run.

    A run that was resumed finds its items anew. Once it has ended, a task that was not found again (its file is
    gone) is no part of it any more; until then everything is shown, since the finding may not be over.
    """
    raw: dict[Any, list[tuple[int, str, str]]] = {}
    steps: dict[str, list[Any]] = {}
    resumed_at = finished_at = 0
    found: dict[Any, int] = {}
    for seq, at, kind, task, body in rows:
        if task is None:
            if kind == "RunResumed":
                resumed_at, finished_at = seq, 0
            elif kind == "RunFinished":
                finished_at = seq
            continue
        events = raw.get(task)
        if events is None:
            events = raw[task] = []
            steps.setdefault(text_out(task).partition("@")[0], []).append(task)
        events.append((at, kind, body))
        if kind == "ItemFound":
            found[task] = seq
    for tasks in steps.values():
        for task in tasks:
            events = raw.pop(task)
            if not finished_at or found.get(task, resumed_at) >= resumed_at:
                yield _task(text_out(task), events)


_ENDS = {
    "TaskCached": TaskStatus.CACHED,
    "TaskSucceeded": TaskStatus.SUCCEEDED,
    "TaskFailed": TaskStatus.FAILED,
    "TaskSkipped": TaskStatus.SKIPPED,
    "TaskCancelled": TaskStatus.CANCELLED,
    "TaskUnknown": TaskStatus.UNKNOWN,
}
# Fields of events that have another name in a row; all others go under their own.
_NAMES = {
    ("TaskStarted", "attempt"): "attempts",
    ("TaskFailed", "kind"): "error_kind",
    ("TaskFailed", "code"): "error_code",
    ("TaskFailed", "message"): "error_message",
    ("TaskUnknown", "message"): "error_message",
    ("TaskSkipped", "reason"): "skip_reason",
    ("TaskSkipped", "cause"): "skip_cause",
}
_LEFT_OUT = frozenset({"TaskRetrying"})
_SERVICE_STATUS = ("PredictionFinished", "status")  # the service's own word for it


def _task(task: str, events: list[tuple[int, str, str]]) -> TaskRow:
    step, _, key = task.partition("@")
    row = TaskRow(step, key)
    saved: dict[str, SavedFile] = {}
    for at, kind, body in events:
        moment = from_stamp(at) if at else None
        if kind == "FileSaved":
            file = SavedFile(**decode_body(kind, body))
            saved[file.path] = file
            continue
        if kind in _LEFT_OUT:
            continue
        if kind == "ItemFound":
            row = TaskRow(step, key, found_at=moment)  # found anew by a resumed run: a fresh start
        elif kind == "TaskStarted":
            row.started_at = row.started_at or moment
        elif kind in _ENDS:
            row.status, row.finished_at = _ENDS[kind], moment
            if kind == "TaskCached":  # it need not have started
                row.started_at = row.started_at or moment
        _take(row, kind, body)
    row.saved = tuple(saved.values())
    if row.status is not None and not row.attempts and row.started_at is not None:
        row.attempts = 1
    return row


def _take(row: TaskRow, kind: str, body: str) -> None:
    for name, value in decode_body(kind, body).items():
        if (kind, name) != _SERVICE_STATUS:
            setattr(row, _NAMES.get((kind, name), name), value)
