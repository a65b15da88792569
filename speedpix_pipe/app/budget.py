"""`limits.per_day`: how many more files a watcher may take today."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

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

    def allows(self, loaded: Loaded, held: int) -> tuple[int, str | None]:
        """How many more files may be claimed while `held` are being worked on, and why none, if so.

        A file needs at least one prediction of each workflow step; what a step makes beyond that is only seen in
        the ledger, so that the budget may be passed by what the files already taken still need.
        """
        most = loaded.pipeline.limits.per_day
        if most is None:
            return sys.maxsize, None
        each = max(1, sum(node.step.kind is StepKind.WORKFLOW for node in loaded.graph))
        made = self._made_today(loaded)
        left = most - made - held * each
        if left < each and made == 0 and held == 0:
            return 1, None  # one file needs more than a whole day's budget: it is taken all the same
        if made >= most or left < each:
            why = f"limits.per_day: {made} of {most} predictions of today are made" if made + each > most else None
            return 0, f"{why}; files wait until midnight" if why else None
        return left // each, None

    def _made_today(self, loaded: Loaded) -> int:
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_SECONDS or self._made == 0:
            self._looked = now
            self._made = self._ledger.spent_since(str(loaded.pipeline.path), midnight(self._clock.now()))
        return self._made


def midnight(now: datetime) -> datetime:
    """When today began where this machine stands."""
    return now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
