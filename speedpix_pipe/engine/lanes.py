"""The limits of one run: what may go on now, what it may spend and how often it may fail, and why it stops.

Whoever waits for a lane (`roads.py`) is sent home with `StoppedError` when the run takes no new work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from speedpix_pipe.clock import Clock
from speedpix_pipe.engine.roads import DOWNLOADS, Order, Roads, Turn
from speedpix_pipe.errors import TaskError
from speedpix_pipe.model import Limits
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.base import StoppedError, UnknownOutcomeError

ROOM_SECONDS = 0.2
DOUBTS = 3  # unknown submissions in a row after which they go one at a time
LOOKAHEAD = 32


def lookahead(concurrency: int) -> int:
    """How many tasks beyond those in flight may upload or download meanwhile: when a whole load of predictions ends
    at once, as many again should have nothing left to do but be submitted.
    """
    return max(LOOKAHEAD, concurrency)


class Slot(AbstractAsyncContextManager[Callable[[], None]]):
    """A place in flight; what entering it gives is to be called when the service is done, if that is before the end.

    Left with a failure, it is given on only when the run has weighed that (`Lanes.weighed`): whoever came next would
    submit although the failure stops the run. A task that tries again keeps its place.
    """

    __slots__ = ("_lanes", "_life", "_order")

    def __init__(self, lanes: Lanes, order: Order) -> None:
        self._lanes, self._order = lanes, order

    async def __aenter__(self) -> Callable[[], None]:
        self._life = _this_task()
        await self._lanes.enter(self._life, self._order)
        return partial(self._lanes.done_early, self._life)

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._lanes.left(self._life, failed=isinstance(error, TaskError | UnknownOutcomeError))


class Waiting(AbstractContextManager[None]):
    """A task is among those that wait, for as long as it is inside. Most of a run's tasks are: a small thing."""

    __slots__ = ("_task", "_waits")

    def __init__(self, waits: set[asyncio.Task[object]]) -> None:
        self._waits = waits

    def __enter__(self) -> None:
        self._task = _this_task()
        self._waits.add(self._task)

    def __exit__(self, *_: object) -> None:
        self._waits.discard(self._task)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the run takes no new work. `drain`: what is in flight is finished; else its wait ends too."""

    reason: str
    resumable: bool
    drain: bool
    interrupted: bool = False

    @property
    def weight(self) -> int:
        """What outweighs an earlier reason: a word from outside, and a signal above all."""
        return 2 if self.interrupted else 0 if self.drain else 1


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run came to in its earlier lives: predictions, cost, and the tasks that failed or are unknown."""

    predictions: int = 0
    cost: float = 0.0
    failed: frozenset[str] = frozenset()


class Lanes:
    """The lanes and limits of one run (`steps.base.Gates`)."""

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        jitter: Callable[[], float],
        *,
        spent: Spent = Spent(),  # noqa: B008 - never changed
        on_stop: Callable[[Stop], None] | None = None,
        room: Callable[[], bool] = lambda: True,
        roads: Roads | None = None,
    ) -> None:
        self._room = room
        self._room_known_until = -1.0
        self.limits = limits
        self.stop: Stop | None = None
        self._clock = clock
        self._jitter = jitter
        self._roads = roads or Roads(limits, clock)
        self._predictions, self._cost = spent.predictions, spent.cost
        self._failed = set(spent.failed)
        self._on_stop = on_stop
        self._stopping = asyncio.Event()
        self._waits: set[asyncio.Task[object]] = set()
        self._free_waits: set[asyncio.Task[object]] = set()
        self._in_window: set[asyncio.Task[object]] = set()
        self._kept: set[asyncio.Task[object]] = set()  # failed in their slot, and not weighed yet
        self._in_slot: set[asyncio.Task[object]] = set()
        self._early: set[asyncio.Task[object]] = set()  # have given theirs on, and wait for their results
        self._past: set[asyncio.Task[object]] = set()  # under way, and in need of no slot now: past it, or set aside
        self.moved: Callable[[], None] = lambda: None  # told when more tasks may start

    # --- lanes ---

    def may_start(self, under_way: int) -> int:
        """How many more tasks may start that will want a slot. While slots are free, only those that can have one:
        what is done for tasks to come would keep them from getting there.
        """
        slots = self.limits.concurrency
        most = slots + lookahead(slots) - under_way
        return most if self._roads.slots.full else min(most, slots + len(self._past) - under_way)

    def slot(self, order: Order) -> Slot:
        return Slot(self, order)

    async def enter(self, life: asyncio.Task[Any], order: Order) -> None:
        """A task takes its place in flight."""
        if life not in self._kept:
            self.check()
            await self._roads.slots.enter(order, self)
        elif self.stop is not None:
            raise StoppedError
        self._kept.discard(life)
        self._past.discard(life)
        self._in_slot.add(life)
        if self._roads.slots.full:
            self.moved()

    def done_early(self, life: asyncio.Task[Any]) -> None:
        """The service is done with a task whose result is still to be asked for. Its place is given on, unless as many
        results are already waited for, or failures are counted: nobody shall buy on who may have to stop.
        """
        limits = self.limits
        if life in self._in_slot and len(self._early) < limits.concurrency and limits.max_failures is None:
            self._early.add(life)
            self._give_on(life)

    def left(self, life: asyncio.Task[Any], *, failed: bool) -> None:
        """A task leaves its place."""
        self._early.discard(life)
        if life not in self._in_slot:
            return
        if failed:
            self._in_slot.discard(life)
            self._kept.add(life)
        else:
            self._give_on(life)

    def _give_on(self, life: asyncio.Task[Any]) -> None:
        self._in_slot.discard(life)
        self._roads.slots.leave()
        self._past.add(life)
        self.moved()

    def weighed(self, life: asyncio.Task[Any]) -> None:
        """What this task came to has been weighed: a place that it still holds is free."""
        self._past.discard(life)
        if life in self._kept:
            self._kept.discard(life)
            self._roads.slots.leave()

    @asynccontextmanager
    async def submitting(self, price: float | None, *, task: str, order: Order = ()) -> AsyncIterator[None]:
        self.check()
        roads = self._roads
        async with roads.window.turn(order, owner=self):
            if roads.doubts >= DOUBTS:
                async with roads.one_at_a_time.turn(order, owner=self):
                    await self._admit(price, task)
                    with self._window():
                        yield
            else:
                await self._admit(price, task)
                with self._window():
                    yield

    def uploading(self) -> Turn:
        self.check()
        return self._roads.uploads.turn(owner=self)

    @asynccontextmanager
    async def downloading(self) -> AsyncIterator[None]:
        # Never refused: what is paid for is fetched, also while the run is stopping.
        await self._roads.after_submissions()
        async with self._roads.downloads.turn():
            yield

    async def _admit(self, price: float | None, task: str) -> None:
        # What is paid for comes first: while a full load of results waits to be fetched, nothing more is bought.
        if self._roads.downloads.crowded:
            await self._unless_stopped(self._roads.downloads.below(max(DOWNLOADS, self.limits.concurrency)))
        wait = self._roads.pace.reserve()
        if wait > 0:
            await self.pause(wait)
        self.check()
        reason = self._why_not(price, task)
        if reason is not None:
            self.halt(Stop(reason, resumable=True, drain=True))
            raise StoppedError
        self._predictions += 1
        self._cost += price or 0

    def _why_not(self, price: float | None, task: str) -> str | None:
        limits = self.limits
        if not self._has_room():
            return "the disk is nearly full: free some space and run again"
        if limits.max_predictions is not None and self._predictions + 1 > limits.max_predictions:
            return f"max_predictions: {limits.max_predictions} reached before {task}"
        if limits.max_cost is not None and self._cost + (price or 0) > limits.max_cost + 1e-9:
            return f"max_cost: {limits.max_cost:g} would be passed by {task}"
        if limits.max_failures is not None and len(self._failed) >= limits.max_failures:
            return f"max_failures: {len(self._failed)} tasks of this run have failed"
        return None

    def _has_room(self) -> bool:
        """A few looks at the disk a second are enough: what fills it up in between is what ends a write."""
        now = self._clock.monotonic()
        if now >= self._room_known_until and self._room():
            self._room_known_until = now + ROOM_SECONDS
        return now < self._room_known_until

    @contextmanager
    def _window(self) -> Iterator[None]:
        task = _this_task()
        self._in_window.add(task)
        try:
            with self._roads.submission():
                yield
        finally:
            self._in_window.discard(task)

    def in_window(self, task: asyncio.Task[Any]) -> bool:
        """Whether this task has sent a submission and not heard its answer."""
        return task in self._in_window

    def refused(self, price: float | None) -> None:
        """A submission surely never ran: it counts toward no limit."""
        self._predictions -= 1
        self._cost -= price or 0

    # --- pace ---

    def throttled(self, retry_after: float | None) -> None:
        self._roads.pace.throttled(retry_after, 1.0 + self._jitter())

    def accepted(self) -> None:
        self._roads.pace.accepted()

    def answered(self) -> None:
        self._roads.doubts = 0

    def unknown(self) -> None:
        self._roads.doubts += 1

    async def pause(self, seconds: float) -> None:
        """Wait, unless the run stops meanwhile."""
        with self.aside():
            await self._unless_stopped(self._clock.sleep(seconds))
        self.check()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around the wait of a task that needs no slot until it is over: others may start in its stead."""
        life = _this_task()
        if life in self._in_slot or life in self._past:
            yield
            return
        self._past.add(life)
        self.moved()
        try:
            yield
        finally:
            self._past.discard(life)

    async def _unless_stopped(self, what: Coroutine[Any, Any, None]) -> None:
        waits = [asyncio.ensure_future(what), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def waiting(self, *, paid: bool = True) -> Waiting:
        """Around a wait that a stop ends: any stop where nothing is paid for yet, else only one that is in a hurry."""
        if self.stop is not None and not (paid and self.stop.drain):
            raise StoppedError
        return Waiting(self._waits if paid else self._free_waits)

    # --- the end ---

    def failed(self, task: str, why: str) -> None:
        """A task failed or is unknown: too many stop the run."""
        self._failed.add(task)
        most = self.limits.max_failures
        if most is not None and len(self._failed) >= most:
            reason = f"max_failures: {len(self._failed)} tasks failed, the last with: {task}: {why}"
            self.halt(Stop(reason, resumable=True, drain=True))

    def no_room(self) -> None:
        """A write found the disk full."""
        self.halt(Stop("the disk is full: free some space and run again", resumable=True, drain=True))

    def check(self) -> None:
        if self.stop is not None:
            raise StoppedError

    def halt(self, stop: Stop) -> None:
        """Take no new work from now on. The first reason stands, unless a later one weighs more."""
        if self.stop is not None and stop.weight <= self.stop.weight:
            return
        self.stop = stop
        self._stopping.set()
        roads = self._roads
        for lane in (roads.slots, roads.window, roads.one_at_a_time, roads.uploads):
            lane.stop(self)
        for task in (*self._free_waits, *(() if stop.drain else self._waits)):
            task.cancel()
        if self._on_stop is not None:
            self._on_stop(stop)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
