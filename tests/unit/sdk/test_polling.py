"""Polling that listens: how many looks, and how late the result is learned of."""

import random
import statistics

import pytest

from speedpix_pipe.sdk import PredictionState, Status
from speedpix_pipe.sdk._polling import LONGEST, SHORTEST, Pace, ReadCeiling


def looks(duration, estimate, draw, *, noise=0.0, interval=None):
    """The times at which a task of this duration is looked at, given estimates that are off by up to `noise`."""
    pace = Pace(0.0, estimate, random=draw.random, interval=interval)
    times = [pace.first()]
    while times[-1] < duration:
        now = times[-1]
        eta = (duration - now) * draw.uniform(1 - noise, 1 + noise)
        state = PredictionState("t", Status.RUNNING, progress=now / duration, eta_relative=eta)
        times.append(pace.after(now, state))
    return times


@pytest.mark.parametrize("duration", [0.2, 2.0, 30.0, 250.0])
def test_a_right_estimate_costs_one_look(duration):
    times = looks(duration, duration, random.Random(1))
    assert len(times) == 1
    assert times[0] - duration < 0.1


def test_heavy_tails_and_wrong_estimates_stay_within_the_targets():
    draw, polls, each_second, late = random.Random(7), 0, 0, []
    for _ in range(3000):
        duration = min(300.0, 3 * (1 - draw.random()) ** (-1 / 1.5))
        times = looks(duration, duration * draw.uniform(0.7, 1.3), draw, noise=0.3)
        polls += len(times)
        each_second += int(duration) + 1
        late.append(times[-1] - duration - 0.05 * duration)
    assert polls <= each_second / 3
    assert statistics.median(late) <= 0.25


def test_without_any_hint_pauses_grow():
    pace, now, pauses = Pace(0.0, None, random=lambda: 0.0), 0.0, []
    now = pace.first()
    for _ in range(20):
        then = pace.after(now, PredictionState("t", Status.RUNNING))
        pauses.append(then - now)
        now = then
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert pauses[-1] <= LONGEST


def test_the_queue_says_when_it_is_our_turn():
    pace = Pace(0.0, 4.0, random=lambda: 0.0)
    pace.after(10.0, PredictionState("t", Status.WAITING, queue_remaining=12))
    due = pace.after(20.0, PredictionState("t", Status.WAITING, queue_remaining=8))
    assert due == pytest.approx(20 + (8 / 0.4 + 4) * 0.8)


def test_progress_says_how_long_it_will_take():
    pace = Pace(0.0, None, random=lambda: 0.0)
    pace.after(1.0, PredictionState("t", Status.RUNNING, progress=0.1))
    due = pace.after(3.0, PredictionState("t", Status.RUNNING, progress=0.6))
    assert due == pytest.approx(3 + 0.4 * 2 / 0.5)


def test_no_hint_makes_a_look_come_sooner_than_a_fifth_of_a_second_or_later_than_half_a_minute():
    pace = Pace(0.0, 1.0, random=lambda: 1.0)
    assert pace.after(1.0, PredictionState("t", Status.RUNNING, eta_relative=0.0001)) == pytest.approx(1 + SHORTEST)
    assert pace.after(1.0, PredictionState("t", Status.RUNNING, eta_relative=1e9)) == pytest.approx(1 + LONGEST)


def test_a_fixed_interval_is_kept():
    assert looks(5.0, 1.0, random.Random(1), interval=2.0) == [2.0, 4.0, 6.0]


def test_reads_stay_under_the_ceiling():
    ceiling, now, times = ReadCeiling(10.0), 0.0, []
    for _ in range(60):
        now = ceiling.ready_at(now)
        ceiling.take(now)
        times.append(now)
    assert sum(time < 1 for time in times) <= 21
    assert times[-1] == pytest.approx(4.9, abs=0.3)


def test_throttling_lowers_the_ceiling_and_it_recovers():
    ceiling = ReadCeiling(100.0)
    ceiling.throttled(0.0)
    now, times = 0.0, []
    while now < 30:
        now = ceiling.ready_at(now)
        ceiling.take(now)
        times.append(now)
    early, late = sum(2 <= time < 3 for time in times), sum(28 <= time < 29 for time in times)
    assert early < 75
    assert late == pytest.approx(100, abs=10)
