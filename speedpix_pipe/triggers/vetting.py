"""Pictures are decoded whole before they count as ready: a copy that stopped half-way stands still, too."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import ExecutorError
from speedpix_pipe.triggers.waiting import Sighting, Waiting

AT_ONCE = 16
Verify = Callable[[str], Awaitable[object]]  # decodes a picture whole, or raises ExecutorError with a sentence


class Vetting:
    """Has the pictures of one root decoded. `nudge` is called after each."""

    def __init__(
        self,
        root: Path,
        waiting: Waiting,
        clock: Clock,
        verify: Verify,
        nudge: Callable[[], None],
        watch_over: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._root = root
        self._waiting = waiting
        self._clock = clock
        self._verify = verify
        self._nudge = nudge
        self._watch_over = watch_over
        self._queue: deque[Sighting] = deque()
        self._in_hand: set[Sighting] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, sightings: Iterable[Sighting]) -> None:
        """These, as soon as it is their turn. The answer holds as long as they look the same."""
        self._queue.extend(sightings)
        while len(self._tasks) < min(AT_ONCE, len(self._queue)):
            task = asyncio.create_task(self._until_none_is_left())
            self._tasks.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._watch_over(task)

    async def _until_none_is_left(self) -> None:
        while self._queue:
            sighting = self._queue.popleft()
            if sighting in self._in_hand or not self._waiting.holds(sighting):
                continue  # it changed meanwhile, and whoever has it in hand will see that; or it is gone
            self._in_hand.add(sighting)
            try:
                await self._vet(sighting)
            finally:
                self._in_hand.discard(sighting)
            self._nudge()

    async def _vet(self, sighting: Sighting) -> None:
        signature, fault = sighting.signature, ""
        try:
            await self._verify(os.fspath(self._root / sighting.name))
        except ExecutorError as error:
            fault = _without_name(error.message, sighting.name)
        now = self._clock.monotonic()
        if sighting.signature == signature:
            self._waiting.vetted(sighting, fault, now)
        else:
            self._waiting.vet_again(sighting, now)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _without_name(message: str, name: str) -> str:
    """The decoder's sentence without the name, which the reader knows."""
    return message.removeprefix(f"{Path(name).name}: ")
