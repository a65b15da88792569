"""The threads that bring files to disk: one for small files, others when it is held up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from speedpix_pipe.store import syncing
from speedpix_pipe.store.syncing import Folders, Steps, SyncPool


@pytest.fixture
def pool() -> Iterator[SyncPool]:
    made = SyncPool()
    yield made
    made.close()


def test_small_jobs_that_wait_are_carried_out_together_by_one_thread(pool: SyncPool) -> None:
    threads: set[int] = set()

    def job(_: Folders) -> Steps[int]:
        threads.add(threading.get_ident())
        yield from ()
        return 1

    async def main() -> int:
        return sum(await asyncio.gather(*(pool.run(job) for _ in range(500))))

    assert asyncio.run(main()) == 500
    assert len(threads) == 1


def test_a_large_job_keeps_no_small_one_waiting(pool: SyncPool) -> None:
    small_done = threading.Event()

    def large(_: Folders) -> Steps[bool]:
        yield from ()
        return small_done.wait(30)

    def small(_: Folders) -> Steps[None]:
        small_done.set()
        yield from ()

    async def main() -> Any:
        waiting = asyncio.ensure_future(pool.run(large, 1 << 30))
        await asyncio.sleep(0)
        await pool.run(small, 1 << 10)
        return await waiting

    assert asyncio.run(main()) is True


def test_where_one_thread_is_held_up_another_helps(pool: SyncPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "_HELD_UP_SECONDS", 0.0)
    begun, others_done = threading.Event(), threading.Event()

    def stuck(_: Folders) -> Steps[bool]:
        begun.set()
        yield from ()
        return others_done.wait(30)

    def other(_: Folders) -> Steps[None]:
        others_done.set()
        yield from ()

    async def main() -> Any:
        waiting = asyncio.ensure_future(pool.run(stuck))
        await asyncio.to_thread(begun.wait, 30)
        await pool.run(other)
        return await waiting

    assert asyncio.run(main()) is True


def test_what_goes_wrong_is_the_job_s_own_business(pool: SyncPool) -> None:
    def bad(_: Folders) -> Steps[None]:
        raise OSError("no room")
        yield

    def good(_: Folders) -> Steps[str]:
        yield from ()
        return "good"

    async def main() -> list[Any]:
        return await asyncio.gather(pool.run(bad), pool.run(good), return_exceptions=True)

    failed, fine = asyncio.run(main())
    assert isinstance(failed, OSError)
    assert fine == "good"
