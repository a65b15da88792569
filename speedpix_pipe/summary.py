"""Events in, a RunSummary out: what a run did, in figures that always add up.

`Tally` takes events one by one, each at the same small cost however many tasks a run has: it keeps counters,
the tasks in flight, and the rows that `run --json` must list (files, failures, unknown submissions). Progress,
logs, the closing summary, `run --json` and the exit code all read it. How any of that looks is `console`'s
business, and history is the journal's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from speedpix_pipe.errors import PipeError, Severity, SpecError
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
from speedpix_pipe.model import Json, RunStatus, TaskStatus

MOST_WARNINGS = 100

# Numbers, ids and quoted names differ from task to task where the reason is the same
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-fA-F-]{8,}\b|\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class SavedFile:
    step: str
    key: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed task, or (with an empty step) what stopped the run as a whole. `kind` is `type` in the JSON."""

    step: str | None
    key: str | None
    kind: str
    message: str
    code: str = ""
    ignored: bool = False

    @property
    def task(self) -> str:
        return f"{self.step}@{self.key}"

    def to_json(self) -> dict[str, Json]:
        return {"step": self.step, "key": self.key, "type": self.kind, "message": self.message}


@dataclass(frozen=True, slots=True)
class UnknownTask:
    """A task whose submission may or may not have been accepted."""

    step: str
    key: str
    message: str
    submission: int
    price: float | None
    at: datetime | None

    @property
    def task(self) -> str:
        return f"{self.step}@{self.key}"


@dataclass(slots=True)
class StepTally:
    """Live figures of one step. `counts` are final states; what is neither final nor running waits."""

    name: str
    found: int = 0
    running: int = 0
    counts: dict[TaskStatus, int] = field(default_factory=lambda: dict.fromkeys(TaskStatus, 0))
    ignored: int = 0
    skipped_by_failure: int = 0
    retries: int = 0
    seconds: float = 0.0  # of succeeded tasks, summed
    longest_seconds: float = 0.0
    service_seconds: float = 0.0
    spent: float = 0.0
    saved: float = 0.0
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def done(self) -> int:
        return sum(self.counts.values())

    @property
    def total(self) -> int:
        return max(self.found, self.done + self.running)

    @property
    def left(self) -> int:
        return self.total - self.done


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one run came to. `steps` are in the order of the graph."""

    run_id: str | None
    status: RunStatus
    resumable: bool
    tasks: dict[TaskStatus, int]
    submitted: int = 0
    resumed: int = 0
    unknown_submissions: int = 0
    files: tuple[SavedFile, ...] = ()
    failures: tuple[Failure, ...] = ()
    unknown: tuple[UnknownTask, ...] = ()
    outputs: Json = None
    seconds: float = 0.0
    reason: str = ""
    pipeline: str = ""
    spec_path: str = ""
    state_folder: str = ""
    service: str = ""
    steps: tuple[StepTally, ...] = ()
    spent: float = 0.0
    saved: float = 0.0
    priced: bool = False  # whether any price is known, so that 0 means nothing was paid
    uploaded_bytes: int = 0
    warnings: tuple[tuple[str, str], ...] = ()
    started_at: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.tasks.values())

    @property
    def ignored(self) -> int:
        return sum(failure.ignored for failure in self.failures)

    @property
    def skipped_by_failure(self) -> int:
        return sum(step.skipped_by_failure for step in self.steps)

    def to_json(self) -> dict[str, Json]:
        """The object that `run --json` prints."""
        unknown = [Failure(task.step, task.key, "unknown", task.message) for task in self.unknown]
        return {
            "run_id": self.run_id,
            "status": self.status.value,
            "resumable": self.resumable,
            "tasks": {"total": self.total} | {status.value: self.tasks[status] for status in TaskStatus},
            "predictions": {
                "submitted": self.submitted,
                "resumed": self.resumed,
                "unknown": self.unknown_submissions,
            },
            "files": [{"step": f.step, "key": f.key, "path": f.path, "sha256": f.sha256} for f in self.files],
            "errors": [failure.to_json() for failure in (*self.failures, *unknown)],
            "outputs": {} if self.outputs is None else self.outputs,
            "seconds": round(self.seconds, 3),
        }


def exit_code(summary: RunSummary) -> int:
    """0 all done, 1 something failed or is unknown, 130 interrupted and resumable. Ignored failures do not count."""
    if summary.status is RunStatus.CANCELLED:
        return 130 if summary.resumable else 1
    fatal = summary.tasks[TaskStatus.FAILED] - summary.ignored
    if summary.status is RunStatus.FAILED or fatal > 0 or summary.tasks[TaskStatus.UNKNOWN]:
        return 1
    return 0


def refusal(error: PipeError) -> RunSummary:
    """The summary of a run that never began (exit 2 and 3): no id, no tasks, every problem as an error."""
    if isinstance(error, SpecError):
        wrong = [p for p in error.problems if p.severity is Severity.ERROR] or error.problems
        failures = tuple(Failure(None, None, problem.code, str(problem)) for problem in wrong)
    else:
        failures = (Failure(None, None, error.code, error.message),)
    return RunSummary(
        run_id=None,
        status=RunStatus.FAILED,
        resumable=False,
        tasks=dict.fromkeys(TaskStatus, 0),
        failures=failures,
        outputs={},
    )


def common_reason(message: str, key: str | None) -> str:
    """The message without what varies from task to task: equal reasons are told once."""
    return _VARYING.sub("…", message.replace(key, "…") if key else message)


@dataclass(slots=True)
class _Flight:
    """A task in flight: what its open submission costs, once it is known to have been accepted."""

    price: float | None = None
    requested: bool = False


class Tally:
    """Counts a run while it happens. Give it every event, in order; ask for `summary()` at any time.

    After `RunResumed` the tasks are born again, so their counts start over, while submissions and money go on.
    `submitted`, `spent` are what earlier lives of a resumed run came to, where their events are not replayed.
    """

    def __init__(self, *, submitted: int = 0, spent: float = 0.0, keep_files: bool = True) -> None:
        self.run_id: str | None = None
        self.start: RunStarted | None = None
        self.end: RunFinished | None = None
        self.steps: dict[str, StepTally] = {}
        self.failures: list[Failure] = []
        self.unknown: list[UnknownTask] = []
        self.submitted = submitted
        self.resumed = 0
        self.spent = spent
        self.priced = spent > 0
        self.uploaded_bytes = 0
        self.files_saved = 0
        self.started_at: datetime | None = None
        self.last_at: datetime | None = None
        self.warnings: dict[tuple[str, str], None] = {}
        self._keep_files = keep_files
        self._files: list[SavedFile] = []
        self._flights: dict[tuple[str, str], _Flight] = {}
        self._submissions_unknown: set[int] = set()

    # --- figures ---------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        return sum(step.total for step in self._all_steps())

    @property
    def done(self) -> int:
        return sum(step.done for step in self._all_steps())

    @property
    def running(self) -> int:
        return len(self._flights)

    def count(self, status: TaskStatus) -> int:
        return sum(step.counts[status] for step in self._all_steps())

    def _all_steps(self) -> list[StepTally]:
        return list(self.steps.values())  # a copy: the live view looks from a thread of its own

    # --- events ----------------------------------------------------------------------------------

    def __call__(self, event: Event) -> None:
        self.add(event)

    def close(self) -> None:
        """Nothing is held open; here so that a tally is a subscriber like any other."""

    def add(self, event: Event) -> None:
        if event.at is not None:
            self.last_at = event.at
        match event:
            case RunStarted() | RunResumed() | RunFinished():
                self._run(event)
            case ItemFound():
                self._step(event.step).found += 1
            case TaskStarted():
                self._started(event)
            case TaskRetrying():
                self._step(event.step).retries += 1
                self._forget_request(event.step, event.key)
            case TaskCached() | TaskSucceeded() | TaskFailed() | TaskSkipped() | TaskCancelled() | TaskUnknown():
                self._ended(event)
            case PredictionRequested():
                self._requested(event)
            case PredictionCreated():
                self._created(event)
            case PredictionFinished():
                self._step(event.step).service_seconds += event.service_seconds or 0.0
            case FileSaved():
                self.files_saved += 1
                if self._keep_files:
                    self._files.append(SavedFile(event.step, event.key, event.path, event.sha256))
            case UploadFinished():
                self.uploaded_bytes += 0 if event.reused else event.size
            case Warned():
                if len(self.warnings) < MOST_WARNINGS:
                    self.warnings.setdefault((event.code, event.message))
            case TaskProgressed():
                pass  # for eyes only
            case _:
                assert_never(event)

    def _run(self, event: RunStarted | RunResumed | RunFinished) -> None:
        self.run_id = event.run_id or self.run_id
        match event:
            case RunStarted():
                self.start, self.end = event, None
                self.started_at = event.at
                for name in event.steps:
                    self._step(name)
            case RunResumed():
                self.end = None
                self.started_at = event.at or self.started_at
                self.steps = {name: StepTally(name) for name in self.steps}
                self.failures, self.unknown, self._files, self.files_saved = [], [], [], 0
                self._flights.clear()
                self._submissions_unknown.clear()
            case RunFinished():
                self.end = event
                self._flights.clear()

    def _step(self, name: str) -> StepTally:
        step = self.steps.get(name)
        if step is None:  # the inner steps of a pipeline step appear as they come
            step = self.steps[name] = StepTally(name)
        return step

    def _flight(self, step: str, key: str) -> _Flight:
        place = (step, key)
        flight = self._flights.get(place)
        if flight is None:
            flight = self._flights[place] = _Flight()
            self._step(step).running += 1
        return flight

    def _started(self, event: TaskStarted) -> None:
        self._flight(event.step, event.key)
        step = self._step(event.step)
        step.first_at = step.first_at or event.at

    def _requested(self, event: PredictionRequested) -> None:
        self.submitted += 1
        flight = self._flight(event.step, event.key)
        flight.requested, flight.price = True, event.price
        self.priced |= event.price is not None

    def _created(self, event: PredictionCreated) -> None:
        if event.resumed:
            self.resumed += 1
        self._spend(event.step, event.key)

    def _spend(self, step: str, key: str) -> None:
        flight = self._flights.get((step, key))
        if flight is not None and flight.requested:
            self.spent += flight.price or 0.0
            self._step(step).spent += flight.price or 0.0
            flight.requested = False

    def _forget_request(self, step: str, key: str) -> None:
        """A request that is tried again was surely refused: it costs nothing."""
        flight = self._flights.get((step, key))
        if flight is not None:
            flight.requested = False

    def _ended(
        self, event: TaskCached | TaskSucceeded | TaskFailed | TaskSkipped | TaskCancelled | TaskUnknown
    ) -> None:
        step = self._step(event.step)
        step.last_at = event.at or step.last_at
        match event:
            case TaskCached():
                status = TaskStatus.CACHED
                step.saved += event.price or 0.0
                self.priced |= event.price is not None
            case TaskSucceeded():
                status = TaskStatus.SUCCEEDED
                step.seconds += event.seconds
                step.longest_seconds = max(step.longest_seconds, event.seconds)
            case TaskFailed():
                status = TaskStatus.FAILED
                step.ignored += event.ignored
                self.failures.append(
                    Failure(event.step, event.key, event.kind, event.message, event.code, event.ignored)
                )
            case TaskSkipped():
                status = TaskStatus.SKIPPED
                step.skipped_by_failure += event.by_failure
            case TaskCancelled():
                status = TaskStatus.CANCELLED
                self._spend(event.step, event.key)  # sent, perhaps accepted: unknown counts as spent
            case TaskUnknown():
                status = TaskStatus.UNKNOWN
                self._spend(event.step, event.key)
                self._submissions_unknown.add(event.submission)
                self.unknown.append(
                    UnknownTask(event.step, event.key, event.message, event.submission, event.price, event.at)
                )
        step.counts[status] += 1
        if self._flights.pop((event.step, event.key), None) is not None:
            step.running -= 1

    # --- the result ------------------------------------------------------------------------------

    def summary(self) -> RunSummary:
        """What the run came to. Tasks without a final state count as cancelled, so that the sum is the total."""
        steps = tuple(self._settled(step) for step in self.steps.values())
        tasks = {status: sum(step.counts[status] for step in steps) for status in TaskStatus}
        start, end = self.start, self.end
        failures = list(self.failures)
        if end is not None and end.status is RunStatus.FAILED and end.reason:
            failures.insert(0, Failure(None, None, "stopped", end.reason))
        place = {name: number for number, name in enumerate(self.steps)}
        return RunSummary(
            run_id=self.run_id,
            status=end.status if end else RunStatus.CANCELLED,
            resumable=end.resumable if end else True,
            tasks=tasks,
            submitted=self.submitted,
            resumed=self.resumed,
            unknown_submissions=len(self._submissions_unknown),
            files=tuple(sorted(self._files, key=lambda f: (place.get(f.step, 0), f.key, f.path))),
            failures=tuple(failures),
            unknown=tuple(self.unknown),
            outputs=end.outputs if end else None,
            seconds=end.seconds if end else self._elapsed(),
            reason=end.reason if end else "the run did not end",
            pipeline=start.pipeline if start else "",
            spec_path=start.spec_path if start else "",
            state_folder=start.state_folder if start else "",
            service=start.service if start else "",
            steps=steps,
            spent=self.spent,
            saved=sum(step.saved for step in steps),
            priced=self.priced,
            uploaded_bytes=self.uploaded_bytes,
            warnings=tuple(self.warnings),
            started_at=self.started_at,
        )

    def _elapsed(self) -> float:
        if self.started_at is None or self.last_at is None:
            return 0.0
        return (self.last_at - self.started_at).total_seconds()

    def _settled(self, step: StepTally) -> StepTally:
        counts = dict(step.counts)
        counts[TaskStatus.CANCELLED] += step.left
        return replace(step, counts=counts, running=0)
