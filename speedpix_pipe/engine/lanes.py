"""What may go on now: lanes of limited width, the pace of submissions, and the limits of a run.

Uploads, predictions and downloads each have a lane of their own, so that a prediction's place is not held while
bytes move. Whoever waits in a lane waits in order (deeper steps first), and is sent home with `StoppedError`
when the run takes no new work.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count

from speedpix_pipe.clock import Clock
from speedpix_pipe.model import Limits
from speedpix_pipe.steps.base import StoppedError

UPLOADS = 8
DOWNLOADS = 16
DOUBTS = 3  # unknown submissions in a row after which they go one at a time
SLOWEST_PER_SECOND = 0.2
Order = tuple[int, ...]


class Lane:
    """So many at once; the others wait in order. `stop` sends those of one owner home."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: list[tuple[Order, int, asyncio.Future[None], object]] = []
        self._number = count()

    @property
    def crowded(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    @asynccontextmanager
    async def turn(self, order: Order = (), *, owner: object = None) -> AsyncIterator[None]:
        await self._enter(order, owner)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, order: Order, owner: object) -> None:
        if self._free > 0:
            self._free -= 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._number), future, owner))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._leave()  # the place was given in the very moment the waiter left
            raise

    def _leave(self) -> None:
        while self._waiting:
            _, _, future, _ = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                return
        self._free += 1

    def stop(self, owner: object = None) -> None:
        """Those of this owner wait no longer; who comes later is its owner's to turn away."""
        staying = []
        for waiter in self._waiting:
            if waiter[3] is not owner:
                staying.append(waiter)
            elif not waiter[2].done():
                waiter[2].set_exception(StoppedError())
        heapq.heapify(staying)
        self._waiting = staying


class Pace:
    """Spaces submissions: a ceiling that was asked for, and the one the service shows by throttling.

    Throttling halves the pace and pauses everybody; each accepted submission raises it by a little, until it
    is out of the way again.
    """

    def __init__(self, clock: Clock, ceiling: float | None) -> None:
        self._clock = clock
        self._ceiling = ceiling
        self._learned: float | None = None
        self._next = 0.0
        self._recent: list[float] = []
        self._strikes = 0

    def reserve(self) -> float:
        """Take the next place in time; seconds to wait for it."""
        now = self._clock.monotonic()
        at = max(now, self._next)
        rates = [rate for rate in (self._ceiling, self._learned) if rate is not None]
        self._next = at + (1 / min(rates) if rates else 0.0)
        self._recent = [*self._recent[-31:], at]
        return at - now

    def throttled(self, retry_after: float | None, backoff: float) -> None:
        now = self._clock.monotonic()
        if now < self._next - 1e-9 and self._strikes and retry_after is None:
            return  # one wave of refusals is one message
        self._strikes += 1
        current = self._learned or self._measured(now)
        self._learned = max(current / 2, SLOWEST_PER_SECOND)
        pause = retry_after if retry_after is not None else min(backoff * 2 ** (self._strikes - 1), 60.0)
        self._next = max(self._next, now + pause)

    def accepted(self) -> None:
        self._strikes = 0
        if self._learned is not None:
            self._learned += max(0.25, self._learned * 0.05)
            if self._learned > 200:
                self._learned = None

    def _measured(self, now: float) -> float:
        if len(self._recent) < 2:
            return 4.0
        span = max(now - self._recent[0], 0.05)
        return max(len(self._recent) / span, 1.0)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the run takes no new work. `drain`: what is in flight is finished; else its wait ends too."""

    reason: str
    resumable: bool
    drain: bool
    interrupted: bool = False


class Roads:
    """What all runs of a process share: the lanes themselves, the pace, and the caution after doubts."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.slots = Lane(limits.concurrency)
        self.window = Lane(limits.submitting)
        self.uploads = Lane(UPLOADS)
        self.downloads = Lane(DOWNLOADS)
        self.pace = Pace(clock, limits.rate_per_second)
        self.one_at_a_time = asyncio.Lock()
        self.doubts = 0  # unknown submissions in a row


class Lanes:
    """The lanes and limits of one run (`steps.base.Gates`)."""

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        jitter: Callable[[], float],
        *,
        spent: tuple[int, float] = (0, 0.0),
        on_stop: Callable[[Stop], None] | None = None,
        room: Callable[[], bool] = lambda: True,
        roads: Roads | None = None,
    ) -> None:
        self._room = room
        self.limits = limits
        self.stop: Stop | None = None
        self._clock = clock
        self._jitter = jitter
        self._roads = roads or Roads(limits, clock)
        self._predictions, self._cost = spent
        self._failures = 0
        self._on_stop = on_stop
        self._stopping = asyncio.Event()
        self._waits: set[asyncio.Task[object]] = set()

    # --- lanes ---

    @asynccontextmanager
    async def slot(self, order: Order) -> AsyncIterator[None]:
        self.check()
        async with self._roads.slots.turn(order, owner=self):
            yield

    @asynccontextmanager
    async def submitting(self, price: float | None, *, task: str) -> AsyncIterator[None]:
        self.check()
        async with self._roads.window.turn(owner=self):
            if self._roads.doubts >= DOUBTS:
                async with self._roads.one_at_a_time:
                    await self._admit(price, task)
                    yield
            else:
                await self._admit(price, task)
                yield

    @asynccontextmanager
    async def uploading(self) -> AsyncIterator[None]:
        self.check()
        async with self._roads.uploads.turn(owner=self):
            yield

    @asynccontextmanager
    async def downloading(self) -> AsyncIterator[None]:
        # Never refused: what is paid for is fetched, also while the run is stopping.
        async with self._roads.downloads.turn():
            yield

    async def _admit(self, price: float | None, task: str) -> None:
        wait = self._roads.pace.reserve()
        if wait > 0:
            await self.pause(wait)
        self.check()
        if not self._room():
            self.halt(Stop("the disk is nearly full: free some space and run again", resumable=True, drain=True))
            raise StoppedError
        limits = self.limits
        if limits.max_predictions is not None and self._predictions + 1 > limits.max_predictions:
            self.halt(
                Stop(f"max_predictions: {limits.max_predictions} reached before {task}", resumable=True, drain=True)
            )
            raise StoppedError
        if limits.max_cost is not None and self._cost + (price or 0) > limits.max_cost + 1e-9:
            self.halt(Stop(f"max_cost: {limits.max_cost:g} would be passed by {task}", resumable=True, drain=True))
            raise StoppedError
        self._predictions += 1
        self._cost += price or 0

    def refused(self, price: float | None) -> None:
        """A submission surely never ran: it counts toward no limit."""
        self._predictions -= 1
        self._cost -= price or 0

    # --- pace ---

    def throttled(self, retry_after: float | None) -> None:
        self._roads.pace.throttled(retry_after, 1.0 + self._jitter())

    def accepted(self) -> None:
        self._roads.doubts = 0
        self._roads.pace.accepted()

    def unknown(self) -> None:
        self._roads.doubts += 1

    async def pause(self, seconds: float) -> None:
        """Wait, unless the run stops meanwhile."""
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        stopper = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({sleeper, stopper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            stopper.cancel()
        self.check()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._waits.add(task)
        try:
            yield
        finally:
            self._waits.discard(task)

    # --- the end ---

    def failed(self, why: str) -> None:
        """A task failed or is unknown: too many stop the run."""
        self._failures += 1
        most = self.limits.max_failures
        if most is not None and self._failures >= most:
            self.halt(Stop(f"max_failures: {most} tasks failed, the last with: {why}", resumable=True, drain=True))

    def check(self) -> None:
        if self.stop is not None:
            raise StoppedError

    def halt(self, stop: Stop) -> None:
        """Take no new work from now on. The first reason stands, but an interrupt outweighs it."""
        if self.stop is not None and not (stop.interrupted and not self.stop.interrupted):
            return
        self.stop = stop
        self._stopping.set()
        for lane in (self._roads.slots, self._roads.window, self._roads.uploads):
            lane.stop(self)
        if not stop.drain:
            for task in self._waits:
                task.cancel()
        if self._on_stop is not None:
            self._on_stop(stop)
