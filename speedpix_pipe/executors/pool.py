"""A process pool for pixels: started with the first job, and mended when a picture kills a worker.

Workers come from a fork server, never from a fork of ours: a forked child would keep our locks and sockets
after we are gone. When a worker dies, everybody who was in the pool comes under suspicion and is run again,
one at a time in a process of its own; whoever dies there as well is to blame, and fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any

from speedpix_pipe.errors import ExecutorError
from speedpix_pipe.executors import worker
from speedpix_pipe.executors.processors import processors

LOOK_SECONDS = 1.0  # between looks whether the pool still stands
STARTS = 3  # tries to start a process
# Imported once, in the server; workers are born with them.
PRELOAD = ["speedpix_pipe.executors.newborn", "speedpix_pipe.executors.pixels"]


class _NotStartedError(ExecutorError):
    """No process could be started for a picture, which is not to blame."""


class PixelPool:
    """At most `workers` jobs at a time; further ones wait outside, where they can be cancelled."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or processors()
        self._room = asyncio.Semaphore(self._workers)
        self._one_suspect = asyncio.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._suspects: set[ProcessPoolExecutor] = set()
        self._broken: set[ProcessPoolExecutor] = set()
        self._closed = False

    async def run(self, function: str, arguments: tuple[Any, ...]) -> Any:
        async with self._room:
            self._refuse_if_closed()
            pool = self._pool = self._pool or self._open(self._workers)
            try:
                return await self._submit(pool, function, arguments)
            except BrokenExecutor:
                if self._pool is pool:
                    self._pool = None
                    self._broken.add(pool)
                # A pool that breaks ends its workers and waits for them, also for one that was born in between, which
                # nobody has told: without this the program could not end.
                _terminate(_workers(pool))
                self._refuse_if_closed()
        async with self._one_suspect:
            return await self._run_alone(function, arguments)

    async def _run_alone(self, function: str, arguments: tuple[Any, ...]) -> Any:
        for _ in range(STARTS - 1):
            with contextlib.suppress(_NotStartedError):
                return await self._try_alone(function, arguments)
        return await self._try_alone(function, arguments)

    async def _try_alone(self, function: str, arguments: tuple[Any, ...]) -> Any:
        self._refuse_if_closed()
        pool = self._open(1)
        self._suspects.add(pool)
        try:
            return await self._submit(pool, function, arguments)
        except BrokenExecutor as error:
            self._refuse_if_closed()
            kind = _NotStartedError if isinstance(error.__cause__, OSError) else ExecutorError
            raise kind(
                f"{function}: the process that worked on this picture died",
                code="executor.worker-died",
                hint="it ran out of memory, or the picture makes its decoder crash",
            ) from error
        finally:
            self._suspects.discard(pool)
            pool.shutdown(wait=False, cancel_futures=True)

    async def _submit(self, pool: ProcessPoolExecutor, function: str, arguments: tuple[Any, ...]) -> Any:
        # From a thread, because the first job waits for the fork server to import Pillow.
        try:
            future = await asyncio.to_thread(pool.submit, worker.perform, function, arguments)
        except OSError as error:
            # A pool that breaks while it starts a process for this job closes the pipes that were to be handed over.
            raise BrokenProcessPool(str(error)) from error
        waiting = asyncio.wrap_future(future)
        try:
            while True:
                # A pool tells everybody in it that it broke, except a job that came in at that very moment.
                broken = bool(pool._broken)
                done, _ = await asyncio.wait({waiting}, timeout=LOOK_SECONDS)
                if done:
                    return waiting.result()
                if broken:
                    raise BrokenProcessPool("the pool broke and did not say so")
        finally:
            waiting.cancel()  # if nobody wants it any more

    def _open(self, workers: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        return ProcessPoolExecutor(workers, mp_context=context, initializer=worker.begin)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ExecutorError("the executor is closed", code="executor.closed")

    async def aclose(self) -> None:
        """End the workers now. What they were doing is not needed any more, and leaves no half files behind."""
        self._closed = True
        pools = [pool for pool in (self._pool, *self._suspects, *self._broken) if pool is not None]
        self._pool = None
        for pool in pools:
            workers = _workers(pool)  # shutdown forgets them
            pool.shutdown(wait=False, cancel_futures=True)
            _terminate(workers)
            await asyncio.to_thread(pool.shutdown, wait=True)


def _workers(pool: ProcessPoolExecutor) -> list[BaseProcess]:
    return list((pool._processes or {}).values())


def _terminate(workers: list[BaseProcess]) -> None:
    for process in workers:
        process.terminate()
