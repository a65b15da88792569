"""What all runs of a process share on their way to the service: lanes of limited width, and the pace of submissions.

Uploads, predictions and downloads each have a lane of their own, so that a prediction's place is not held while
bytes move. Whoever waits in a lane waits in order (deeper steps first).
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from itertools import count

from speedpix_pipe.clock import Clock
from speedpix_pipe.engine.pace import Pace
from speedpix_pipe.model import Limits
from speedpix_pipe.steps.base import StoppedError

UPLOADS = 8
DOWNLOADS = 16
POLITE_SECONDS = 0.25  # so long at most a download waits for submissions
Order = tuple[int, ...]


class Lane:
    """So many at once; the others wait in order. `stop` sends those of one owner home."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: list[tuple[Order, int, asyncio.Future[None], object]] = []
        self._number = count()
        self._for_calm: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def crowded(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether whoever comes now has to wait."""
        return self._free <= 0

    def turn(self, order: Order = (), *, owner: object = None) -> Turn:
        return Turn(self, order, owner)

    def widen(self, more: int) -> None:
        """So many further ones at once. Asked for before anybody waits."""
        self._free += more

    async def below(self, most: int) -> None:
        """Return when fewer than `most` wait here."""
        while len(self._waiting) >= most:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._for_calm.append((most, future))
            await future

    async def enter(self, order: Order, owner: object) -> None:
        if self._free > 0:
            self._free -= 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._number), future, owner))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.leave()  # the place was given in the very moment the waiter left
            raise

    def leave(self) -> None:
        while self._waiting:
            _, _, future, _ = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                break
        else:
            self._free += 1
        self._tell_calm()

    def _tell_calm(self) -> None:
        if self._for_calm:
            waiting = len(self._waiting)
            for most, future in self._for_calm:
                if waiting < most and not future.done():
                    future.set_result(None)
            self._for_calm = [(most, future) for most, future in self._for_calm if not future.done()]

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
        self._tell_calm()


class Turn(AbstractAsyncContextManager[None]):
    """A place in a lane, for as long as one is inside."""

    __slots__ = ("_lane", "_order", "_owner")

    def __init__(self, lane: Lane, order: Order, owner: object) -> None:
        self._lane, self._order, self._owner = lane, order, owner

    async def __aenter__(self) -> None:
        await self._lane.enter(self._order, self._owner)

    async def __aexit__(self, *_: object) -> None:
        self._lane.leave()


class Roads:
    """What all runs of a process share: the lanes themselves, the pace, and the caution after doubts."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.slots = Lane(limits.concurrency)
        self.window = Lane(limits.submitting)
        self.uploads = Lane(UPLOADS)
        self.downloads = Lane(DOWNLOADS)
        self.pace = Pace(clock, limits.rate_per_second)
        self.one_at_a_time = Lane(1)
        self.doubts = 0  # unknown submissions in a row
        self._submitting = 0  # in the window now
        self._polite: list[asyncio.Future[None]] = []  # downloads that let submissions go first
        self._patience: asyncio.TimerHandle | None = None

    @contextmanager
    def submission(self) -> Iterator[None]:
        """Around a submission that is under way."""
        self._submitting += 1
        try:
            yield
        finally:
            self._submitting -= 1
            if self._submitting == 0:
                self._go_on()

    async def after_submissions(self) -> None:
        """Let submissions go first for a moment: each is a place at the service that would stand empty meanwhile."""
        if self._submitting:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            self._polite.append(future)
            if self._patience is None:
                self._patience = loop.call_later(POLITE_SECONDS, self._go_on)
            await future

    def _go_on(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        polite, self._polite = self._polite, []
        for future in polite:
            if not future.done():
                future.set_result(None)

    def widen(self, width: int) -> None:
        """Other machines move bytes as well: at least so many transfers each way."""
        self.uploads.widen(max(0, width - UPLOADS))
        self.downloads.widen(max(0, width - DOWNLOADS))
