"""Digests of what a task begins with: files by threads of this process, objects by whoever reads them for the run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from speedpix_pipe.engine.foresight import Sight
from speedpix_pipe.files import Entry, FileValue
from speedpix_pipe.files.objects import ObjectFile
from speedpix_pipe.files.storage import ChangedObjectError
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.files.threads import Threads
from speedpix_pipe.steps.service import ChangedError
from speedpix_pipe.steps.together import together, unheard

DIGESTING = 2  # threads: a digest runs at disk speed
_digesting = Threads(DIGESTING, "speedpix-digest")  # of all runs of the process
_locks = tuple(threading.Lock() for _ in range(64))  # by file: enough that few files share one


class Measuring:
    """Makes digests that are not known. OSError where a file or an object cannot be read."""

    def __init__(self, read: Callable[[Entry], Awaitable[str]]) -> None:
        self._read = read  # the digest of an object, by reading it whole
        self._reading: dict[Entry, asyncio.Future[None]] = {}

    def close(self) -> None:
        for reading in list(self._reading.values()):  # nobody waits for them any more
            reading.cancel()

    async def sight(self, sight: Sight, *, to_send: bool) -> None:
        """The unknown files of a sight. `to_send`: small ones are held until they are sent."""

        def work() -> None:
            _study(sight.unknown, to_send=to_send)
            sight.read = True  # before the loop hears of it: one look is for all that are as far

        await _digesting.run(work)

    async def files(self, files: Sequence[FileValue], *, to_send: bool) -> None:
        """ChangedError where an object changed meanwhile."""
        here = [file for file in files if not isinstance(file, ObjectFile)]
        if here:
            await _digesting.run(partial(_study, here, to_send=to_send))
        await together([self.object(file) for file in files if isinstance(file, ObjectFile)])

    async def object(self, file: ObjectFile) -> None:
        """Looked at now; read, once for all tasks that begin with it at this moment, where that is not enough."""
        entry = await in_thread(file.renew)
        if file.remembered:
            return
        reading = self._reading.get(entry)
        if reading is None:
            reading = self._reading[entry] = asyncio.ensure_future(self._measure(file, entry))
            unheard(reading)
        try:
            await asyncio.shield(reading)
        except ChangedObjectError as error:
            raise ChangedError(entry.url) from error

    async def _measure(self, file: ObjectFile, entry: Entry) -> None:
        """Whoever looks finds it being read or remembered, and nothing in between."""
        try:
            file.measured(entry, entry.sha256 or await self._read(entry))
        finally:
            del self._reading[entry]


def _study(files: Sequence[FileValue], *, to_send: bool) -> None:
    for file in files:
        with _locks[hash(file.address) % len(_locks)]:  # two tasks may begin with one file
            if not file.known:
                file.study(to_send=to_send)
