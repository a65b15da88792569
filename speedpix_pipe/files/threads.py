"""Threads for what blocks: digests, requests to stores of objects. The event loop goes on meanwhile.

Nobody waits for them at the end: they are daemons, and who leaves in a hurry is not held by a slow disk or network.
Results that come in together reach the loop together, since waking it costs more than most of them.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from speedpix_pipe.records import dataclass

T = TypeVar("T")


@dataclass(slots=True)
class _Asked:
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    failure: BaseException | None = None

    def answer(self) -> None:
        if self.future.done():
            return  # nobody waits any more
        if self.failure is not None:
            self.future.set_exception(self.failure)
        else:
            self.future.set_result(self.result)


class Threads:
    """At most so many, started as they are needed. They never end: made once for a process, not for each run."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._lock = threading.Lock()
        self._done: dict[asyncio.AbstractEventLoop, list[_Asked]] = {}

    async def run(self, work: Callable[[], T]) -> T:
        """The result of a call that blocks."""
        loop = asyncio.get_running_loop()
        asked = _Asked(work, loop, loop.create_future())
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
            self._started += 1
        self._asked.put(asked)
        result: T = await asked.future
        return result

    def _work(self) -> None:
        while True:
            asked = self._asked.get()
            try:
                asked.result = asked.work()
            except BaseException as error:  # noqa: BLE001  # carried to whoever waits, as any executor does
                asked.failure = error
            self._tell(asked)
            self._idle.release()

    def _tell(self, asked: _Asked) -> None:
        with self._lock:
            done = self._done.setdefault(asked.loop, [])
            done.append(asked)
            alone = len(done) == 1
        if not alone:
            return  # whoever was first has woken the loop, which takes all that lie there
        try:
            asked.loop.call_soon_threadsafe(self._deliver, asked.loop)
        except RuntimeError:  # the loop is closed: nobody waits any more
            with self._lock:
                del self._done[asked.loop]

    def _deliver(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            done = self._done.pop(loop, [])
        for asked in done:
            asked.answer()
