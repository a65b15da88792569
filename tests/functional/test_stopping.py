"""Signals, `runs cancel`, `on_error: stop`: what is in its window gets its answer, everything else waits for later."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from speedpix_pipe.events import PredictionCreated, PredictionRequested, TaskRetrying, TaskUnknown
from speedpix_pipe.store import Store
from tests.functional.money import HurriedClock, Shop, counts

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path):
    with Shop(tmp_path) as shop:
        yield shop


class Patient(HurriedClock):
    """Waits as long as it is told to."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds)


class Trigger:
    """Calls something when an event of a kind was seen so many times."""

    def __init__(self, shop: Shop, kind: type, times: int, act) -> None:
        self.left, self.kind, self.act, self.before = times, kind, act, shop.__class__.__call__
        self.shop = shop

    def __call__(self, event) -> None:
        self.shop.events.append(event)
        if type(event) is self.kind:
            self.left -= 1
            if self.left == 0:
                self.act()

    def close(self) -> None:
        pass


def interrupted(shop: Shop, kind: type, times: int, *, again: float | None = None, **options):
    """A run that gets SIGINT at an event, and perhaps another one some seconds after."""
    from speedpix_pipe.app.run import run

    async def going():
        loop = asyncio.get_running_loop()

        def act() -> None:
            loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
            if again is not None:
                loop.call_later(again, os.kill, os.getpid(), signal.SIGINT)

        shop.events = []
        return await run(shop.request(clock=Patient(), **options), lambda *_: [Trigger(shop, kind, times, act)])

    began = time.monotonic()
    outcome = asyncio.run(going())
    return outcome, time.monotonic() - began


def test_the_first_signal_ends_waits_and_leaves_predictions_to_the_next_start(shop: Shop) -> None:
    shop.hold.set()
    outcome, seconds = interrupted(shop, PredictionCreated, 4, grace_seconds=60.0)
    assert outcome.exit_code == 130
    assert outcome.summary.resumable
    assert counts(outcome) == {"cancelled": 8}
    assert seconds < 30  # no grace was needed: nothing was being fetched
    assert {state for states in shop.rows().values() for state in states} == {"created"}
    shop.hold.clear()
    resumed = shop.run(resume=True)
    assert resumed.exit_code == 0
    assert resumed.summary.run_id == outcome.summary.run_id
    assert resumed.summary.resumed == 4
    assert resumed.summary.submitted == 8
    assert shop.made == 8


def test_a_submission_in_its_window_gets_its_answer(shop: Shop) -> None:
    shop.hold.set()
    shop.arm("submit:slow:seconds=0.7:times=0")
    outcome, seconds = interrupted(shop, PredictionRequested, 4, grace_seconds=60.0)
    assert outcome.exit_code == 130
    assert 0.6 < seconds < 30
    assert {state for states in shop.rows().values() for state in states} == {"created"}
    assert shop.made == len(shop.rows()) == 4


def test_after_the_grace_an_unanswered_submission_is_unknown(shop: Shop) -> None:
    shop.arm("submit:swallow:times=1:match=bee")
    outcome, seconds = interrupted(shop, PredictionRequested, 4, grace_seconds=0.8)
    assert seconds < 30  # the answer itself is waited for for 120 s
    assert outcome.exit_code == 130
    assert shop.rows()["first@bee"] == ["unknown"]
    assert outcome.summary.unknown_submissions == 1
    assert [event.key for event in shop.of(TaskUnknown)] == ["bee"]


def test_a_second_signal_leaves_now(shop: Shop) -> None:
    shop.arm("submit:swallow:times=0")
    outcome, seconds = interrupted(shop, PredictionRequested, 4, again=0.3, grace_seconds=60.0)
    assert seconds < 30
    assert outcome.exit_code == 130
    assert counts(outcome)["unknown"] == 4
    assert {state for states in shop.rows().values() for state in states} == {"unknown"}


def test_downloads_in_progress_are_finished_within_the_grace(tmp_path: Path) -> None:
    from tests.functional.faulty import Scene, emulator

    with emulator() as running:
        scene = Scene(tmp_path / "scene", running)
        scene.arm("download:slow:seconds=0.6")

        from speedpix_pipe.app.run import run
        from speedpix_pipe.events import PredictionFinished

        async def going():
            loop = asyncio.get_running_loop()

            class Listener(Scene):
                def __init__(self) -> None:
                    pass

                def __call__(self, event) -> None:
                    if type(event) is PredictionFinished:
                        loop.call_later(0.1, os.kill, os.getpid(), signal.SIGINT)

                def close(self) -> None:
                    pass

            return await run(scene.request(), lambda *_: [Listener()])

        from unittest import mock

        with mock.patch("tests.functional.faulty.HurriedClock.sleep", Patient().sleep):
            outcome = asyncio.run(going())
        assert counts(outcome) == {"succeeded": 1}
        assert [path.stem for path in (scene.folder / "out").iterdir()] == ["result"]


def test_runs_cancel_ends_a_run_for_good(shop: Shop) -> None:
    shop.hold.set()

    def cancel() -> None:
        with Store.open(shop.folder / ".speedpix") as store:
            store.journal.request_cancel(store.journal.run().id)

    from speedpix_pipe.app.run import run

    trigger = Trigger(shop, PredictionCreated, 4, cancel)
    outcome = asyncio.run(run(shop.request(), lambda *_: [trigger]))
    assert outcome.exit_code == 1
    assert outcome.summary.status.value == "cancelled"
    assert not outcome.summary.resumable
    shop.hold.clear()
    again = shop.run(resume=True)
    assert again.summary.run_id != outcome.summary.run_id
    assert counts(again) == {"succeeded": 8}
    assert shop.made == 8


def test_on_error_stop_submits_nothing_more_and_finishes_what_is_in_flight(tmp_path: Path) -> None:
    with Shop(tmp_path, limits="concurrency: 2", defaults="on_error: stop") as shop:
        shop.fails = {"first:ant"}
        outcome = shop.run(params={"words": ['["ant", "bee", "cat", "dog", "elk"]']})
        assert outcome.exit_code == 1
        assert outcome.summary.resumable
        assert outcome.summary.status.value == "failed"
        found = counts(outcome)
        assert found["failed"] == 1
        assert found["cancelled"] >= 5
        assert "created" not in {state for states in shop.rows().values() for state in states}
        assert shop.made <= 4
        shop.fails = set()
        resumed = shop.run(resume=True)
        assert resumed.summary.run_id == outcome.summary.run_id
        assert resumed.exit_code == 0


def test_an_endpoint_where_nothing_listens_is_told_within_seconds(tmp_path: Path) -> None:
    with Shop(tmp_path, defaults="retry: {attempts: 20, backoff: 1s}") as shop:
        pass  # its emulator has gone
    outcome = shop.run(only=("first@ant",))
    assert outcome.exit_code == 3
    failure = outcome.summary.failures[-1]
    assert failure.kind == "access"
    assert "cannot connect to 127.0.0.1:" in failure.message
    assert "nothing listens there" in failure.message
    pauses = [event.delay_seconds for event in shop.of(TaskRetrying)]
    assert pauses
    assert max(pauses) <= 1
