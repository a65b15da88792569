"""Counts a run while it happens: events in, at any time a RunSummary out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

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
from speedpix_pipe.records import dataclass
from speedpix_pipe.summary.base import Failure, RunSummary, SavedFile, StepTally, UnknownTask

MOST_WARNINGS = 100


@dataclass(slots=True)
class _Flight:
    """A task in flight: what its open submission costs, once it is known to have been accepted."""

    price: float | None = None
    requested: bool = False
    there: bool = False  # accepted by the service, and not finished


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
        self.on_service = 0  # predictions that the service has now
        self.submitted = submitted
        self.accepted = 0
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
                self._left_service(event.step, event.key)
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
                self.on_service = 0
                self._submissions_unknown.clear()
            case RunFinished():
                self.end = event
                self._flights.clear()
                self.on_service = 0

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
        else:
            self.accepted += 1
        self._spend(event.step, event.key)
        flight = self._flights.get((event.step, event.key))
        if flight is not None and not flight.there:
            flight.there = True
            self.on_service += 1

    def _left_service(self, step: str, key: str) -> None:
        flight = self._flights.get((step, key))
        if flight is not None and flight.there:
            flight.there = False
            self.on_service -= 1

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
                step.first_at = step.first_at or event.at
                step.saved += 0.0 if event.source == "resumed" else event.price or 0.0
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
        self._left_service(event.step, event.key)
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
            accepted=self.accepted,
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
            local=_argument(start, "local"),
            redo=_argument(start, "redo"),
        )

    def _elapsed(self) -> float:
        if self.started_at is None or self.last_at is None:
            return 0.0
        return (self.last_at - self.started_at).total_seconds()

    def _settled(self, step: StepTally) -> StepTally:
        counts = dict(step.counts)
        counts[TaskStatus.CANCELLED] += step.left
        return replace(step, counts=counts, running=0)


def _argument(start: RunStarted | None, name: str) -> bool:
    """Whether a run was begun with it."""
    return start is not None and isinstance(start.arguments, dict) and bool(start.arguments.get(name))
