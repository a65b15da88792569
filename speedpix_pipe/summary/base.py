"""What a run came to, as frozen values: the JSON of `run --json`, the exit code, reasons told once."""

from __future__ import annotations

import re
from dataclasses import field
from datetime import datetime

from speedpix_pipe.errors import PipeError, RunInterruptedError, Severity, SpecError
from speedpix_pipe.model import Json, RunStatus, TaskStatus
from speedpix_pipe.records import dataclass

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
    def at_rest(self) -> bool:
        """Whether nothing of it runs or waits."""
        return not self.running and self.found <= self.done

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
    accepted: int = 0
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
    under_way: bool = False  # it goes on: what counts as cancelled is still to come
    local: bool = False  # on the emulator of this machine, which must be said again to go on
    redo: bool = False  # of some tasks of another run

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


def as_refused(summary: RunSummary) -> RunSummary:
    """A run that the service turned away before anything came of it, as one that never began; any other as it is."""
    came = (TaskStatus.SUCCEEDED, TaskStatus.CACHED, TaskStatus.UNKNOWN)
    turned_away = all(failure.kind in {"access", "stopped"} for failure in summary.failures)
    if not turned_away or summary.accepted or summary.resumed or any(summary.tasks[status] for status in came):
        return summary
    return RunSummary(None, RunStatus.FAILED, False, dict.fromkeys(TaskStatus, 0), failures=summary.failures)


def exit_code(summary: RunSummary) -> int:
    """0 all done, 1 something failed or is unknown, 130 interrupted and resumable. Ignored failures do not count."""
    if summary.status is RunStatus.CANCELLED:
        return 130 if summary.resumable else 1
    fatal = summary.tasks[TaskStatus.FAILED] - summary.ignored
    if summary.status is RunStatus.FAILED or fatal > 0 or summary.tasks[TaskStatus.UNKNOWN]:
        return 1
    return 0


def refusal(error: PipeError) -> RunSummary:
    """The summary of a run that never began (exit 2, 3, or 130): no id, no tasks, every problem as an error."""
    if isinstance(error, SpecError):
        wrong = [p for p in error.problems if p.severity is Severity.ERROR] or error.problems
        failures = tuple(Failure(None, None, problem.code, str(problem)) for problem in wrong)
    else:
        failures = (Failure(None, None, error.code, error.message),)
    return RunSummary(
        run_id=None,
        status=RunStatus.CANCELLED if isinstance(error, RunInterruptedError) else RunStatus.FAILED,
        resumable=False,
        tasks=dict.fromkeys(TaskStatus, 0),
        failures=failures,
        outputs={},
    )


def common_reason(message: str, key: str | None) -> str:
    """The message without what varies from task to task: equal reasons are told once."""
    return _VARYING.sub("…", message.replace(key, "…") if key else message)
