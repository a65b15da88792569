"""Lanes: so many at once, in order, and the ends of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from speedpix_pipe.clock import SystemClock
from speedpix_pipe.engine.lanes import LOOKAHEAD, Lanes, Spent, Stop
from speedpix_pipe.engine.roads import DOWNLOADS, Lane, Roads
from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.model import Limits
from speedpix_pipe.steps.base import StoppedError

DRAIN = Stop("a limit", resumable=True, drain=True)
SIGNAL = Stop("interrupted", resumable=True, drain=False, interrupted=True)
CANCEL = Stop("cancelled", resumable=False, drain=False)


class Quick(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def lanes(limits: Limits | None = None, **options: Any) -> Lanes:
    return Lanes(limits or Limits(), Quick(), lambda: 0.5, **options)


def ran(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(work())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_who_waits_comes_in_order() -> None:
    async def work() -> list[str]:
        lane, came = Lane(1), []

        async def one(name: str, order: tuple[int, ...]) -> None:
            async with lane.turn(order):
                came.append(name)
                await asyncio.sleep(0)

        async with lane.turn():
            tasks = [
                asyncio.ensure_future(one(*who)) for who in [("shallow", (0, 1)), ("late", (-2, 5)), ("deep", (-2, 1))]
            ]
            await settle()
        await asyncio.gather(*tasks)
        return came

    assert ran(work) == ["deep", "late", "shallow"]


def test_a_place_given_to_somebody_who_leaves_goes_to_the_next() -> None:
    async def work() -> bool:
        lane = Lane(1)
        holder = lane.turn()
        await holder.__aenter__()
        leaver = asyncio.ensure_future(lane.turn().__aenter__())
        await settle()
        await holder.__aexit__(None, None, None)  # the place is given in this moment
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        async with asyncio.timeout(1), lane.turn():
            return True

    assert ran(work)


def test_a_stop_sends_home_who_waits_and_turns_away_who_comes() -> None:
    async def work() -> list[type]:
        gates = lanes(Limits(concurrency=1))
        async with gates.slot(()):
            waiter = asyncio.ensure_future(gates.slot((1,)).__aenter__())
            await settle()
            gates.halt(DRAIN)
            first = (await asyncio.gather(waiter, return_exceptions=True))[0]
        with pytest.raises(StoppedError):
            await gates.slot(()).__aenter__()
        return [type(first)]

    assert ran(work) == [StoppedError]


@pytest.mark.parametrize(
    ("limits", "places"),
    [
        (Limits(concurrency=2), ["a", "b", "c", "d"]),  # c and d come while the results of a and b are waited for
        (Limits(concurrency=2, max_failures=5), ["a", "b"]),  # each result may be the failure that stops the run
    ],
)
def test_no_more_is_bought_than_results_are_waited_for(limits: Limits, places: list[str]) -> None:
    async def work() -> list[str]:
        gates, came, over = lanes(limits), [], asyncio.Event()

        async def life(name: str) -> None:
            async with gates.slot(()) as done:
                came.append(name)
                done()
                await over.wait()

        tasks = [asyncio.ensure_future(life(name)) for name in "abcdef"]
        await settle()
        first = list(came)
        over.set()
        await asyncio.gather(*tasks)
        assert sorted(came) == list("abcdef")
        return first

    assert ran(work) == places


def test_a_place_that_is_done_with_early_is_given_on_once() -> None:
    async def work() -> list[str]:
        gates, order = lanes(Limits(concurrency=1)), []

        async def other(name: str) -> None:
            async with gates.slot(()):
                order.append(name)
                await asyncio.sleep(3600)

        async def first() -> None:
            async with gates.slot(()) as done:
                others.extend(asyncio.ensure_future(other(name)) for name in ("second", "third"))
                await settle()
                done()
                await settle()
                order.append("first")
                raise TaskError("its result cannot be had", kind=TaskErrorKind.GATEWAY)

        others: list[asyncio.Future[None]] = []
        life = asyncio.ensure_future(first())
        await asyncio.wait({life})
        assert isinstance(life.exception(), TaskError)
        gates.weighed(life)  # whose place it is no more
        await settle()
        for task in others:
            task.cancel()
        return order

    assert ran(work) == ["second", "first"]


@pytest.mark.parametrize(
    ("paid", "stop", "cut"),
    [(True, DRAIN, False), (True, SIGNAL, True), (True, CANCEL, True), (False, DRAIN, True), (False, SIGNAL, True)],
)
def test_a_stop_cuts_the_waits_that_lose_nothing_by_it(paid: bool, stop: Stop, cut: bool) -> None:
    async def work() -> tuple[bool, bool]:
        gates, over = lanes(), asyncio.Event()

        async def wait() -> None:
            with gates.waiting(paid=paid):
                await over.wait()

        task = asyncio.ensure_future(wait())
        await settle()
        gates.halt(stop)
        await settle()
        was_cut = task.cancelled()
        over.set()
        later = await asyncio.gather(wait(), return_exceptions=True)
        await asyncio.gather(task, return_exceptions=True)
        return was_cut, isinstance(later[0], StoppedError)

    assert ran(work) == (cut, cut)


def test_a_word_from_outside_outweighs_a_limit_and_a_signal_all() -> None:
    async def work() -> list[str]:
        gates, reasons = lanes(), []
        for stop in (DRAIN, Stop("another limit", resumable=True, drain=True), CANCEL, DRAIN, SIGNAL, CANCEL):
            gates.halt(stop)
            assert gates.stop is not None
            reasons.append(gates.stop.reason)
        return reasons

    assert ran(work) == ["a limit", "a limit", "cancelled", "cancelled", "interrupted", "interrupted"]


def test_limits_count_what_was_spent_in_earlier_lives() -> None:
    async def work() -> str:
        gates = lanes(Limits(max_predictions=3), spent=Spent(2, 0.0))
        async with gates.submitting(None, task="a@1"):
            pass
        with pytest.raises(StoppedError):
            async with gates.submitting(None, task="a@2"):
                pass
        assert gates.stop is not None
        return gates.stop.reason

    assert ran(work) == "max_predictions: 3 reached before a@2"


def test_a_refused_submission_counts_toward_no_limit() -> None:
    async def work() -> bool:
        gates = lanes(Limits(max_predictions=1, max_cost=1.0))
        for _ in range(5):
            async with gates.submitting(0.9, task="a@1"):
                gates.refused(0.9)
        async with gates.submitting(0.9, task="a@1"):
            return gates.stop is None

    assert ran(work)


def test_a_task_that_fails_twice_is_one_failure() -> None:
    async def work() -> list[bool]:
        gates, stopped = lanes(Limits(max_failures=2), spent=Spent(failed=frozenset({"a@1"}))), []
        for task in ("a@1", "a@1", "a@2"):
            gates.failed(task, "no")
            stopped.append(gates.stop is not None)
        return stopped

    assert ran(work) == [False, False, True]


def test_after_three_doubts_submissions_go_one_at_a_time_until_one_is_answered() -> None:
    async def work() -> tuple[int, int]:
        gates = lanes(Limits(submitting=8))
        now = most = 0

        async def submit() -> None:
            nonlocal now, most
            async with gates.submitting(None, task="a"):
                now += 1
                most = max(most, now)
                await settle()
                now -= 1

        for _ in range(3):
            gates.unknown()
        await asyncio.gather(*[submit() for _ in range(6)])
        careful, most = most, 0
        gates.answered()
        await asyncio.gather(*[submit() for _ in range(6)])
        return careful, most

    assert ran(work) == (1, 6)


def test_a_full_load_of_results_is_fetched_before_more_is_bought() -> None:
    async def work() -> tuple[bool, bool]:
        limits = Limits(concurrency=4)
        gates = lanes(limits, roads=Roads(limits, Quick()))
        fetched = asyncio.Event()

        async def fetch() -> None:
            async with gates.downloading():
                await fetched.wait()

        tasks = [asyncio.ensure_future(fetch()) for _ in range(3 * DOWNLOADS)]
        await settle()
        window = gates.submitting(None, task="a")
        buying = asyncio.ensure_future(window.__aenter__())
        await settle()
        before = buying.done()
        fetched.set()
        await asyncio.gather(*tasks)
        await settle()
        return before, buying.done()

    assert ran(work) == (False, True)


def test_downloads_let_submissions_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speedpix_pipe.engine.roads.POLITE_SECONDS", 60.0)

    async def work() -> tuple[bool, bool, bool]:
        gates = lanes()

        async def fetch() -> None:
            async with gates.downloading():
                pass

        alone = asyncio.ensure_future(fetch())
        await settle()
        async with gates.submitting(None, task="a"):
            beside = asyncio.ensure_future(fetch())
            await settle()
            meanwhile = beside.done()
        await settle()
        return alone.done(), meanwhile, beside.done()

    assert ran(work) == (True, False, True)


def test_downloads_wait_for_no_submission_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speedpix_pipe.engine.roads.POLITE_SECONDS", 0.01)

    async def work() -> None:
        gates = lanes()
        async with gates.submitting(None, task="a"), gates.downloading():
            pass

    ran(lambda: asyncio.wait_for(work(), 10))


def test_without_room_on_the_disk_nothing_is_submitted() -> None:
    async def work() -> str:
        gates = lanes(room=lambda: False)
        with pytest.raises(StoppedError):
            async with gates.submitting(None, task="a"):
                pass
        assert gates.stop is not None
        return gates.stop.reason

    assert "disk" in ran(work)


def test_a_pause_ends_with_the_run() -> None:
    class Slow(SystemClock):
        pass

    async def work() -> bool:
        gates = Lanes(Limits(), Slow(), lambda: 0.5)
        task = asyncio.ensure_future(gates.pause(60.0))
        await settle()
        gates.halt(DRAIN)
        return isinstance((await asyncio.gather(task, return_exceptions=True))[0], StoppedError)

    assert ran(work)


# --- how many may start ---


def test_while_slots_are_free_only_those_start_that_can_have_one() -> None:
    async def work() -> list[int]:
        run, told, leave = lanes(Limits(concurrency=4)), [], asyncio.Event()
        run.moved = lambda: told.append(1)

        async def one(*, first: bool) -> None:
            async with run.slot(()):
                await (settle() if first else leave.wait())
            await leave.wait()  # something to do still, without a slot

        found = [run.may_start(0), run.may_start(4)]
        tasks = [asyncio.ensure_future(one(first=at == 0)) for at in range(4)]
        await asyncio.sleep(0)
        found.append(run.may_start(4))  # all slots are taken: a load of tasks to come may get ready
        assert len(told) == 1
        await settle()
        await settle()
        found.append(run.may_start(4))  # one slot is free again
        assert len(told) == 2
        leave.set()
        await asyncio.gather(*tasks)
        return found

    assert ran(work) == [4, 0, LOOKAHEAD, 1]


def test_who_waits_for_another_makes_room() -> None:
    async def work() -> list[int]:
        run, over = lanes(Limits(concurrency=2)), asyncio.Event()

        async def twin() -> None:
            with run.aside():
                await over.wait()

        waiting = asyncio.ensure_future(twin())
        await asyncio.sleep(0)
        found = [run.may_start(2)]
        over.set()
        await waiting
        return [*found, run.may_start(2)]

    assert ran(work) == [1, 0]
