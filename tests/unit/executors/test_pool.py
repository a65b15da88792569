"""The process pool: lazy, mended, and gone when its parent is gone."""

import asyncio
import fcntl
import gc
import os
import select
import signal
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import MappingProxyType

import pytest

from speedpix_pipe.errors import ExecutorError
from speedpix_pipe.executors import pixels, worker
from speedpix_pipe.executors.pool import PixelPool
from speedpix_pipe.steps.image_ops.base import PictureError
from tests.unit.executors import crashing
from tests.unit.steps import pictures

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PHOTO = str(pictures.photo("rocket.jpg"))


def with_pool(use, workers=2):
    async def run():
        pool = PixelPool(workers)
        try:
            return await use(pool)
        finally:
            await pool.aclose()

    return asyncio.run(run())


def test_functions_run_in_other_processes_and_their_results_come_back(tmp_path):
    async def use(pool):
        target = str(tmp_path / "t.webp")
        return await asyncio.gather(pool.run("inspect", (PHOTO,)), pool.run("thumbnail", (PHOTO, 64, target)))

    facts, small = with_pool(use)
    assert (facts.width, small.width, small.format) == (640, 64, "webp")
    assert [path.name for path in tmp_path.iterdir()] == ["t.webp"]


def test_errors_come_back_as_they_were(tmp_path):
    (tmp_path / "a.png").write_text("<html>")

    async def use(pool):
        with pytest.raises(PictureError, match=r"a\.png: is no picture"):
            await pool.run("verify", (str(tmp_path / "a.png"),))
        with pytest.raises(ExecutorError, match="no pixel work is called"):
            await pool.run("os.unlink", (PHOTO,))

    with_pool(use)


def test_a_pool_starts_no_process_before_its_first_job():
    async def use(pool):
        assert pool._pool is None

    with_pool(use)


def test_a_closed_pool_takes_no_work():
    async def run():
        pool = PixelPool(1)
        await pool.aclose()
        with pytest.raises(ExecutorError, match="closed"):
            await pool.run("inspect", (PHOTO,))

    asyncio.run(run())


def test_a_process_that_could_not_be_started_is_not_the_picture_s_fault(monkeypatch):
    refused = []

    class Refusing:
        """Its fork server has just died."""

        _broken = False
        _processes = None

        def submit(self, *_):
            refused.append(1)
            raise ConnectionRefusedError(111, "Connection refused")

        def shutdown(self, **_):
            return

    async def use(pool):
        whole = pool._open
        monkeypatch.setattr(pool, "_open", lambda workers: Refusing() if len(refused) < 3 else whole(workers))
        return (await pool.run("verify", (PHOTO,))).width

    assert with_pool(use) == 640
    assert len(refused) == 3  # in the pool, and twice alone


def test_a_job_that_fails_as_its_waiter_is_cancelled_is_heard():
    """Both in one turn of the loop: asyncio would complain of a failure that nobody took."""
    told = []

    class Full:
        _broken = False

        def __init__(self):
            self.job = Future()

        def submit(self, *_):
            return self.job

    async def cancelled(pool):
        full = Full()
        task = asyncio.create_task(pool._submit(full, "verify", (PHOTO,)))
        while not full.job._done_callbacks:
            await asyncio.sleep(0.001)
        full.job.set_exception(PictureError("no picture"))
        await asyncio.sleep(0)  # the loop knows that it failed, and the task does not yet
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    async def use(pool):
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        await cancelled(pool)
        gc.collect()

    with_pool(use)
    assert told == []


def test_a_worker_that_is_born_while_its_pool_breaks_is_ended_too(monkeypatch):
    """The pool has ended the others by then, and waits for this one, which waits for work."""
    ended = []

    class Born:
        def terminate(self):
            ended.append(self)

    class Breaking:
        _broken = False
        _processes = MappingProxyType({1: Born()})

        def submit(self, *_):
            job = Future()
            job.set_exception(BrokenProcessPool("broken"))
            return job

        def shutdown(self, **_):
            return

    async def use(pool):
        whole = pool._open
        monkeypatch.setattr(pool, "_open", lambda workers: Breaking() if workers > 1 else whole(workers))
        assert (await pool.run("verify", (PHOTO,))).width == 640
        assert len(ended) == 1

    with_pool(use)


def test_a_killed_worker_costs_nobody_a_job():
    """Killed from outside, nobody is to blame: everything that was in the pool is done again."""

    async def use(pool):
        await pool.run("inspect", (PHOTO,))
        for process in pool._pool._processes.values():
            os.kill(process.pid, signal.SIGKILL)
        found = await asyncio.gather(*(pool.run("verify", (PHOTO,)) for _ in range(6)))
        return {facts.width for facts in found}

    assert with_pool(use) == {640}


def test_a_job_that_kills_its_worker_fails_alone(monkeypatch):
    async def use(pool):
        monkeypatch.setattr(worker, "perform", crashing.perform)
        jobs = [pool.run("verify" if place == 2 else "inspect", (PHOTO,)) for place in range(6)]
        found = await asyncio.gather(*jobs, return_exceptions=True)
        again = await pool.run("inspect", (PHOTO,))
        return found, again

    found, again = with_pool(use)
    guilty = found.pop(2)
    assert isinstance(guilty, ExecutorError)
    assert (guilty.code, "died" in guilty.message) == ("executor.worker-died", True)
    assert [facts.width for facts in [*found, again]] == [640] * 6


def test_workers_leave_ctrl_c_to_their_parent():
    async def use(pool):
        await pool.run("inspect", (PHOTO,))
        processes = list(pool._pool._processes.values())
        for process in processes:
            os.kill(process.pid, signal.SIGINT)
            os.kill(process.pid, signal.SIGHUP)
        await pool.run("inspect", (PHOTO,))
        return [process.is_alive() for process in processes]

    assert all(with_pool(use))


def test_workers_and_locks_are_gone_with_a_killed_parent(tmp_path):
    lock = tmp_path / "lock"
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.executors.killer", str(lock), PHOTO],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        pid = int(parent.stdout.readline())
        watched = os.pidfd_open(pid)
        parent.kill()
        parent.wait()
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ended, _, _ = select.select([watched], [], [], 20)
        os.close(watched)
        assert ended


def test_closing_does_not_wait_for_long_work(tmp_path):
    async def run():
        pool = PixelPool(1)
        sheet = [("contact-sheet", {"cell": 1200, "columns": 8})]
        many = [(str(pictures.photo("retina.jpg")), str(n)) for n in range(60)]
        await pool.run("inspect", (PHOTO,))
        work = asyncio.create_task(pool.run("run_operations", (sheet, many, str(tmp_path))))
        while not pool._pool._pending_work_items:
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.wait_for(pool.aclose(), 5)
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_everything_that_may_be_asked_for_is_listed():
    assert set(pixels.FUNCTIONS) == {"inspect", "verify", "run_operations", "thumbnail", "compare", "is_blank"}
