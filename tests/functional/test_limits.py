"""Limits of a run: how much at once, how much in all, and when something is plainly broken."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path

import pytest

from speedpix_pipe.app.run import RunOutcome
from speedpix_pipe.clock import SystemClock
from speedpix_pipe.engine.pace import Pace
from speedpix_pipe.errors import PlanError
from tests.functional.money import Shop, counts

pytestmark = pytest.mark.slow
MANY = {"words": ['["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay"]']}


def test_what_is_known_at_the_start_is_refused_at_the_start(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="max_predictions: 3") as shop:
        with pytest.raises(PlanError):
            shop.run()
        assert shop.made == 0


def test_max_predictions_stops_what_appears_later_and_a_higher_limit_resumes(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1, max_predictions: 5") as shop:
        outcome = shop.run()
        assert outcome.exit_code == 1
        assert outcome.summary.resumable
        assert shop.made == 5
        with pytest.raises(PlanError):
            shop.run(resume=True)
        assert shop.made == 5
        shop.edit("max_predictions: 5", "max_predictions: 8")
        last = shop.run(resume=True)
        assert last.summary.run_id == outcome.summary.run_id
        assert last.exit_code == 0
        assert shop.made == 8
        assert last.summary.submitted == 8


def test_max_cost_counts_prices_and_unknown_as_spent(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1, max_cost: 2.5") as shop:
        shop.edit("    workflow: first\n", "    workflow: first\n    price: 0.5\n")
        shop.edit("    workflow: second\n", "    workflow: second\n    price: 0.5\n")
        shop.arm("submit:reset-after:times=1:match=bee")
        outcome = shop.run()
        assert outcome.exit_code == 1
        assert shop.made == 5


def test_max_failures_counts_failed_and_unknown_tasks_over_all_lives_of_a_run(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1, max_failures: 3") as shop:
        shop.fails = {"first:ant", "first:bee"}
        shop.arm("submit:reset-after:times=1:match=cat")
        outcome = shop.run(params=MANY)
        assert outcome.exit_code == 1
        assert outcome.summary.resumable
        made = shop.made
        assert counts(outcome)["failed"] == 2
        assert counts(outcome)["unknown"] == 1
        shop.fails = set()
        with pytest.raises(PlanError, match="max_failures is 3"):  # known at the start
            shop.run(resume=True)
        assert shop.made == made
        shop.edit("max_failures: 3", "max_failures: 4")
        last = shop.run(resume=True)
        assert last.summary.run_id == outcome.summary.run_id
        assert counts(last) == {"succeeded": 18, "unknown": 1, "skipped": 1} or last.exit_code == 1
        assert len(shop.words("first")) == len(set(shop.words("first"))) + 2


@pytest.mark.parametrize("fault", ["", "submit:audit-failed:after=1", "submit:reset-after:after=1"])
def test_a_place_in_flight_is_given_on_only_when_the_run_has_weighed_the_failure(tmp_path: Path, fault: str) -> None:
    with Shop(tmp_path, limits="concurrency: 1, max_failures: 1") as shop:
        if fault:
            shop.arm(fault)
        else:
            shop.fails = {"first:bee"}
        outcome = shop.run(only=("first",))
        assert outcome.exit_code == 1
        assert outcome.summary.resumable
        assert outcome.summary.submitted == 2
        assert shop.made == (1 if "audit" in fault else 2)


def test_on_error_stop_sends_nothing_more_once_the_failure_is_known(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1", defaults="on_error: stop") as shop:
        shop.fails = {"first:bee"}
        outcome = shop.run(only=("first",))
        assert outcome.exit_code == 1
        assert outcome.summary.resumable
        assert shop.words("first") == ["ant", "bee"]


def test_a_task_that_may_fail_again_keeps_its_place_in_flight(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1", defaults="retry: {failed_task: 2}") as shop:
        shop.fails = {"first:bee"}
        assert shop.run(only=("first",)).exit_code == 1
        assert shop.words("first") == ["ant", "bee", "bee", "bee", "cat", "dog"]


def test_ignored_failures_do_not_count(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1, max_failures: 1", defaults="on_error: ignore") as shop:
        shop.fails = {"first:ant", "first:bee"}
        outcome = shop.run()
        assert outcome.exit_code == 0
        assert counts(outcome) == {"succeeded": 4, "failed": 2, "skipped": 2}


def test_concurrency_is_how_many_are_in_flight(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 3") as shop:
        shop.run(params=MANY)
        made = shop.emulator.predictions()
        moments = [(one["created_at"], 1) for one in made] + [(one["finished_at"], -1) for one in made]
        most = now = 0
        for _, step in sorted(moments):
            now += step
            most = max(most, now)
        assert most <= 3


def test_after_three_unknown_in_a_row_submissions_go_one_at_a_time_until_one_is_answered(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 10, submitting: 3") as shop:
        shop.arm("submit:reset-after:times=4")
        outcome = shop.run(params=MANY)
        assert counts(outcome)["unknown"] == 4
        assert outcome.summary.unknown_submissions == 4


def test_a_rate_spaces_submissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a place in time, a tenth of a second after the one before, and none is made before its place."""
    places, reserve = list[float](), Pace.reserve

    def noted(pace: Pace) -> float:
        wait = reserve(pace)
        places.append(pace._recent[-1])
        return wait

    monkeypatch.setattr(Pace, "reserve", noted)
    with Shop(tmp_path, limits="concurrency: 8, rate: 10/s") as shop:
        shop.run(clock=SystemClock())
        began = time.time() - time.monotonic()
        made = sorted(one["created_at"] - began for one in shop.emulator.predictions())
    assert len(places) == len(made) == 8
    assert all(later - earlier > 0.099 for earlier, later in itertools.pairwise(places))
    assert all(at > place - 0.02 for at, place in zip(made, places, strict=True))


def test_equal_tasks_that_wait_for_one_keep_no_others_from_starting(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.edit("for_each: ${{ params.words }}", 'for_each: ${{ params.words }}\n    key: "${{ index }}"')
        shop.hold.set()

        async def going() -> RunOutcome:
            words = ["ant"] * 6 + ["bee", "cat", "dog"]
            run = asyncio.ensure_future(shop.going(params={"words": [json.dumps(words)]}))
            for _ in range(1000):
                if shop.made == 4:
                    break
                await asyncio.sleep(0.01)
            started = sorted(shop.words("first"))
            shop.hold.clear()
            outcome = await run
            assert started == ["ant", "bee", "cat", "dog"]
            return outcome

        assert counts(asyncio.run(going())) == {"succeeded": 8, "cached": 10}
