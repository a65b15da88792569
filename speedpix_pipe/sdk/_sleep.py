"""Everything that differs between the two faces by more than a keyword: clocks, waiting turns, locks, threads.

The one place of the SDK that sleeps. A client is given its clock, so that tests bring their own.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from speedpix_pipe.sdk._polling import ReadCeiling
from speedpix_pipe.sdk.errors import ConfigurationError, WaitCanceledError

T = TypeVar("T")


class Timer(Protocol):
    def cancel(self) -> None: ...


class AsyncClock:
    """Time as the asynchronous face sees it. Waiting is monotonic; only signatures look at the wall."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251  # the SDK's one place to sleep; clients take a clock

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)


class Clock:
    """Time as the synchronous face sees it."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, event: threading.Event | None = None) -> None:
        if event is None:
            time.sleep(seconds)  # noqa: TID251  # the SDK's one place to sleep; clients take a clock
        else:
            event.wait(seconds)


class AsyncTurns:
    """Who may look at the service next: one heap and one timer for all waiting predictions of a client.

    5,000 waiting predictions are 5,000 entries in a heap; the timer is set for the earliest. All reads together stay
    under the ceiling: those that are due wait in order of their time.
    """

    def __init__(self, clock: AsyncClock, ceiling: ReadCeiling) -> None:
        self._clock = clock
        self._ceiling = ceiling
        self._heap: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self._timer: Timer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakes_at = 0.0

    async def turn(self, due: float, cancel_event: object = None) -> None:
        """Return at `due` (monotonic) or as soon after it as the ceiling allows."""
        del cancel_event  # a task is cancelled, it needs no event
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # The client lives on in another loop; who waited in the old one is gone, and so is its timer.
            self._loop, self._heap, self._timer = loop, [], None
        future = loop.create_future()
        heapq.heappush(self._heap, (due, next(self._count), future))
        if self._heap[0][2] is future:
            self._set_timer(due)
        await future

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            if self._wakes_at <= at and self._wakes_at > self._clock.monotonic():
                return
            self._timer.cancel()
        self._wakes_at = at
        self._timer = self._clock.call_later(max(0.0, at - self._clock.monotonic()), self._release)

    def _release(self) -> None:
        self._timer = None
        while self._heap:
            due, _, future = self._heap[0]
            now = self._clock.monotonic()
            # A look that is due within two milliseconds is taken now: it saves a wake-up.
            ready = max(due - 0.002, self._ceiling.ready_at(now))
            if future.done():
                heapq.heappop(self._heap)
            elif ready > now:
                self._set_timer(max(due, ready))
                return
            else:
                heapq.heappop(self._heap)
                self._ceiling.take(now)
                future.set_result(None)


class Turns:
    """The same for threads: each sleeps by itself, the ceiling is shared."""

    def __init__(self, clock: Clock, ceiling: ReadCeiling) -> None:
        self._clock = clock
        self._ceiling = ceiling
        self._lock = threading.Lock()

    def turn(self, due: float, cancel_event: threading.Event | None = None) -> None:
        while True:
            now = self._clock.monotonic()
            with self._lock:
                ready = max(due, self._ceiling.ready_at(now))
                if ready <= now:
                    self._ceiling.take(now)
                    break
            self._clock.sleep(ready - now, cancel_event)
            if cancel_event is not None and cancel_event.is_set():
                break
        if cancel_event is not None and cancel_event.is_set():
            raise WaitCanceledError("the wait was canceled; the task goes on")


class AsyncLock:
    """A lock that survives its event loop: nobody holds it when the loop is gone."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._lock = loop, asyncio.Lock()
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


Lock = threading.Lock


class AsyncHome:
    """The event loop that a client is used in. It may move to another one, but not out of one that still runs: whoever
    waits there would wait for ever.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()
        self._guard = threading.Lock()

    def enter(self) -> None:
        """The client is used in the running loop from now on."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop and not self.move_to(loop):
            raise ConfigurationError(
                "this client is being used in another event loop, which still runs",
                remedy="Make one AsyncSpeedPix for each loop, or one SpeedPix for all of them.",
            )

    def is_of(self, loop: asyncio.AbstractEventLoop | None) -> bool:
        return loop is self._loop

    def move_to(self, loop: asyncio.AbstractEventLoop | None) -> bool:
        """Move, if it may; say whether it is there now."""
        with self._guard:
            here = self._process == os.getpid()  # a forked process sees its parent's loop run for ever
            if here and self._loop is not None and loop is not self._loop and self._loop.is_running():
                return False
            self._loop, self._process = loop, os.getpid()
            return True


class Home:
    """A client for threads is at home everywhere."""

    def enter(self) -> None:
        pass


class _FileThread:
    """One thread for files: a second one would only fight the event loop for the interpreter (10 % of all CPU time
    at 64 in flight). What comes while it hangs, on a share that does not answer, goes to the loop's own threads.
    """

    HANGS = 0.05

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Without a thread, which comes with the first file: a forked process has the pool of its parent, and nobody
        in it.
        """
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="speedpix-files")
        self._since: float | None = None

    def pool(self) -> ThreadPoolExecutor | None:
        since = self._since
        return None if since is not None and time.monotonic() - since > self.HANGS else self._pool

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        self._since = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._since = None


_file_thread = _FileThread()
os.register_at_fork(after_in_child=_file_thread.renew)


async def async_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Files are touched in a thread: a share that hangs must not stop the event loop."""
    loop, pool = asyncio.get_running_loop(), _file_thread.pool()
    if pool is None:
        return await loop.run_in_executor(None, function, *arguments)
    return await loop.run_in_executor(pool, _file_thread.run, function, *arguments)


def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """The synchronous face is in a thread already."""
    return function(*arguments)


async def async_together(function: Callable[[Any], Awaitable[T]], items: Iterable[Any], limit: int) -> list[T]:
    """The results in order, at most `limit` at once; the first failure cancels the rest."""
    gate = asyncio.Semaphore(limit)

    async def one(item: Any) -> T:
        async with gate:
            return await function(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def together(function: Callable[[Any], T], items: Iterable[Any], limit: int) -> list[T]:
    """The same with threads; those that have begun are waited for."""
    listed = list(items)
    if len(listed) < 2:
        return [function(item) for item in listed]
    with ThreadPoolExecutor(min(limit, len(listed)), thread_name_prefix="speedpix") as pool:
        futures = [pool.submit(function, item) for item in listed]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
