"""What a machine of a cluster does for a run: bytes between a signed URL and the shared folder, digests, pixels.

Runs in Dask's workers, which know no key: all that a job may use comes with it. A job may be carried out twice, even
by two machines at once (Dask repeats the work of a worker that it takes for dead), so whatever it writes has a name
with an id of this attempt; which attempt counts is decided by `dask`, at the coordinator.

An error is handed back as a value. Raised, Dask would write the job's arguments and a traceback into its logs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from speedpix_pipe._version import __version__
from speedpix_pipe.errors import ExecutorError, PipeError
from speedpix_pipe.executors import worker
from speedpix_pipe.executors.bringing import names_for, objects_in, with_copies
from speedpix_pipe.files import Entry, ObjectUrl, sha256_file
from speedpix_pipe.files.storage import open_storage
from speedpix_pipe.files.storage.bytes import fetch_object, reading, sha256_of_object
from speedpix_pipe.records import dataclass

if TYPE_CHECKING:
    from speedpix_pipe.sdk.transfer import TransferClient

PLACES: Mapping[str, int] = {"run_operations": 2, "thumbnail": 2}  # which argument says where a function writes


class SignedUrl:
    """A URL that opens one object to whoever holds it. It travels, and never shows itself."""

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    def reveal(self) -> str:
        """The URL itself, for the one call that uses it."""
        return self._url

    def __repr__(self) -> str:
        return "SignedUrl(***)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[type[SignedUrl], tuple[str]]:
        return SignedUrl, (self._url,)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: its name in `WORK`, what it is given, and the version that both sides must have."""

    work: str
    arguments: tuple[Any, ...] = field(repr=False)
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Done:
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    error: Exception = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that arrived, under the name of the attempt that brought it."""

    attempt: str
    sha256: str
    size: int
    media_type: str


def perform(job: Job) -> Done | Refused:
    """Carry out one job. What Dask calls on a worker."""
    from speedpix_pipe.sdk.transfer import SpeedPixError

    if job.version != __version__:
        return Refused(
            ExecutorError(
                f"a worker has speedpix-pipe {__version__}, the run {job.version}",
                code="executor.version",
                hint="install the same version on every worker",
            )
        )
    try:
        return Done(WORK[job.work](*job.arguments))
    except (PipeError, SpeedPixError, OSError) as error:
        return Refused(error)


def probe(path: str) -> tuple[str, str]:
    """What a worker is and sees: its version, and what stands in a file of the coordinator (empty: no such file)."""
    try:
        seen = Path(path).read_text(encoding="utf-8")
    except OSError:
        seen = ""
    return __version__, seen


def fetch(url: SignedUrl, target: str) -> Fetched:
    """GET, whole and on disk when this returns."""
    from speedpix_pipe.sdk import transfer

    attempt = _attempt(Path(target))
    moved = transfer.download_sync(_connections(), url.reveal(), attempt)
    _sync(attempt)
    return Fetched(str(attempt), moved.sha256, moved.size, moved.content_type)


def send(url: SignedUrl, source: str | Entry, content_type: str) -> tuple[str, int, str]:
    """PUT. Twice the same bytes under the same name are the same object."""
    from speedpix_pipe.sdk import transfer

    if isinstance(source, Entry):
        with reading(source) as reader:
            moved = transfer.put_file_sync(_connections(), url.reveal(), reader, content_type)
    else:
        _must_see(Path(source))
        moved = transfer.put_file_sync(_connections(), url.reveal(), source, content_type)
    return moved.sha256, moved.size, moved.content_type


def digest(place: str | Entry) -> str:
    """SHA-256 of a file, or of an object."""
    if isinstance(place, Entry):
        return sha256_of_object(place)
    _must_see(Path(place))
    return sha256_file(Path(place))


def publish(source: str, url: ObjectUrl, sha256: str, media_type: str, over: Entry | None) -> Entry:
    """PUT into a store of objects. Done twice, the second finds the object of the first, and says that it is taken."""
    _must_see(Path(source))
    put = open_storage(url.scheme).put
    return put(Path(source), url, sha256=sha256, media_type=media_type, over=over)


def pixels(function: str, arguments: tuple[Any, ...]) -> tuple[str | None, Any]:
    """A function of `executors.pixels`, with the attempt's name of what it wrote, if it writes."""
    entries = objects_in(arguments)
    if entries:  # brought to a folder of this machine alone
        with TemporaryDirectory(prefix="speedpix-objects-") as folder:
            copies = names_for(entries, Path(folder))
            for entry, copy in copies.items():
                fetch_object(entry, copy)
            return _pixels(function, with_copies(arguments, copies))
    return _pixels(function, arguments)


def _pixels(function: str, arguments: tuple[Any, ...]) -> tuple[str | None, Any]:
    for source in _sources(function, arguments):
        _must_see(Path(source))
    place = PLACES.get(function)
    if place is None:
        return None, worker.perform(function, arguments)
    attempt = _attempt(Path(arguments[place]))
    given = (*arguments[:place], str(attempt), *arguments[place + 1 :])
    try:
        if function == "run_operations":
            attempt.mkdir()
        value = worker.perform(function, given)
        for made in attempt.iterdir() if attempt.is_dir() else [attempt]:
            _sync(made)
    except BaseException:
        shutil.rmtree(attempt, ignore_errors=True)
        raise
    return str(attempt), value


WORK: Mapping[str, Callable[..., Any]] = {
    "fetch": fetch,
    "send": send,
    "digest": digest,
    "publish": publish,
    "pixels": pixels,
}


@cache
def _connections() -> TransferClient:
    """One set of connections for all threads of this process."""
    from speedpix_pipe.sdk import transfer

    return transfer.open_client_sync()


def _attempt(target: Path) -> Path:
    """A name beside the target that no other attempt has."""
    _must_see(target.parent)
    return target.with_name(f"{target.name}.{uuid4().hex[:12]}")


def _sources(function: str, arguments: tuple[Any, ...]) -> list[str]:
    match function:
        case "run_operations":
            return [path for path, _ in arguments[1]]
        case "compare":
            return list(arguments[:2])
        case _:
            return list(arguments[:1])


def _must_see(path: Path) -> None:
    if not path.exists():
        host = os.uname().nodename
        raise ExecutorError(
            f"the worker on {host} does not see {path}",
            code="executor.not-shared",
            hint="inputs and the state folder must be on a file system that all workers share, under the same path",
        )


def _sync(path: Path) -> None:
    """On disk before the job counts as done: this machine may be gone a moment later."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
