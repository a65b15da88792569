"""`runs redo`: exactly those again, then what follows from them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from speedpix_pipe.clock import SystemClock
from speedpix_pipe.errors import UsageError
from speedpix_pipe.events import ItemFound, PredictionCreated, TaskSucceeded
from speedpix_pipe.steps.base import Again
from tests.functional.money import Shop, counts

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path):
    with Shop(tmp_path) as shop:
        yield shop


def test_a_named_task_is_made_anew_and_its_followers_follow(shop: Shop) -> None:
    shop.run()
    assert shop.made == 8
    outcome = shop.redo(tasks=["first@bee"])
    # The workflow said the same again, so what follows has the same input and is there already.
    assert counts(outcome) == {"succeeded": 1, "cached": 1}
    assert shop.words("first").count("bee") == 2
    assert shop.made == 9
    assert outcome.exit_code == 0
    assert shop.rows()["first@bee"] == ["succeeded", "succeeded"]


def test_failed_tasks_are_tried_again_and_skipped_ones_follow(shop: Shop) -> None:
    shop.fails = {"first:bee", "first:dog"}
    outcome = shop.run()
    assert counts(outcome) == {"succeeded": 4, "failed": 2, "skipped": 2}
    shop.fails = {"first:dog"}
    again = shop.redo(failed=True)
    assert counts(again) == {"succeeded": 2, "failed": 1, "skipped": 1}
    assert shop.words("first").count("ant") == 1
    assert again.summary.submitted == 3
    shop.fails = set()
    assert counts(shop.redo(failed=True)) == {"succeeded": 2}
    assert shop.run().summary.submitted == 0


def test_unknown_tasks_are_sent_again_and_the_old_rows_abandoned(shop: Shop) -> None:
    shop.arm("submit:reset-after:times=1:match=bee")
    outcome = shop.run()
    assert counts(outcome) == {"succeeded": 6, "unknown": 1, "skipped": 1}
    assert shop.made == 7
    again = shop.redo(unknown=True)
    assert counts(again) == {"succeeded": 2}
    assert shop.rows()["first@bee"] == ["abandoned", "succeeded"]
    assert shop.made == 9
    assert counts(shop.run()) == {"cached": 8}


def test_an_unknown_task_stays_unknown_while_others_are_done_again(shop: Shop) -> None:
    shop.arm("submit:reset-after:times=1:match=bee")
    shop.run()
    outcome = shop.redo(tasks=["first@a*"])
    assert counts(outcome) == {"succeeded": 1, "cached": 1}
    assert shop.rows()["first@bee"] == ["unknown"]


def test_patterns_and_files_name_tasks(shop: Shop, tmp_path: Path) -> None:
    shop.run()
    listed = tmp_path / "again.txt"
    listed.write_text("# these looked odd\nfirst@cat\n\n  first@d*\n", encoding="utf-8")
    outcome = shop.redo(from_file=listed)
    assert shop.words("first")[4:] == ["cat", "dog"]
    assert counts(outcome) == {"succeeded": 2, "cached": 2}


def test_a_redo_is_a_run_of_its_own_that_knows_its_origin(shop: Shop) -> None:
    from speedpix_pipe.store import Store

    first = shop.run(params={"words": ['["elk", "fox"]']})
    outcome = shop.redo(run=first.summary.run_id[:18], tasks=["first@elk"])
    assert shop.words("first") == ["elk", "fox", "elk"]
    with Store.open(tmp_state(shop), write=False) as store:
        assert store.journal.run(outcome.summary.run_id).origin == first.summary.run_id


def tmp_state(shop: Shop) -> Path:
    return shop.folder / ".speedpix"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "which tasks"),
        ({"failed": True}, "is failed"),
        ({"tasks": ["first@yak"]}, 'no task "first@yak"'),
        ({"tasks": ["third@ant"]}, 'no step "third"'),
        ({"from_file": Path("/nowhere")}, "cannot read"),
    ],
)
def test_nothing_that_fits_is_said(shop: Shop, options: dict, words: str) -> None:
    shop.run()
    with pytest.raises(UsageError, match=words):
        shop.redo(**options)


class Interrupted(Shop):
    """Gets SIGINT at an event of a kind, once so many were seen, and is given time to end as people are."""

    at: tuple[type, int] | None = None

    def __init__(self, folder: Path, limits: str) -> None:
        super().__init__(folder, limits)
        self.clock = SystemClock()

    def __call__(self, event) -> None:
        super().__call__(event)
        if self.at is not None and len(self.of(self.at[0])) == self.at[1]:
            self.at = None
            os.kill(os.getpid(), signal.SIGINT)


def test_the_rest_of_an_interrupted_redo_is_done_and_what_it_sent_is_not_sent_again(tmp_path: Path) -> None:
    with Interrupted(tmp_path, limits="concurrency: 2") as shop:
        shop.run()
        shop.at = (PredictionCreated, 2)
        shop.hold.set()
        redone = shop.redo(tasks=["first@*"])
        assert redone.exit_code == 130
        assert redone.summary.redo
        assert counts(redone)["cancelled"] >= 4
        shop.hold.clear()
        assert shop.made == 8 + 2
        rest = shop.redo(run=redone.summary.run_id, rest=True)
        assert rest.exit_code == 0
        assert shop.made == 8 + 4
        assert sorted(shop.words("first")[4:]) == ["ant", "bee", "cat", "dog"]
        with pytest.raises(UsageError, match="has done all"):
            shop.redo(run=rest.summary.run_id, rest=True)
        assert counts(shop.run()) == {"cached": 8}


def test_wherever_a_redo_is_interrupted_each_task_is_paid_for_once(tmp_path: Path) -> None:
    with Interrupted(tmp_path, limits="concurrency: 1") as shop:
        shop.run()
        shop.at = (ItemFound, 1)
        assert shop.redo(tasks=["first@b*", "first@dog"]).exit_code == 130
        assert shop.redo(rest=True).exit_code == 0
        assert sorted(shop.words("first")[4:]) == ["bee", "dog"]


def test_a_run_is_resumed_past_a_redo_that_was_interrupted_later(tmp_path: Path) -> None:
    with Interrupted(tmp_path, limits="concurrency: 1") as shop:
        shop.at = (TaskSucceeded, 2)
        run = shop.run()
        shop.at = (ItemFound, 1)
        assert shop.redo(tasks=["first@ant"]).exit_code == 130
        resumed = shop.run(resume=True)
        assert resumed.summary.run_id == run.summary.run_id


def test_only_a_redo_has_a_rest(shop: Shop) -> None:
    shop.run()
    with pytest.raises(UsageError, match="is no redo"):
        shop.redo(rest=True)
    with pytest.raises(UsageError, match="goes with nothing else"):
        shop.redo(rest=True, failed=True)


def test_equal_tasks_that_are_named_are_one_prediction(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 1") as shop:
        shop.run(params={"words": ['["ant", "ANT"]']})
        shop.edit('word: "${{ item }}"', 'word: "${{ item | lower }}"')
        made = shop.made
        shop.redo(tasks=["first@ant", "first@ANT"])
        assert shop.made == made + 1


def test_a_kept_result_that_misses_its_mark_is_paid_again_only_while_it_does(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.edit("limits:", "workflows: {first: {id: first, output: {said: {type: integer}}}}\nlimits:")
        outcome = shop.run()
        assert counts(outcome) == {"failed": 4, "skipped": 4}
        shop.edit("type: integer", "type: string")
        assert counts(shop.redo(failed=True)) == {"cached": 4, "succeeded": 4}
        assert shop.made == 8


def test_what_may_be_set_aside_grows() -> None:
    assert [again.name for again in Again] == ["NO", "UNKNOWN", "FAILED", "ANEW"]
