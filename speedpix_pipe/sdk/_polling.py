"""When to look at a prediction again: polling that listens. Pure: states and times in, times out.

The first look comes when the service's own estimate says the task is done, so a right estimate costs one poll. Then
the remaining time is taken from what the answer offers: the ETA, the queue's length and how fast it shrinks, the
progress and how fast it grows. With no hint at all the pause grows with the time already waited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from speedpix_pipe.sdk._models import PredictionState, Status

FIRST_MARGIN = 0.015  # seconds: results appear a moment after their estimate
SHORTEST = 0.2
LONGEST = 30.0
BLIND_FIRST = 0.5
BLIND_SHARE = 0.2
LONG_ETA = 10.0
LONG_SHARE = 0.8  # of a long ETA: if it is 20 % too high, we are still not late


class Pace:
    """The looks at one prediction. `interval` fixes the pause instead of listening."""

    def __init__(
        self,
        now: float,
        estimated_duration: float | None,
        *,
        random: Callable[[], float],
        interval: float | None = None,
    ) -> None:
        self._started = now
        self._random = random
        self._interval = interval
        self._estimate = estimated_duration if estimated_duration is None or estimated_duration >= 0 else None
        self._seen: list[tuple[float, PredictionState]] = []

    def first(self) -> float:
        """The time of the first look."""
        if self._interval is not None:
            return self._started + self._interval
        if self._estimate is None:
            return self._started + self._jittered(BLIND_FIRST)
        return self._started + min(self._estimate + FIRST_MARGIN * (1 + self._random()), 10 * LONGEST)

    def after(self, now: float, state: PredictionState) -> float:
        """The time of the next look, having just seen `state` unfinished."""
        if self._interval is not None:
            return now + self._interval
        remaining = self._remaining(now, state)
        self._seen = [*self._seen[-1:], (now, state)]
        if remaining is None:
            pause = BLIND_FIRST + BLIND_SHARE * (now - self._started)
        elif remaining > LONG_ETA:
            pause = remaining * LONG_SHARE
        else:
            pause = remaining
        return now + min(LONGEST, max(SHORTEST, self._jittered(pause)))

    def _jittered(self, seconds: float) -> float:
        """Never early (an early look is a wasted one), up to 5 % late."""
        return seconds * (1 + 0.05 * self._random())

    def _remaining(self, now: float, state: PredictionState) -> float | None:
        if state.eta_relative is not None and state.eta_relative > 0:
            return state.eta_relative
        if state.status is Status.WAITING:
            return self._queue(now, state)
        return self._progress(now, state)

    def _queue(self, now: float, state: PredictionState) -> float | None:
        """From two lengths of the queue: how long until it is our turn, and then one estimate more."""
        if not self._seen or state.queue_remaining is None:
            return None
        then, before = self._seen[-1]
        if before.queue_remaining is None or before.queue_remaining <= state.queue_remaining:
            return None
        rate = (before.queue_remaining - state.queue_remaining) / (now - then)
        return state.queue_remaining / rate + (self._estimate or 0.0)

    def _progress(self, now: float, state: PredictionState) -> float | None:
        """From two readings of the progress."""
        if not self._seen or state.progress is None:
            return None
        then, before = self._seen[-1]
        gained = state.progress - (before.progress or 0.0)
        if gained <= 0 or not 0 < state.progress < 1:
            return None
        return (1 - state.progress) * (now - then) / gained


@dataclass(slots=True)
class ReadCeiling:
    """At most `rate` reads a second, in bursts of up to one second's worth; halved when the service throttles."""

    rate: float
    _free_at: float = 0.0
    _factor: float = 1.0
    _raised_at: float = 0.0

    def ready_at(self, now: float) -> float:
        """When the next read may go: now, or later."""
        return max(now, self._free_at - 1.0)

    def take(self, now: float) -> None:
        """Count one read. Results that follow a look at once are counted too, so the debt delays later looks."""
        if self._factor < 1 and now - self._raised_at >= 1.0:
            self._factor, self._raised_at = min(1.0, self._factor + 0.1), now
        self._free_at = max(now, self._free_at) + 1.0 / (self.rate * self._factor)

    def throttled(self, now: float) -> None:
        self._factor, self._raised_at = max(0.02, self._factor / 2), now
        self._free_at = max(self._free_at, now + 1.0)
