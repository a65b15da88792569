"""Time, as an argument: the wall clock for the journal, the monotonic one for waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC, for people and for the journal; never for measuring."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward, for time-outs and back-off."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import asyncio  # here: commands that never wait start quicker without it

        await asyncio.sleep(seconds)  # noqa: TID251 - this is the clock
