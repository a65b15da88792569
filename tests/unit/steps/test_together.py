"""Several things at once, none of which outlives the others."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from speedpix_pipe.steps.together import together


def test_results_come_in_order() -> None:
    async def one(number: int) -> int:
        for _ in range(5 - number):
            await asyncio.sleep(0)
        return number

    assert asyncio.run(together([one(n) for n in range(5)])) == [0, 1, 2, 3, 4]
    assert asyncio.run(together([one(1)])) == [1]
    assert asyncio.run(together([])) == []


def test_the_first_failure_ends_the_others_before_it_is_raised() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("endless")

    async def work() -> None:
        with pytest.raises(ValueError, match="no"):
            await together([endless(), failing(), endless()])
        assert ended == ["endless", "endless"]

    asyncio.run(work())


def complaints(work: Callable[[], Coroutine[Any, Any, None]]) -> list[str]:
    """What asyncio complains of at the end."""
    told: list[str] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        await work()
        gc.collect()

    asyncio.run(run())
    return told


async def failing() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


def test_those_that_fail_beside_the_first_are_heard_too() -> None:
    async def failing_as_it_ends() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("late")

    async def work() -> None:
        with pytest.raises(ValueError, match="no"):
            await together([failing(), failing(), failing_as_it_ends()])

    assert complaints(work) == []


def test_those_that_fail_as_their_waiter_is_cancelled_are_heard_too() -> None:
    async def work() -> None:
        task = asyncio.ensure_future(together([failing(), failing()]))
        for _ in range(3):  # both have failed, and nobody has looked yet
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    assert complaints(work) == []


def test_who_is_cancelled_leaves_nobody_behind() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    async def work() -> None:
        task = asyncio.ensure_future(together([endless(), endless()]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(work())
    assert ended == ["endless", "endless"]
