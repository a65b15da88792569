"""What happens in a run, as one stream of frozen events.

Progress, logs, journal, live page and report read this stream and nothing else. `seq` counts from 1 within
a run, `at` is aware UTC. `TaskProgressed` is for eyes only and is not journalled.
"""

from __future__ import annotations

from datetime import datetime

from speedpix_pipe.model import Json, KeptFile, RunStatus
from speedpix_pipe.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    run_id: str = ""
    seq: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskEvent(_Event):
    step: str
    key: str

    @property
    def task(self) -> str:
        return f"{self.step}@{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(_Event):
    pipeline: str
    spec_path: str
    spec_digest: str
    state_folder: str
    service: str  # `local` or the endpoint's host and port
    params: Json
    steps: tuple[str, ...]  # in the order of the graph
    commit: str | None = None
    dirty: bool = False
    version: str = ""
    resolved_spec: Json = None
    arguments: Json = None  # -p values, selections, flags: what a resume compares


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed(_Event):
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(_Event):
    status: RunStatus
    resumable: bool
    seconds: float
    outputs: Json = None
    reason: str = ""  # why it stopped early, in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFound(_TaskEvent):
    """A task was born."""

    index: int | None = None
    item: Json = None  # as JSON; a file as its path
    matrix: Json = None
    order: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(_TaskEvent):
    attempt: int = 1
    fingerprint: str | None = None
    input: Json = None  # as rendered; files as their paths
    input_files: tuple[tuple[str, str, str], ...] = ()  # (field, path, sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed(_TaskEvent):
    progress: float
    eta_seconds: float | None = None
    queue_remaining: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetrying(_TaskEvent):
    attempt: int
    delay_seconds: float
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCached(_TaskEvent):
    fingerprint: str
    output: Json = None
    files: tuple[KeptFile, ...] = ()
    prediction_id: str | None = None
    source: str = "cache"  # or `twin`: an equal task of this run; or `resumed`: this run paid for it in an earlier life
    price: float | None = None  # what it would have cost
    input: Json = None  # of a task that ended without having started, because all that it makes is there
    input_files: tuple[tuple[str, str, str], ...] = ()  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSucceeded(_TaskEvent):
    seconds: float
    attempts: int = 1
    fingerprint: str | None = None
    output: Json = None
    files: tuple[KeptFile, ...] = ()
    prediction_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(_TaskEvent):
    kind: str
    code: str
    message: str
    attempts: int = 1
    seconds: float = 0.0
    ignored: bool = False  # on_error: ignore
    prediction_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSkipped(_TaskEvent):
    reason: str
    cause: str | None = None  # step@key of the task that is to blame
    by_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(_TaskEvent):
    prediction_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUnknown(_TaskEvent):
    message: str
    fingerprint: str
    submission: int
    price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFinished(_Event):
    path: str
    sha256: str
    size: int
    seconds: float
    reused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRequested(_TaskEvent):
    submission: int
    fingerprint: str
    price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionCreated(_TaskEvent):
    submission: int
    prediction_id: str
    resumed: bool = False  # joined or fetched again, not submitted by this run


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFinished(_TaskEvent):
    prediction_id: str
    status: str
    service_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSaved(_TaskEvent):
    path: str  # relative to the spec's folder, absolute if outside
    sha256: str
    size: int
    media_type: str = ""
    restored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(_Event):
    code: str
    message: str


Event = (
    RunStarted
    | RunResumed
    | RunFinished
    | ItemFound
    | TaskStarted
    | TaskProgressed
    | TaskRetrying
    | TaskCached
    | TaskSucceeded
    | TaskFailed
    | TaskSkipped
    | TaskCancelled
    | TaskUnknown
    | UploadFinished
    | PredictionRequested
    | PredictionCreated
    | PredictionFinished
    | FileSaved
    | Warned
)
