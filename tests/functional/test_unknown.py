"""Submissions that nobody knows the outcome of: listed, counted, never repeated unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedpix_pipe.events import TaskRetrying
from tests.functional.money import Shop, counts

pytestmark = pytest.mark.slow


def test_an_unknown_submission_is_never_repeated_unasked(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.arm("submit:reset-after:times=1:match=bee")
        for _ in range(3):
            outcome = shop.run()
            assert outcome.exit_code == 1
            assert counts(outcome)["unknown"] == 1
            assert outcome.summary.unknown_submissions == 1
        assert shop.words("first").count("bee") == 1
        assert shop.rows()["first@bee"] == ["unknown"]


def test_the_json_names_each(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.arm("submit:garbage:times=2")
        found = shop.run().summary.to_json()
        assert found["predictions"]["unknown"] == 2
        unknown = [error for error in found["errors"] if error["type"] == "unknown"]
        assert len(unknown) == found["tasks"]["unknown"] == 2
        assert sum(found["tasks"].values()) == 2 * found["tasks"]["total"]


def test_a_step_that_says_resubmit_is_sent_again_at_once_and_later(tmp_path: Path) -> None:
    with Shop(tmp_path, defaults="on_unknown_submit: resubmit") as shop:
        shop.arm("submit:reset-after:times=1:match=bee")
        outcome = shop.run()
        assert counts(outcome) == {"succeeded": 8}
        assert shop.rows()["first@bee"] == ["abandoned", "succeeded"]
        assert [event.key for event in shop.of(TaskRetrying)] == ["bee"]


def test_resubmission_ends_with_the_attempts(tmp_path: Path) -> None:
    with Shop(tmp_path, defaults="on_unknown_submit: resubmit, retry: {attempts: 3}") as shop:
        shop.arm("submit:reset-after:times=0:match=bee")
        outcome = shop.run()
        assert counts(outcome)["unknown"] == 1
        assert shop.rows()["first@bee"] == ["abandoned", "abandoned", "unknown"]


def test_a_spec_that_now_says_resubmit_takes_up_an_old_unknown(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.arm("submit:reset-after:times=1:match=bee")
        shop.run()
        shop.edit("cache: true", "on_unknown_submit: resubmit")
        assert counts(shop.run()) == {"cached": 6, "succeeded": 2}


def test_a_failed_task_is_submitted_again_as_often_as_its_step_says(tmp_path: Path) -> None:
    with Shop(tmp_path, defaults="retry: {failed_task: 2}") as shop:
        shop.fails = {"first:bee"}
        outcome = shop.run()
        assert counts(outcome)["failed"] == 1
        assert shop.rows()["first@bee"] == ["failed"] * 3
        assert shop.words("first").count("bee") == 3
        assert outcome.summary.failures[0].key == "bee"


def test_a_time_out_ends_the_wait_and_the_next_run_joins(tmp_path: Path) -> None:
    with Shop(tmp_path, defaults="timeout: 300ms") as shop:
        shop.hold.set()
        outcome = shop.run(params={"words": ['["ant"]']})
        assert counts(outcome) == {"failed": 1, "skipped": 1}
        assert outcome.summary.failures[0].kind == "timeout"
        assert shop.rows()["first@ant"] == ["created"]
        shop.hold.clear()
        shop.edit("timeout: 300ms", "timeout: 30s")
        again = shop.run(params={"words": ['["ant"]']})
        assert counts(again) == {"succeeded": 2}
        assert again.summary.resumed == 1
        assert shop.made == 2


def test_a_result_that_is_gone_is_said_and_not_paid_for_again_in_that_run(tmp_path: Path) -> None:
    with Shop(tmp_path, defaults="timeout: 300ms") as shop:
        shop.hold.set()
        shop.run(params={"words": ['["ant"]']})
        shop.hold.clear()
        shop.edit("timeout: 300ms", "timeout: 30s")
        shop.arm("poll:result-gone:times=0")
        gone = shop.run(params={"words": ['["ant"]']})
        assert counts(gone) == {"failed": 1, "skipped": 1}
        assert "result no longer available" in gone.summary.failures[0].message
        assert gone.summary.failures[0].message.startswith("paid on ")
        assert shop.clock.slept.count(60.0) == 2  # three looks, a minute apart
        assert shop.rows()["first@ant"] == ["gone"]
        assert shop.made == 1
        shop.emulator.clear_faults()
        assert counts(shop.run(params={"words": ['["ant"]']})) == {"succeeded": 2}
        assert shop.made == 3


def test_equal_tasks_share_a_failure_as_they_would_share_a_result(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1") as shop:
        shop.edit('word: "${{ item }}"', 'word: "${{ item | lower }}"')
        shop.fails = {"first:ant"}
        outcome = shop.run(params={"words": ['["ant", "Ant", "ANT"]']})
        assert counts(outcome) == {"failed": 3, "skipped": 3}
        assert shop.made == 1
