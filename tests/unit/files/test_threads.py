"""Blocking work beside a loop: every answer arrives, at the loop that asked, whatever happens to it meanwhile."""

from __future__ import annotations

import asyncio
import threading

import pytest

from speedpix_pipe.files.threads import Threads


def test_every_answer_arrives_however_many_come_together() -> None:
    threads = Threads(3, "test")

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(threads.run(lambda n=n: n * n) for n in range(2000)))

    assert asyncio.run(all_of_them()) == [n * n for n in range(2000)]
    assert asyncio.run(all_of_them())[-1] == 1999**2  # and in another loop


def test_no_more_threads_are_started_than_allowed_and_none_too_few() -> None:
    threads, meeting = Threads(2, "test"), threading.Barrier(2)

    async def both() -> None:
        await asyncio.gather(*(threads.run(lambda: meeting.wait(5)) for _ in range(4)))

    asyncio.run(both())
    assert threads._started == 2


def test_an_error_goes_to_whoever_asked() -> None:
    async def ask() -> None:
        await Threads(1, "test").run(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask())


def test_who_leaves_before_the_answer_is_not_missed() -> None:
    threads, go = Threads(1, "test"), threading.Event()

    async def leave() -> int:
        waiting = asyncio.ensure_future(threads.run(go.wait))
        await asyncio.sleep(0)
        waiting.cancel()
        go.set()
        return await threads.run(lambda: 7)

    assert asyncio.run(leave()) == 7


def test_a_loop_that_is_closed_takes_no_thread_with_it() -> None:
    threads, go = Threads(1, "test"), threading.Event()

    async def ask_and_go() -> None:
        asyncio.ensure_future(threads.run(go.wait)).cancel()
        await asyncio.sleep(0)

    asyncio.run(ask_and_go())
    go.set()

    async def again() -> str:
        return await threads.run(lambda: "still there")

    assert asyncio.run(again()) == "still there"
