"""The pace of submissions: a ceiling, and what throttling teaches."""

from __future__ import annotations

import pytest

from speedpix_pipe.engine.pace import SLOWEST_PER_SECOND, Pace


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_ceiling_or_complaint_nobody_waits(clock: Clock) -> None:
    pace = Pace(clock, None)
    assert [pace.reserve() for _ in range(50)] == [0.0] * 50


def test_a_ceiling_spaces_places_evenly(clock: Clock) -> None:
    pace = Pace(clock, 20.0)
    assert [pace.reserve() for _ in range(4)] == pytest.approx([0.0, 0.05, 0.1, 0.15])
    clock.time += 1.0
    assert pace.reserve() == 0.0


def test_one_wave_of_refusals_halves_the_pace_once(clock: Clock) -> None:
    pace = Pace(clock, None)
    for _ in range(20):
        pace.reserve()
        clock.time += 0.05
    for _ in range(32):
        pace.throttled(1.0, 1.0)
    assert pace.learned == pytest.approx(10.0, rel=0.1)
    assert pace.reserve() == pytest.approx(1.0)


def test_a_later_wave_halves_it_again_and_pauses_longer(clock: Clock) -> None:
    pace = Pace(clock, None)
    pace.throttled(None, 1.0)
    first = pace.learned
    clock.time += pace.reserve() + 0.1
    pace.throttled(None, 1.0)
    assert first is not None
    assert pace.learned == max(first / 2, SLOWEST_PER_SECOND)
    assert pace.reserve() == pytest.approx(2.0)


def test_a_longer_retry_after_within_a_wave_is_heard(clock: Clock) -> None:
    pace = Pace(clock, None)
    pace.throttled(1.0, 1.0)
    pace.throttled(7.0, 1.0)
    assert pace.reserve() == pytest.approx(7.0)


def test_accepted_submissions_give_the_pace_back(clock: Clock) -> None:
    pace = Pace(clock, None)
    pace.throttled(1.0, 1.0)
    for _ in range(2000):
        pace.accepted()
    assert pace.learned is None


def test_it_never_stands_still(clock: Clock) -> None:
    pace = Pace(clock, None)
    for _ in range(40):
        pace.throttled(None, 1.0)
        clock.time += 61
    assert pace.learned == SLOWEST_PER_SECOND
    assert pace.reserve() <= 60.0
