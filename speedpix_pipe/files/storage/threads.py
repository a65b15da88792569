"""Threads for what waits for a store: the event loop goes on meanwhile, and nobody waits for them at the end."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
THREADS = 16  # requests to stores under way at once

_jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_idle = threading.Semaphore(0)
_started: list[threading.Thread] = []


async def in_thread(work: Callable[[], T]) -> T:
    """The result of a call that blocks. Threads are daemons: who leaves in a hurry is not held by a slow network."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def job() -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  # carried to whoever waits, as any executor does
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_answer, future, result, failure)

    if not _idle.acquire(blocking=False) and len(_started) < THREADS:
        thread = threading.Thread(target=_work, name=f"speedpix-objects-{len(_started)}", daemon=True)
        _started.append(thread)
        thread.start()
    _jobs.put(job)
    return await future


def _work() -> None:
    while True:
        _jobs.get()()
        _idle.release()


def _answer(future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if future.done():
        return  # nobody waits any more
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
