"""What a Dask cluster gives a run, and what it costs the coordinator: `image:` work, transfers and digests by workers.

Ratios of wall time say where more workers pay, as long as there is a core for each; CPU of the coordinator says how
many jobs a second one process can hand out, whatever the machine is busy with.

python tests/bench/cluster_jobs.py [--workers 1,2,3] [--pictures 48] [--jobs 400] [--smoke]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from table import Report  # noqa: E402

from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread  # noqa: E402
from speedpix_pipe.executors import open_executor  # noqa: E402
from speedpix_pipe.executors.base import Executor  # noqa: E402
from tests.cluster import cluster  # noqa: E402

IN_FLIGHT = 32


async def timed(count: int, job: Callable[[int], Awaitable[Any]]) -> tuple[float, float]:
    """Wall and our own CPU seconds for so many jobs."""
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> None:
        async with room:
            await job(number)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*[one(number) for number in range(count)])
    return time.perf_counter() - wall, time.process_time() - cpu


async def measured(executor: Executor, folder: Path, pictures: int, jobs: int) -> dict[str, float]:
    photo, work = folder / "photo.jpg", folder / "work"
    work.mkdir(exist_ok=True)
    if not photo.exists():
        Image.effect_noise((2400, 1600), 40).convert("RGB").save(photo, quality=85)
    await executor.open(work)

    async def worked(number: int) -> None:
        target = work / f"{os.urandom(6).hex()}-{number}"
        target.mkdir()
        operations = [("resize", {"width": 800}), ("convert", {"format": "webp"})]
        await executor.pixels("run_operations", operations, [(str(photo), "photo")], str(target))

    await timed(4, worked)  # everybody has imported what it needs
    pixel_wall, pixel_cpu = await timed(pictures, worked)
    hash_wall, hash_cpu = await timed(jobs, lambda _: executor.hash(photo))
    return {
        "pictures / s": pictures / pixel_wall,
        "our CPU ms / picture": pixel_cpu / pictures * 1e3,
        "digests / s": jobs / hash_wall,
        "our CPU ms / digest": hash_cpu / jobs * 1e3,
    }


async def fetched(executor: Executor, folder: Path, jobs: int) -> dict[str, float]:
    """Result files of 200 kB from an emulator in this process: its CPU is in ours, so only the ratio says anything."""
    from speedpix_pipe.sdk import AsyncSpeedPix

    options = EmulatorOptions()
    with EmulatorThread(options) as service:
        async with AsyncSpeedPix(options.app_key, options.app_secret, service.url) as client:
            source = folder / "source.bin"
            source.write_bytes(os.urandom(200_000))
            sent = await client.files.create(source)
            wall, _ = await timed(
                jobs, lambda number: executor.download(sent.access_url, folder / "work" / f"d{number}.part")
            )
    return {"fetches / s": jobs / wall}


async def carried_out(name: str, scheduler: str | None, folder: Path, given: Any) -> dict[str, float]:
    executor = open_executor(name, scheduler=scheduler)
    try:
        figures = await measured(executor, folder, given.pictures, given.jobs)
        return figures | await fetched(executor, folder, given.jobs // 2)
    finally:
        await executor.aclose()


def main(arguments: Sequence[str]) -> Report:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,2,3")
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args(arguments)
    if given.smoke:
        given.workers, given.pictures, given.jobs = "1", 4, 8
    report, rows = Report("cluster_jobs", smoke=given.smoke), []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows.append({"executor": "local"} | asyncio.run(carried_out("local", None, folder, given)))
        for workers in map(int, given.workers.split(",")):
            with cluster(folder / f"cluster-{workers}", workers=workers, talkative=False) as machines:
                figures = asyncio.run(carried_out("dask", machines.address, folder, given))
            rows.append({"executor": f"dask, {workers} workers"} | figures)
    report.table(f"jobs by executor, {IN_FLIGHT} in flight", rows)
    report.save()
    return report


if __name__ == "__main__":
    main(sys.argv[1:])
