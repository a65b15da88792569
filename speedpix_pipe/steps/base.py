"""What a kind of step is, and what it is given: the shapes between the engine and the work itself.

A kind prepares a task (pure but for reading files: what will be asked, under which fingerprint) and runs it (the
work itself, ending in a `Result` whose files are kept). Looking results up, saving them under their final names
and telling the world is the engine's. The ledger, the executor and the blob store come in as Protocols, since
their rooms lie above.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import TaskError
from speedpix_pipe.files import Entry, ObjectUrl
from speedpix_pipe.model import Json, Result, Step, Submission, SubmissionState
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.scope import Scope
from speedpix_pipe.steps.seeds import Choice, Seeds

if TYPE_CHECKING:
    import asyncio

    from speedpix_pipe.events import Event
    from speedpix_pipe.steps.service import Service


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task that is ready to be looked up or run."""

    fingerprint: str | None  # None: never cached, such as the entry of a sub-pipeline
    input: Mapping[str, Any]  # rendered, nulls left out; files as FileValue
    shown: Json  # the input for eyes: files as their paths
    files: tuple[tuple[str, str, str], ...] = ()  # (field, path, sha256) of every file in the input
    operations: Sequence[tuple[str, Mapping[str, Any]]] = ()  # of an `image:` step
    expect: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choice: Choice | None = None  # a seed that was chosen over the spec's


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transfer moved; in `content`, if it may be held and is small: then it is written nowhere."""

    sha256: str
    size: int
    media_type: str | None = None
    content: bytes | None = field(default=None, repr=False)


class Executor(Protocol):
    """Where bytes are moved and pixels worked. Every job is idempotent and writes only where it is told to."""

    @property
    def remote(self) -> bool:
        """Whether bytes are better moved there than through our own connections."""
        ...

    @property
    def width(self) -> int:
        """How many jobs it is worth having under way; known once it is open."""
        ...

    async def open(self, folder: Path) -> None:
        """Be ready for work on files in `folder`, or raise a UsageError that says what is missing."""
        ...

    def telling(self, lost: Callable[[str], None]) -> AbstractContextManager[None]:
        """While inside: `lost(reason)` is called once no more work can be done there."""
        ...

    async def download(self, url: str, target: Path, *, hold: bool = False) -> Moved:
        """GET into `target`, whole or not at all; or into `Moved.content` where that is allowed and serves."""
        ...

    async def upload(self, url: str, source: Path | Entry, content_type: str) -> Moved:
        """PUT a file, or an object as it was seen: ChangedObjectError if it is another by now."""
        ...

    async def pixels(self, function: str, *args: Any) -> Any:
        """Arguments name files by their paths, and objects by their entries."""
        ...

    async def hash(self, place: Path | Entry) -> str: ...

    async def publish(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        """Put a file into a store of objects, over what was seen there or where nothing stands; TakenError otherwise.

        Whole under its URL when this returns, or not there at all.
        """
        ...

    async def aclose(self) -> None: ...


class Ledger(Protocol):
    """The rows of paid submissions, as a kind uses them."""

    def look(self, account: str, fingerprint: str) -> Submission | None: ...

    def owner_lives(self, submission: Submission) -> bool: ...

    async def intend(
        self,
        *,
        account: str,
        fingerprint: str,
        run_id: str,
        step: str,
        key: str,
        price: float | None,
        replaces: int | None = None,
    ) -> Submission: ...

    def created(self, submission_id: int, prediction_id: str) -> asyncio.Future[Any]: ...

    def settle(
        self, submission_id: int, state: SubmissionState, *, message: str | None = None
    ) -> asyncio.Future[Any]: ...


class Uploads(Protocol):
    def ahead(self, account: str, digests: Sequence[str]) -> None: ...

    def look(
        self, account: str, sha256: str, content_type: str, *, margin_seconds: float
    ) -> tuple[str, datetime] | None: ...

    def remember(
        self, account: str, sha256: str, content_type: str, url: str, expires_at: datetime | None, size: int
    ) -> asyncio.Future[None]: ...


class Keeper(Protocol):
    """Keeps bytes for good: the blob store."""

    @property
    def work(self) -> Path:
        """A folder on the same file system, for files on their way."""
        ...

    def path(self, sha256: str) -> Path: ...

    def has(self, sha256: str, size: int) -> bool: ...

    async def adopt(self, part: Path, sha256: str, size: int) -> Path: ...

    async def keep(self, content: bytes, sha256: str) -> Path: ...


class Gates(Protocol):
    """What holds work back: limits, lanes, and the end of the run. Every wait raises `Stopped` once it is over."""

    def slot(self, order: tuple[int, ...]) -> AbstractAsyncContextManager[Callable[[], None]]:
        """A prediction in flight. What it gives is to be called when the service is done, if that is before the end."""
        ...

    def submitting(
        self, price: float | None, *, task: str, order: tuple[int, ...] = ()
    ) -> AbstractAsyncContextManager[None]:
        """The window between intent and answer: limits are counted here, and the pace is kept."""
        ...

    def uploading(self) -> AbstractAsyncContextManager[None]: ...

    def downloading(self) -> AbstractAsyncContextManager[None]: ...

    def throttled(self, retry_after: float | None) -> None:
        """The service asked for patience: everybody slows down."""
        ...

    def accepted(self) -> None:
        """A submission was accepted: the pace may grow."""
        ...

    def refused(self, price: float | None) -> None:
        """A submission surely never ran: it counts toward no limit."""
        ...

    def answered(self) -> None:
        """The service answered a submission, whatever it said: there is no reason for caution any more."""
        ...

    def unknown(self) -> None:
        """A submission ended in doubt: three in a row, and they go one at a time."""
        ...

    def no_room(self) -> None:
        """A write found the disk full: nothing more is submitted."""
        ...

    async def pause(self, seconds: float) -> None: ...

    def aside(self) -> AbstractContextManager[None]:
        """Around the wait of a task that needs no slot until it is over: others may start in its stead."""
        ...

    def waiting(self, *, paid: bool = True) -> AbstractContextManager[None]:
        """Around a wait that may be cut short when the run stops: nothing is lost by it.

        One that nothing is paid for yet (`paid=False`) ends with any stop, the others only where nothing is drained.
        """
        ...

    def check(self) -> None:
        """Raises `Stopped` when nothing new may be submitted."""
        ...


class StoppedError(Exception):
    """The run takes no new work: a signal, a limit, `on_error: stop`. The task stays as it is."""


class UnknownOutcomeError(Exception):
    """A submission of this fingerprint may or may not have been accepted; nothing repeats it unasked."""

    def __init__(self, message: str, submission: Submission) -> None:
        super().__init__(message)
        self.submission = submission


class FinalError(TaskError):
    """The prediction was paid for and came to nothing; asking again would not mend it.

    Equal tasks of a run are one prediction, so they share this as they would share a result.
    """


class Again(Enum):
    """What a task may set aside of what is known about its fingerprint, because somebody asked for it."""

    NO = "no"
    UNKNOWN = "unknown"  # a submission of unknown outcome: it is made again, and the old row abandoned
    FAILED = "failed"  # the same, and a kept result that is still not what was promised
    ANEW = "anew"  # the same, and a finished result that is


class Emit(Protocol):
    def __call__(self, event: Event) -> None: ...


@dataclass(slots=True)
class Job:
    """One task to be run by its kind."""

    run_id: str
    step: Step
    node: str  # the step's full name, `outer.inner` below a sub-pipeline
    key: str
    order: tuple[int, ...]  # deeper and earlier first
    prepared: Prepared
    gates: Gates
    emit: Emit
    attempts: int = 1
    price: float | None = None
    stops: bool = False  # its failure would end the run
    stale: datetime | None = None  # when the kept result came that is too old for the step's `cache.max_age`
    again: Again = Again.NO
    open_row: int | None = None  # of the ledger: to be settled once the result is kept

    @property
    def task(self) -> str:
        return f"{self.node}@{self.key}"


@dataclass(slots=True)
class Kit:
    """What kinds work with: everything of a run that is not about one task."""

    run_id: str
    folder: Path
    no_cache: bool
    service: Service
    ledger: Ledger
    keeper: Keeper
    executor: Executor
    clock: Clock
    random: Callable[[], float]
    seeds: Seeds


class StepKind(Protocol):
    """A kind of step. One instance serves a whole run."""

    @property
    def service(self) -> str:
        """Whose results these are: part of what a kept result is filed under."""
        ...

    def prepare(self, step: Step, task: str, rendered: Mapping[str, Any], scope: Scope) -> Prepared:
        """What will be asked, and under which fingerprint. Raises TaskError for an input that breaks its contract."""
        ...

    async def run(self, job: Job) -> Result:
        """Do the work. The files of the result are kept when this returns."""
        ...

    def accept(self, job: Job) -> None:
        """The result is about to be on disk: what is noted here is noted in the same breath."""
        ...

    def broken(self, step: Step, result: Result) -> list[str]:
        """How a result breaks its contract: the part of `faults` that needs no pixels."""
        ...

    async def faults(self, step: Step, prepared: Prepared, result: Result) -> list[str]:
        """What is wrong with a result: a broken contract, a missed `expect`. Asked again of a cached one."""
        ...

    def leave(self) -> None:
        """Wait for nothing any more, not even for what has begun: the process is about to end."""
        ...

    async def aclose(self) -> None: ...
