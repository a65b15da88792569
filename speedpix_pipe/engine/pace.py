"""How fast submissions may go: a ceiling that was asked for, and the one the service shows by throttling."""

from __future__ import annotations

from collections import deque

from speedpix_pipe.clock import Clock

SLOWEST_PER_SECOND = 0.2
FASTEST_LEARNED = 200.0  # above it there is nothing left to hold back
STEP_PER_SECOND = 0.25  # what each accepted submission adds
LONGEST_PAUSE = 60.0
SEEN = 32


class Pace:
    """Spaces submissions. Throttling halves the pace and pauses everybody; each accepted submission raises it by a
    little, until it is out of the way again.
    """

    def __init__(self, clock: Clock, ceiling: float | None) -> None:
        self._clock = clock
        self._ceiling = ceiling
        self._learned: float | None = None
        self._next = 0.0
        self._recent: deque[float] = deque(maxlen=SEEN)
        self._strikes = 0
        self._calm_at = 0.0  # until then refusals are of the same wave

    @property
    def learned(self) -> float | None:
        """Submissions a second that the service seems to bear; None while it has not complained."""
        return self._learned

    def reserve(self) -> float:
        """Take the next place in time; seconds to wait for it."""
        now = self._clock.monotonic()
        at = max(now, self._next)
        rates = [rate for rate in (self._ceiling, self._learned) if rate is not None]
        self._next = at + (1 / min(rates) if rates else 0.0)
        self._recent.append(at)
        return at - now

    def throttled(self, retry_after: float | None, backoff: float) -> None:
        """One wave of refusals is one message, however many were in flight: the pace is halved once."""
        now = self._clock.monotonic()
        if now < self._calm_at:
            if retry_after is not None:
                self._pause_until(now + retry_after)
            return
        self._strikes += 1
        self._learned = max((self._learned or self._measured(now)) / 2, SLOWEST_PER_SECOND)
        grown = min(backoff * 2 ** min(self._strikes - 1, 10), LONGEST_PAUSE)
        self._pause_until(now + (retry_after if retry_after is not None else grown))

    def accepted(self) -> None:
        self._strikes = 0
        if self._learned is not None:
            self._learned += STEP_PER_SECOND
            if self._learned > FASTEST_LEARNED:
                self._learned = None

    def _pause_until(self, moment: float) -> None:
        self._next = max(self._next, moment)
        self._calm_at = max(self._calm_at, moment)

    def _measured(self, now: float) -> float:
        if len(self._recent) < 2:
            return 4.0
        span = max(now - self._recent[0], 0.05)
        return max(len(self._recent) / span, 1.0)
