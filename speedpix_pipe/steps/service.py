"""The run's one connection to the service: its client, what has been uploaded, and which result URLs are still good.

Uploads are shared by content, within a run and (through `Uploads`) between runs. Submitting and waiting for a
prediction is `workflow`'s; this room knows nothing of tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import AccessError, TaskError, TaskErrorKind
from speedpix_pipe.events import UploadFinished
from speedpix_pipe.files import Entry, FileValue
from speedpix_pipe.files.storage import ChangedObjectError
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.model import KeptFile
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.base import Emit, Executor, Gates, Keeper, StoppedError, Uploads
from speedpix_pipe.steps.carrying import Sent, carried, streamed
from speedpix_pipe.steps.together import together, unheard

if TYPE_CHECKING:
    from speedpix_pipe.sdk import AsyncSpeedPix
    from speedpix_pipe.sdk.errors import SpeedPixError

GOOD_FOR = timedelta(minutes=5)  # how long a result URL must still live to be passed on
ASSUMED_LIFE = timedelta(minutes=30)  # of a result URL without a known expiry
UPLOAD_MARGIN_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 60.0
_NONE_KNOWN: Mapping[str, str] = {}


class ChangedError(Exception):
    """A file had other bytes while it was sent or worked on than when it was fingerprinted. Nothing was submitted."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} keeps changing")


@dataclass(slots=True)
class _Line:
    """What all runs of a process share of one connection."""

    client: AsyncSpeedPix | None = None
    answered: bool = False
    on_their_way: dict[tuple[str, str], asyncio.Task[Sent]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sendable:
    """An input as the service takes it."""

    value: Any
    until: datetime | None = None  # when the first of its URLs has too little time left to be sent; None: it has none


class Service:
    """One connection for all tasks of a run. The client is made when the first task needs it."""

    def __init__(
        self,
        connect: Callable[[], AsyncSpeedPix],
        *,
        name: str,
        account: str,
        upload_account: str,
        urls_outlive_us: bool,
        uploads: Uploads,
        keeper: Keeper,
        clock: Clock,
        emit: Emit,
        carrier: Executor | None = None,
    ) -> None:
        self.name = name  # `local`, or the endpoint's host and port
        self.account = account
        self._upload_account = upload_account
        self._urls_outlive_us = urls_outlive_us  # false for the embedded emulator: its URLs end with its process
        self._began_at = clock.now()
        self._connect = connect
        self._line = _Line()
        self._uploads = uploads
        self._keeper = keeper
        self._clock = clock
        self._emit = emit
        self._carrier = carrier  # who moves the bytes of uploads, if not the client itself
        self._results: dict[str, tuple[KeptFile, datetime]] = {}

    def for_run(self, emit: Emit) -> Service:
        """The same connection as one more run sees it: its own events, and none of the other runs' result URLs."""
        twin = copy(self)
        twin._emit = emit
        twin._results = {}
        return twin

    @property
    def client(self) -> AsyncSpeedPix:
        if self._line.client is None:
            self._line.client = self._connect()
        return self._line.client

    @property
    def answered(self) -> bool:
        """Whether the service ever gave an answer on this connection."""
        return self._line.answered

    @answered.setter
    def answered(self, value: bool) -> None:
        self._line.answered = value

    @property
    def forgets(self) -> bool:
        """Whether predictions and URLs end with the service's own process, as those of an embedded emulator do."""
        return not self._urls_outlive_us

    def forgot(self, asked_at: datetime) -> bool:
        """Whether a submission of that moment went to a service that is there no more."""
        return self.forgets and asked_at < self._began_at

    async def aclose(self) -> None:
        uploads = list(self._line.on_their_way.values())
        for upload in uploads:  # nobody waits for them any more
            upload.cancel()
        if uploads:
            await asyncio.wait(uploads)
        if self._line.client is not None:
            await self._line.client.aclose()

    # --- results of this run, by their URLs ---

    def remember(self, files: Iterable[KeptFile], received_at: datetime | None) -> None:
        """From now on these URLs mean their content."""
        for kept in files:
            if kept.url is not None:
                self._results[kept.url] = (kept, received_at or self._clock.now())

    def digest_of(self, url: str) -> str | None:
        found = self._results.get(url)
        return found[0].sha256 if found else None

    def _good_until(self, url: str) -> datetime | None:
        """Until when the URL of a result may be passed on, if it still may."""
        kept, received_at = self._results[url]
        if not self._urls_outlive_us and received_at < self._began_at:
            return None
        until = (kept.url_expires_at or received_at + ASSUMED_LIFE) - GOOD_FOR
        return until if self._clock.now() <= until else None

    # --- what is sent ---

    def to_upload(self, digests: Sequence[str]) -> None:
        """These contents may have to be uploaded soon."""
        self._uploads.ahead(self._upload_account, digests)

    async def sendable(
        self, value: Any, gates: Gates, *, margin_seconds: float, digests: Mapping[str, str] = _NONE_KNOWN
    ) -> Sendable:
        """An input as the service takes it: files uploaded (distinct ones at once), everything else untouched.

        `digests` is what local files had in them when the task was fingerprinted, by path: nothing else is sent.
        """
        files: dict[Any, Any] = {}
        ends: list[datetime] = []
        self._collect(value, files, ends)
        if files:
            urls = await together(
                [self.url_of(file, gates, margin_seconds=margin_seconds, digests=digests) for file in files.values()]
            )
            value = _filled(value, {place: url for place, (url, _) in zip(files, urls, strict=True)})
            ends += [until for _, until in urls]
        return Sendable(value, min(ends, default=None))

    def _collect(self, value: Any, into: dict[Any, Any], ends: list[datetime]) -> None:
        match value:
            case FileValue():
                into[value] = value
            case str():
                if value in self._results:
                    until = self._good_until(value)
                    if until is None:
                        into[value] = self._results[value][0]
                    else:
                        ends.append(until)
            case Mapping():
                for inner in value.values():
                    self._collect(inner, into, ends)
            case list() | tuple():
                for inner in value:
                    self._collect(inner, into, ends)

    async def url_of(
        self,
        file: FileValue | KeptFile,
        gates: Gates,
        *,
        margin_seconds: float,
        digests: Mapping[str, str] = _NONE_KNOWN,
    ) -> tuple[str, datetime]:
        """A URL under which the service can read the file, and until when it may be sent."""
        kept = file.origin if isinstance(file, FileValue) else file
        if kept is not None and kept.url in self._results:
            until = self._good_until(kept.url)
            if until is not None:
                return kept.url, until
        try:
            if kept is not None:
                place: Path | Entry = self._keeper.path(kept.sha256)
                digest, size = kept.sha256, kept.size
                name = kept.name or f"{digest[:16]}.{kept.extension}"
                media_type = kept.media_type
            else:
                assert isinstance(file, FileValue)
                name, digest = file.name, digests.get(file.path) or file.sha256
                facts = partial(_facts, file)
                place, size, media_type = await in_thread(facts) if file.remote else facts()
        except ChangedObjectError as error:
            raise ChangedError(str(error.filename)) from error
        except OSError as error:
            raise _unreadable(error) from error
        known = self._uploads.look(self._upload_account, digest, media_type, margin_seconds=margin_seconds)
        if known is not None:
            return known
        key = (digest, media_type)
        while True:
            task = self._line.on_their_way.get(key)
            if task is None:
                work = self._upload(file, place, name, digest, size, media_type, gates)
                task = self._line.on_their_way[key] = asyncio.ensure_future(work)
                task.add_done_callback(lambda done: self._arrived(key, done))
            try:
                sent = await asyncio.shield(task)
                return sent.access_url, self._send_until(sent, timedelta(seconds=margin_seconds))
            except StoppedError:
                gates.check()  # it was another run's upload that stopped, if this passes: ours goes on

    def _send_until(self, sent: Sent, margin: timedelta) -> datetime:
        """As much time as the service may need to read it; of a URL that never lives so long, half its life."""
        now = self._clock.now()
        if sent.expires_at is None:
            return now + ASSUMED_LIFE
        return sent.expires_at - min(margin, (sent.expires_at - now) / 2)

    def _arrived(self, key: tuple[str, str], upload: asyncio.Task[Sent]) -> None:
        self._line.on_their_way.pop(key, None)
        if not upload.cancelled():
            upload.exception()  # seen, also where everybody who waited for it has left

    async def _upload(
        self,
        file: FileValue | KeptFile,
        place: Path | Entry,
        name: str,
        digest: str,
        size: int,
        media_type: str,
        gates: Gates,
    ) -> Sent:
        from speedpix_pipe.sdk.errors import InputError, SpeedPixError

        path = place.url if isinstance(place, Entry) else str(place)
        async with gates.uploading():
            began = self._clock.monotonic()
            try:
                held = file.let_go() if isinstance(file, FileValue) and self._carrier is None else None
                sent = await self._sent(place, name, media_type, gates, held=held, digest=digest)
            except InputError as error:
                if isinstance(place, Path) and await asyncio.to_thread(_has_changed, place, size):
                    raise ChangedError(path) from error  # it shrank while it was read
                cause = error.__cause__ or error.__context__
                if isinstance(cause, OSError):  # it is gone, or closed to us; a hot folder waits for its disk
                    raise _unreadable(cause) from error
                raise self.translate(error, f"uploading {name}") from error
            except SpeedPixError as error:
                raise self.translate(error, f"uploading {name}") from error
            except ChangedObjectError as error:
                raise ChangedError(path) from error
            except OSError as error:
                raise _unreadable(error) from error
        self.answered = True
        if sent.sha256 != digest:
            raise ChangedError(path)
        url, expires_at = sent.access_url, sent.expires_at
        unheard(self._uploads.remember(self._upload_account, digest, media_type, url, expires_at, sent.size))
        seconds = self._clock.monotonic() - began
        self._emit(UploadFinished(path=path, sha256=digest, size=sent.size, seconds=seconds))
        return sent

    async def _sent(
        self, place: Path | Entry, name: str, media_type: str, gates: Gates, *, held: bytes | None, digest: str
    ) -> Sent:
        """As long as the service asks for patience, it gets patience: throttling does not count as a try."""
        from speedpix_pipe.sdk.errors import RateLimitError

        pause = 1.0
        while True:
            try:
                if self._carrier is not None:
                    return await carried(self.client, self._carrier, place, name, media_type)
                if isinstance(place, Entry):
                    return await streamed(self.client, place, name, media_type)
                if held is not None:
                    return await self.client.files.create(held, filename=name, content_type=media_type, sha256=digest)
                return await self.client.files.create(place, filename=name, content_type=media_type)
            except RateLimitError as error:
                gates.throttled(error.retry_after)
                await gates.pause(error.retry_after or pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    # --- errors ---

    def translate(self, error: SpeedPixError, doing: str) -> AccessError | TaskError:
        """An SDK error in the runner's words. What no task can mend (key, secret, permission) is an AccessError."""
        from speedpix_pipe.sdk import errors as sdk

        message = f"{doing}: {error}"
        match error:
            case sdk.SignatureError(retryable=True) if not isinstance(error, sdk.ClockSkewError):
                kind = TaskErrorKind.GATEWAY  # a nonce that something used up before us: the signature was right
            case (
                sdk.AuthenticationError()
                | sdk.SignatureError()
                | sdk.PermissionDeniedError()
                | sdk.ConfigurationError()
            ):
                return AccessError(message, code="access.refused")
            case sdk.ConnectError() if not self.answered:
                hint = "`speedpix-pipe doctor` looks at all of this"
                return AccessError(message, code="access.unreachable", hint=hint)
            case sdk.NotFoundError() if not self.answered and error.http_status == 404:
                return AccessError(message, code="access.endpoint", hint="check SPEEDPIX_ENDPOINT")
            case sdk.DownloadError():
                kind = TaskErrorKind.DOWNLOAD
            case sdk.TransportError() | sdk.UploadError():
                kind = TaskErrorKind.TRANSPORT
            case sdk.SpeedPixTimeoutError():
                kind = TaskErrorKind.TRANSPORT
            case sdk.PredictionError() | sdk.ContentAuditError():
                kind = TaskErrorKind.TASK
            case sdk.InputError():
                kind = TaskErrorKind.INPUT
            case _:
                kind = TaskErrorKind.GATEWAY
        return TaskError(message, kind=kind)


def _unreadable(error: OSError) -> TaskError:
    message, hint = f"{error.filename}: {error.strerror or error}", getattr(error, "hint", None)
    return TaskError(message, kind=TaskErrorKind.INPUT, code="task.file", hint=hint)


def _facts(file: FileValue) -> tuple[Path | Entry, int, str]:
    """Where its bytes are, how many, and of what kind."""
    return file.place, file.size, file.media_type


def _has_changed(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size != size
    except OSError:
        return False


def _filled(value: Any, urls: Mapping[Any, str]) -> Any:
    match value:
        case FileValue() | str():
            return urls.get(value, value)
        case Mapping():
            return {key: _filled(inner, urls) for key, inner in value.items()}
        case list() | tuple():
            return [_filled(inner, urls) for inner in value]
        case _:
            return value
