"""`limits.per_day`: how many more files a watcher may take today."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, time

from speedpix_pipe.app.specs import Loaded
from speedpix_pipe.clock import Clock
from speedpix_pipe.model import StepKind
from speedpix_pipe.store import Ledger

LOOK_SECONDS = 1.0


class DayBudget:
    """Counts the predictions of a spec since midnight, local time, as the ledger has them."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._looked = float("-inf")
        self._made = 0
        self._uncounted_from = 0  # files taken up to this one were counted, as far as they had made anything by then
        self._day: datetime | None = None
        self._settled = 0  # predictions of today up to the ledger's row `_up_to`, which is looked at no more
        self._up_to = 0

    def allows(self, loaded: Loaded, *, held: int, taken: int) -> tuple[int, str | None]:
        """How many more files may be claimed, and why none, if so.

        `held` are being worked on, `taken` is how many there have ever been. A file needs at least one prediction of
        each workflow step; what a step makes beyond that is only seen in the ledger, so that the budget may be passed
        by what the files already taken still need.
        """
        most = loaded.pipeline.limits.per_day
        if most is None:
            return sys.maxsize, None
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked, self._uncounted_from = now, taken - held
            self._made = self._made_today(loaded)
        made, uncounted = self._made, taken - self._uncounted_from
        each = max(1, sum(node.step.kind is StepKind.WORKFLOW for node in loaded.graph))
        left = most - made - uncounted * each
        if left < each and made == 0 and uncounted == 0:
            return 1, None  # one file needs more than a whole day's budget: it is taken all the same
        if made + each > most:
            return 0, f"limits.per_day: {made} of {most} predictions of today are made; files wait until midnight"
        return max(0, left // each), None

    def _made_today(self, loaded: Loaded) -> int:
        """A ledger grows for years, and a day's rows may be many: each is counted once."""
        spec, day = str(loaded.pipeline.path), midnight(self._clock.now())
        if day != self._day:
            self._day, self._settled, self._up_to = day, 0, 0
        up_to = self._ledger.answered_up_to(day, after=self._up_to)
        self._settled += self._ledger.spent_since(spec, day, after=self._up_to, up_to=up_to)
        self._up_to = up_to
        return self._settled + self._ledger.spent_since(spec, day, after=up_to)


def midnight(now: datetime) -> datetime:
    """When today began where this machine stands."""
    # Not `now` with its hour changed: it may have another offset than midnight had.
    return datetime.combine(now.astimezone().date(), time.min).astimezone(UTC)
