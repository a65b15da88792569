import asyncio
import threading
import time

import pytest

from speedpix_pipe.sdk import AsyncClock, Clock, WaitCanceledError, _sleep
from speedpix_pipe.sdk._polling import ReadCeiling
from speedpix_pipe.sdk._sleep import AsyncTurns, Turns

pytestmark = pytest.mark.anyio


async def test_turns_come_in_the_order_in_which_they_are_due(async_clock):
    turns, order = AsyncTurns(async_clock, ReadCeiling(1e6)), []

    async def one(due):
        await turns.turn(due)
        order.append(due)

    await asyncio.gather(*(one(1000 + due) for due in (5, 1, 4, 2, 3)))
    assert order == [1001, 1002, 1003, 1004, 1005]


async def test_five_thousand_waits_share_one_timer():
    timers = []

    class Counting(AsyncClock):
        def call_later(self, seconds, callback):
            timers.append(seconds)
            return super().call_later(seconds, callback)

    clock = Counting()
    turns = AsyncTurns(clock, ReadCeiling(1e6))
    due = clock.monotonic() + 0.1
    await asyncio.gather(*(turns.turn(due) for _ in range(5000)))
    assert len(timers) <= 3


async def test_a_cancelled_wait_holds_up_nobody(async_clock):
    turns = AsyncTurns(async_clock, ReadCeiling(1e6))
    first = asyncio.ensure_future(turns.turn(1001))
    second = asyncio.ensure_future(turns.turn(1002))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert async_clock.now >= 1001.9


async def test_reads_that_are_due_together_are_spread_by_the_ceiling(async_clock):
    turns = AsyncTurns(async_clock, ReadCeiling(10))
    await asyncio.gather(*(turns.turn(1000) for _ in range(40)))
    assert async_clock.now == pytest.approx(1003, abs=0.3)


def test_threads_share_the_ceiling(clock):
    turns = Turns(clock, ReadCeiling(10))
    for _ in range(40):
        turns.turn(0)
    assert clock.now == pytest.approx(1003, abs=0.3)


def test_an_event_ends_a_threads_wait_at_once():
    turns, event, began = Turns(Clock(), ReadCeiling(10)), threading.Event(), time.monotonic()
    threading.Timer(0.02, event.set).start()
    with pytest.raises(WaitCanceledError):
        turns.turn(began + 60, event)
    assert time.monotonic() - began < 10


async def test_a_hanging_file_does_not_hold_up_the_others():
    hang, done = threading.Event(), []
    stuck = asyncio.ensure_future(_sleep.async_in_thread(hang.wait, 10))
    await asyncio.sleep(_sleep._FileThread.HANGS + 0.05)
    done.append(await asyncio.wait_for(_sleep.async_in_thread(lambda: "quick"), 5))
    hang.set()
    await stuck
    assert done == ["quick"]


@pytest.mark.parametrize("together", [_sleep.together, _sleep.async_together])
async def test_results_keep_their_order_and_the_first_failure_comes_out(together):
    asynchronous = together is _sleep.async_together

    def double(item):
        if item == 3:
            raise ValueError("three")
        return item * 2

    async def double_later(item):
        return double(item)

    async def go(items):
        made = together(double_later if asynchronous else double, items, 2)
        return await made if asynchronous else made

    assert await go([1, 2, 4]) == [2, 4, 8]
    with pytest.raises(ValueError, match="three"):
        await go([1, 3, 5])
