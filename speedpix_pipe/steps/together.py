"""Several things at once, none of which outlives the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order. The first failure ends the others, and is raised when they have ended."""
    works = list(works)
    if len(works) < 2:
        return [await work for work in works]  # alone it needs no task of its own
    tasks = [asyncio.ensure_future(work) for work in works]
    for task in tasks:
        unheard(task)  # one failure is raised; asyncio would complain of any other
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        return [task.result() for task in tasks if task.done() and _failed(task)] or [task.result() for task in tasks]
    finally:
        rest = [task for task in tasks if not task.done()]
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)


def unheard(future: asyncio.Future[Any]) -> None:
    """Nobody waits for it: whoever needs what it does learns of its failure elsewhere."""
    future.add_done_callback(_hear)


def _hear(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None
