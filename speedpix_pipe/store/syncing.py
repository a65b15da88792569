"""A few threads that bring files to disk, in company.

A job writes a file, has it synced, and gives it its name; then the folder is synced. A thread takes all small ones that
wait: their files are written one after the other and then synced, which costs the file system one commit in place of
one for each, they share the syncs of folders, and their answers reach the loop in one call.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import field
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from speedpix_pipe.records import dataclass

T = TypeVar("T")
Folders = set[Path]  # a job adds the folders in which it changed names
Steps = Generator[int, None, T]  # yields what it has written, and goes on when that is on disk
Job = Callable[[Folders], "Steps[Any]"]

_MOST_TOGETHER = 64  # files that are open at once
_SMALL = 8 << 20  # bytes; a larger file keeps no others waiting
_HELD_UP_SECONDS = 0.1  # so long one thread may be busy with one group before another helps
_MOST_HELPERS = 3


@dataclass(slots=True)
class _Going:
    job: Job
    future: asyncio.Future[Any]
    folders: Folders = field(default_factory=set)
    steps: Steps[Any] | None = None
    result: Any = None
    error: BaseException | None = None


# Some file systems cannot sync a folder and say so; they keep their names safe by other means.
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP})


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


def make_folders(folder: Path, folders: Folders, *, mode: int = 0o777) -> None:
    """Create a folder and its parents; the parents that got a new name in them are to be synced."""
    if folder.is_dir():
        return
    make_folders(folder.parent, folders, mode=mode)
    folder.mkdir(mode=mode, exist_ok=True)
    folders.add(folder.parent)


class _Line:
    """Jobs that one thread carries out, so many together as wait; on a slow disk others help."""

    def __init__(self, name: str, most_together: int) -> None:
        self._name = name
        self._most_together = most_together
        self._jobs: deque[_Going] = deque()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._helpers: list[threading.Thread] = []
        self._calling = threading.Lock()
        self._busy_since: float | None = None

    def put(self, going: _Going) -> None:
        self._jobs.append(going)
        if self._thread is None:
            self._thread = self._start(self._work)
        else:
            self._call_for_help()
        self._wake.put(True)

    def close(self) -> None:
        if self._thread is not None:
            self._wake.put(False)
            for thread in (self._thread, *self._helpers):
                thread.join()
            self._thread, self._helpers = None, []

    def _start(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name=self._name, daemon=True)
        thread.start()
        return thread

    def _call_for_help(self) -> None:
        """If one thread has been busy with a group for long, and more wait."""
        began = self._busy_since
        if began is None or monotonic() - began < _HELD_UP_SECONDS or not self._jobs:
            return
        with self._calling:
            self._helpers = [helper for helper in self._helpers if helper.is_alive()]
            if len(self._helpers) < _MOST_HELPERS:
                self._helpers.append(self._start(self._help))

    def _work(self) -> None:
        while self._wake.get():
            self._busy_since = monotonic()
            self._carry_out_some()
            self._call_for_help()
            self._busy_since = None

    def _help(self) -> None:
        while self._carry_out_some():
            pass

    def _carry_out_some(self) -> bool:
        """The next jobs, together. False where there are none."""
        together: list[_Going] = []
        with contextlib.suppress(IndexError):  # that was all, or somebody else has taken the rest
            while len(together) < self._most_together:
                together.append(self._jobs.popleft())
        if together:
            _carry_out(together)
            _answer_on_loops(together)
        return bool(together)


class SyncPool:
    """Runs jobs on files off the loop: small ones in company, large ones apart from them, so that they hold up none."""

    def __init__(self) -> None:
        self._small = _Line("speedpix-sync", _MOST_TOGETHER)
        self._large = _Line("speedpix-sync-large", 1)

    async def run(self, job: Job, size: int = 0) -> Any:
        """Carry out a job that writes so many bytes, sync the folders that it changed, and return what it returned."""
        return await self.begin(job, size)

    def begin(self, job: Job, size: int = 0) -> asyncio.Future[Any]:
        """What a job will have returned. It is carried out even if nobody waits for it any more."""
        future = asyncio.get_running_loop().create_future()
        line = self._small if size <= _SMALL else self._large
        line.put(_Going(job, future))
        return future

    def close(self) -> None:
        self._small.close()
        self._large.close()


async def ended(going: asyncio.Future[Any]) -> None:
    """Return when a job has ended: for who was cancelled, heard it, and must see to what the job did."""
    while not going.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({going})


def alone(steps: Steps[T]) -> T:
    """What a job comes to on this thread. Its folders are left to the caller."""
    while True:
        try:
            os.fsync(next(steps))
        except StopIteration as done:
            result: T = done.value
            return result


def _carry_out(together: list[_Going]) -> None:
    for going in together:
        going.steps = going.job(going.folders)
    left = together
    while left:
        left = _sync([(going, written) for going in left if (written := _next(going)) is not None])
    for folder in {folder for going in together for folder in going.folders}:
        try:
            sync_folder(folder)
        except FileNotFoundError:  # removed by somebody else meanwhile
            continue
        except OSError as error:
            for going in together:
                if folder in going.folders:
                    going.error = going.error or error


def _next(going: _Going, failure: OSError | None = None) -> int | None:
    """What the job has written next; None when it is over, one way or the other."""
    assert going.steps is not None
    try:
        return next(going.steps) if failure is None else going.steps.throw(failure)
    except StopIteration as done:
        going.result = done.value
    except BaseException as error:  # noqa: BLE001  # carried to whoever waits, as any executor does
        going.error = error
    return None


def _sync(written: list[tuple[_Going, int]]) -> list[_Going]:
    """Bring these files to disk; those whose jobs go on."""
    if len(written) > 1 and hasattr(os, "posix_fadvise"):
        for _, descriptor in written:  # begin to write all, so that one commit serves them
            with contextlib.suppress(OSError):  # it is a hint
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    left = []
    for going, descriptor in written:
        try:
            os.fsync(descriptor)
        except OSError as error:
            _next(going, error)
            going.error = going.error or error
        else:
            left.append(going)
    return left


def _answer_on_loops(together: list[_Going]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Going]] = {}
    for going in together:
        by_loop.setdefault(going.future.get_loop(), []).append(going)
    for loop, mine in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_answer, mine)


def _answer(together: list[_Going]) -> None:
    for going in together:
        if going.future.done():
            continue  # cancelled while its file was brought to disk
        if going.error is not None:
            going.future.set_exception(going.error)
        else:
            going.future.set_result(going.result)
