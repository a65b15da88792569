"""A run as it is now, kept up to date from the journal's rows: counts per step, who runs, the newest pictures.

Most rows are only counted, so that a run with 100,000 tasks is read in about a second and followed for nothing.
Reading goes on from where it was, a bounded piece at a time; whoever asks decides how often.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import islice

from speedpix_pipe.events import Event, TaskCached, TaskFailed, TaskSucceeded, TaskUnknown
from speedpix_pipe.model import Json, TaskStatus
from speedpix_pipe.records import dataclass
from speedpix_pipe.store import Journal
from speedpix_pipe.words.messages import translated

PIECE = 20_000  # rows read at once: some 50 ms
NEWEST = 60
NEWEST_FAILURES = 20
_ENDS = {
    "TaskCached": TaskStatus.CACHED,
    "TaskSucceeded": TaskStatus.SUCCEEDED,
    "TaskFailed": TaskStatus.FAILED,
    "TaskSkipped": TaskStatus.SKIPPED,
    "TaskCancelled": TaskStatus.CANCELLED,
    "TaskUnknown": TaskStatus.UNKNOWN,
}
_NUMBER = {status: number for number, status in enumerate(TaskStatus, start=1)}
_STATUS = {number: status for status, number in _NUMBER.items()}
RUNNING, WAITING = "running", "waiting"


@dataclass(slots=True)
class StepNow:
    """Live figures of one step."""

    found: int = 0
    running: int = 0
    ended: dict[TaskStatus, int] = field(default_factory=lambda: dict.fromkeys(TaskStatus, 0))

    def to_json(self) -> dict[str, Json]:
        done = sum(self.ended.values())
        return {
            "total": max(self.found, done + self.running),
            "done": done,
            "running": self.running,
            "counts": {status.value: count for status, count in self.ended.items() if count},
        }


class Follower:
    """One run. `advance` reads what is new; `version` changes when something did."""

    def __init__(self, journal: Journal, run_id: str, steps: Sequence[str], language: str = "en") -> None:
        self.run_id = run_id
        self._language = language
        self.caught_up = False
        self._journal = journal
        self._seq = 0
        self._steps = {name: StepNow() for name in steps}
        self._tasks: dict[str, int] = {}  # step@key -> seq of its end and its status in three bits; 0 while open
        self._running: set[str] = set()
        self._newest: deque[int] = deque(maxlen=NEWEST)
        self._failed: deque[int] = deque(maxlen=NEWEST_FAILURES)
        self._known: dict[int, list[dict[str, Json]]] = {}  # pictures by the seq of the task's end

    def advance(self) -> None:
        """Read the next piece."""
        count = 0
        for seq, _at, kind, task, _body in islice(self._journal.raw(self.run_id, after=self._seq), PIECE):
            self._seq = seq
            count += 1
            if task is not None:
                self._took(seq, kind, task if isinstance(task, str) else task.decode("utf-8", "surrogateescape"))
            elif kind == "RunResumed":
                self._begin_again()
        self.caught_up = count < PIECE

    @property
    def version(self) -> int:
        """The last event that was read: the same for every follower of the run that has come as far."""
        return self._seq

    def _begin_again(self) -> None:
        """A resumed run finds its items anew."""
        self._steps = {name: StepNow() for name in self._steps}
        self._tasks.clear()
        self._running.clear()
        self._newest.clear()
        self._failed.clear()

    def _took(self, seq: int, kind: str, task: str) -> None:
        name = task.partition("@")[0]
        step = self._steps.get(name)
        if step is None:
            step = self._steps[name] = StepNow()
        if kind == "ItemFound":
            step.found += 1
            self._tasks.setdefault(task, 0)
        elif kind == "TaskStarted":
            if task not in self._running:
                self._running.add(task)
                step.running += 1
        elif kind in _ENDS:
            self._ended(seq, step, task, _ENDS[kind])

    def _ended(self, seq: int, step: StepNow, task: str, status: TaskStatus) -> None:
        if task in self._running:
            self._running.discard(task)
            step.running -= 1
        step.ended[status] += 1
        self._tasks[task] = seq << 3 | _NUMBER[status]
        if status in {TaskStatus.SUCCEEDED, TaskStatus.CACHED}:
            self._newest.append(seq)
        elif status in {TaskStatus.FAILED, TaskStatus.UNKNOWN}:
            self._failed.append(seq)

    # --- what is shown ---

    def now(self) -> dict[str, Json]:
        return {
            "caught_up": self.caught_up,
            "steps": {name: step.to_json() for name, step in self._steps.items()},
            "pictures": self._pictures(),
            "failures": [self._failure(event) for event in self._journal.events_at(self.run_id, list(self._failed))],
        }

    def _pictures(self) -> list[dict[str, Json]]:
        """Of the tasks that ended last, the newest first. Each is read from the journal once."""
        missing = [seq for seq in self._newest if seq not in self._known]
        fresh = {event.seq: files_of(event) for event in self._journal.events_at(self.run_id, missing)}
        self._known = {seq: self._known.get(seq) or fresh.get(seq, []) for seq in self._newest}
        return [file for seq in reversed(self._newest) for file in self._known[seq]][:NEWEST]

    def tasks(self, *, step: str, status: str, text: str, start: int, count: int) -> dict[str, Json]:
        """A page of tasks, and where the next one starts."""
        wanted = islice(self._fitting(step, status, text.casefold()), start, start + count + 1)
        found = list(wanted)
        ends = [self._tasks[task] >> 3 for task in found[:count] if self._tasks[task]]
        events = {event.seq: event for event in self._journal.events_at(self.run_id, ends)}
        rows = [self._row(task, events.get(self._tasks[task] >> 3)) for task in found[:count]]
        return {"tasks": rows, "next": start + count if len(found) > count else None}

    def _fitting(self, step: str, status: str, text: str) -> Iterator[str]:
        for task in self._tasks:
            name, _, key = task.partition("@")
            fits = (not step or name == step) and (not text or text in key.casefold())
            if fits and (not status or self.status_of(task) == status):
                yield task

    def status_of(self, task: str) -> str:
        end = self._tasks.get(task, 0)
        return _STATUS[end & 7].value if end else (RUNNING if task in self._running else WAITING)

    def _row(self, task: str, event: Event | None) -> dict[str, Json]:
        row: dict[str, Json] = {"task": task, "status": self.status_of(task)}
        if event is not None:
            row["files"] = files_of(event)
            why = getattr(event, "message", "") or getattr(event, "reason", "")
            row["why"] = translated(why, self._language)
        return row

    def _failure(self, event: Event) -> dict[str, Json]:
        assert isinstance(event, (TaskFailed, TaskUnknown))
        return {
            "task": event.task,
            "message": translated(event.message, self._language),
            "status": (TaskStatus.FAILED if isinstance(event, TaskFailed) else TaskStatus.UNKNOWN).value,
            "ignored": getattr(event, "ignored", False),
        }


def files_of(event: Event) -> list[dict[str, Json]]:
    if not isinstance(event, (TaskSucceeded, TaskCached)):
        return []
    return [
        {"task": event.task, "sha256": file.sha256, "type": file.media_type, "name": file.name or file.place}
        for file in event.files
    ]
