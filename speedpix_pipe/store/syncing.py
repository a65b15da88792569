"""A few threads that bring files to disk: each job makes its changes, then the folders it touched are synced.

A thread takes a share of whatever waits, so that jobs in the same folder share the folder's sync and their answers
reach the loop in one call. Syncs run side by side, which lets the file system commit them together.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speedpix_pipe.records import dataclass

Folders = set[Path]  # a job adds the folders in which it changed names
Job = Callable[[Folders], Any]

_THREADS = 2


@dataclass(slots=True)
class _Waiting:
    job: Job
    future: asyncio.Future[Any]


@dataclass(slots=True)
class _Outcome:
    future: asyncio.Future[Any]
    result: Any
    error: BaseException | None
    folders: Folders


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


class SyncPool:
    """Runs jobs on files off the loop."""

    def __init__(self) -> None:
        self._jobs: deque[_Waiting] = deque()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def run(self, job: Job) -> Any:
        """Do a job, sync the folders that it changed, and return what it returned."""
        future = asyncio.get_running_loop().create_future()
        self._jobs.append(_Waiting(job, future))
        if len(self._threads) < _THREADS:
            thread = threading.Thread(target=self._work, name=f"speedpix-sync-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._wake.put(True)
        return await future

    def close(self) -> None:
        for _ in self._threads:
            self._wake.put(False)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self) -> None:
        while self._wake.get():
            batch: list[_Waiting] = []
            share = max(1, len(self._jobs) // _THREADS)
            with contextlib.suppress(IndexError):  # another thread has taken the rest
                while len(batch) < share:
                    batch.append(self._jobs.popleft())
            if batch:
                _answer_on_loops(_do(batch))


def _do(batch: list[_Waiting]) -> list[_Outcome]:
    outcomes = []
    every_folder: Folders = set()
    for waiting in batch:
        folders: Folders = set()
        try:
            outcomes.append(_Outcome(waiting.future, waiting.job(folders), None, folders))
        except BaseException as error:  # noqa: BLE001  # carried to whoever waits, as any executor does
            outcomes.append(_Outcome(waiting.future, None, error, folders))
        every_folder |= folders
    for folder in every_folder:
        try:
            sync_folder(folder)
        except FileNotFoundError:  # removed by somebody else meanwhile
            continue
        except OSError as error:
            for outcome in outcomes:
                if folder in outcome.folders and outcome.error is None:
                    outcome.error = error
    return outcomes


def _answer_on_loops(outcomes: list[_Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.future.get_loop(), []).append(outcome)
    for loop, mine in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_answer, mine)


def _answer(outcomes: list[_Outcome]) -> None:
    for outcome in outcomes:
        if outcome.future.done():
            continue  # cancelled while its file was brought to disk
        if outcome.error is not None:
            outcome.future.set_exception(outcome.error)
        else:
            outcome.future.set_result(outcome.result)
