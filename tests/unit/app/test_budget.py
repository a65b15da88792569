"""`limits.per_day`: never more files than the day allows, however old the last count is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from speedpix_pipe.app.budget import DayBudget, midnight
from speedpix_pipe.model import StepKind


class Ledger:
    """Rows as (asked for at, refused or not, still without answer)."""

    def __init__(self) -> None:
        self.rows: list[tuple[datetime, bool, bool]] = []
        self.seen = 0

    def spent_since(self, spec: str, moment: datetime, *, after: int = 0, up_to: int = 10**9) -> int:
        rows = self.rows[after : min(up_to, len(self.rows))]
        self.seen += len(rows)
        return sum(at >= moment and not refused for at, refused, _ in rows)

    def answered_up_to(self, moment: datetime, *, after: int = 0) -> int:
        open_ = [n for n, (at, _, waits) in enumerate(self.rows) if n >= after and waits and at >= moment]
        return min(open_, default=len(self.rows))


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.start = datetime(2026, 3, 1, 12).astimezone()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def spec(per_day: int, steps: int = 1) -> Any:
    node = SimpleNamespace(step=SimpleNamespace(kind=StepKind.WORKFLOW))
    limits = SimpleNamespace(per_day=per_day)
    return SimpleNamespace(pipeline=SimpleNamespace(limits=limits, path="/specs/hot.yaml"), graph=[node] * steps)


def made(budget: DayBudget, ledger: Ledger, clock: Clock, count: int) -> None:
    ledger.rows += [(clock.now(), False, False)] * count


def test_files_that_came_and_went_since_the_last_count_are_not_forgotten() -> None:
    ledger, clock = Ledger(), Clock()
    budget, loaded = DayBudget(ledger, clock), spec(3)  # type: ignore[arg-type]
    assert budget.allows(loaded, held=0, taken=0)[0] == 3
    made(budget, ledger, clock, 2)
    assert budget.allows(loaded, held=0, taken=2)[0] == 1, "both are done, and nobody has counted yet"
    made(budget, ledger, clock, 1)
    assert budget.allows(loaded, held=0, taken=3)[0] == 0
    clock.seconds += 1.0
    assert budget.allows(loaded, held=0, taken=3) == (
        0,
        "limits.per_day: 3 of 3 predictions of today are made; files wait until midnight",
    )


def test_files_at_work_count_with_all_that_they_may_still_need() -> None:
    ledger, clock = Ledger(), Clock()
    budget, loaded = DayBudget(ledger, clock), spec(10, steps=2)  # type: ignore[arg-type]
    assert budget.allows(loaded, held=2, taken=2)[0] == 3


def test_a_file_that_needs_more_than_a_days_budget_is_taken_alone() -> None:
    ledger, clock = Ledger(), Clock()
    budget, loaded = DayBudget(ledger, clock), spec(1, steps=3)  # type: ignore[arg-type]
    assert budget.allows(loaded, held=0, taken=0)[0] == 1
    assert budget.allows(loaded, held=1, taken=1)[0] == 0


def test_the_next_day_has_its_own_budget_also_after_the_clock_was_set_back() -> None:
    ledger, clock = Ledger(), Clock()
    budget, loaded = DayBudget(ledger, clock), spec(2)  # type: ignore[arg-type]
    made(budget, ledger, clock, 2)
    assert budget.allows(loaded, held=0, taken=2)[0] == 0
    clock.seconds += 86_400
    assert budget.allows(loaded, held=0, taken=2)[0] == 2
    clock.start -= timedelta(days=1)
    clock.seconds += 1
    assert budget.allows(loaded, held=0, taken=2)[0] == 0


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("began", "hours"),
    [(datetime(2026, 10, 24, 22, tzinfo=UTC), 25), (datetime(2026, 3, 28, 23, tzinfo=UTC), 23)],
    ids=["set back", "set forward"],
)
def test_a_day_on_which_the_clocks_change_is_one_day(began: datetime, hours: int) -> None:
    seen = {midnight(began + timedelta(minutes=minutes)) for minutes in range(0, 60 * hours, 30)}
    assert seen == {began}
    assert midnight(began + timedelta(hours=hours)) == began + timedelta(hours=hours)


def test_each_row_of_the_ledger_is_counted_once_a_day() -> None:
    ledger, clock = Ledger(), Clock()
    budget, loaded = DayBudget(ledger, clock), spec(10**6)  # type: ignore[arg-type]
    for _ in range(1000):
        made(budget, ledger, clock, 10)
        clock.seconds += 1.0
        budget.allows(loaded, held=0, taken=0)
    assert ledger.seen == 10_000


def test_what_is_refused_later_is_given_back() -> None:
    ledger, clock = Ledger(), Clock()
    budget, loaded = DayBudget(ledger, clock), spec(5)  # type: ignore[arg-type]
    ledger.rows = [(clock.now(), False, True), (clock.now(), False, False)]
    assert budget.allows(loaded, held=0, taken=0)[0] == 3
    ledger.rows[0] = (clock.now(), True, False)
    clock.seconds += 1.0
    assert budget.allows(loaded, held=0, taken=0)[0] == 4
