"""How quick and how sure a hot folder is. Run by hand: `python -m tests.bench.hotfolder latency|burst|idle|memory [N]`.

The emulator runs in another process, answering at once; the watcher runs in this one and is timed by its events.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.watch import WatchRequest, watch
from speedpix_pipe.events import PredictionRequested
from speedpix_pipe.settings import load_settings
from tests.functional.watching import jpeg

SETTLE = 0.5
SPEC = """
apiVersion: speedpix-pipe/v1
name: bench
params: {photos: {type: files}}
limits: {concurrency: 64}
steps:
  work:
    workflow: bench
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}"}
watch: {folder: inbox, patterns: ["*.jpg", "*.dat"], param: photos, settle: 500ms}
"""


def serve(pipe: Connection) -> None:
    from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread

    with EmulatorThread(EmulatorOptions(workflows={"bench": lambda _: {"v": 1}})) as emulator:
        pipe.send(emulator.url)
        while pipe.recv() == "count":
            pipe.send(emulator.counters["predictions"])


class Clocked:
    """When each file's prediction was asked for."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.seen: Counter[str] = Counter()

    def __call__(self, event: Any) -> None:
        if isinstance(event, PredictionRequested):
            self.seen[event.key] += 1
            self.at.setdefault(event.key, time.monotonic())

    def close(self) -> None:
        pass


class Bench:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        (folder / "hot.yaml").write_text(SPEC)
        environment = {"SPEEDPIX_APP_KEY": "local", "SPEEDPIX_APP_SECRET": "local", "SPEEDPIX_ENDPOINT": url}
        self.request = WatchRequest(
            RunRequest(SpecRequest(Path("hot.yaml"), folder, load_settings(None, environment)), grace_seconds=1.0),
            health=folder / "health.json",
        )
        self.clocked = Clocked()
        self.dropped: dict[str, float] = {}

    def drop(self, name: str, data: bytes) -> None:
        (self.inbox / name).write_bytes(data)
        self.dropped[f"inbox/{name}"] = time.monotonic()

    def start(self) -> asyncio.Task[Any]:
        return asyncio.ensure_future(watch(self.request, subscribe=lambda *_: [self.clocked], tell=lambda line: None))

    async def done(self, count: int) -> None:
        while sum(1 for _ in (self.inbox / "done").glob("*")) < count:
            await asyncio.sleep(0.2)

    def delays(self) -> list[float]:
        return sorted(self.clocked.at[key] - at - SETTLE for key, at in self.dropped.items())


async def latency(bench: Bench, count: int) -> None:
    task = bench.start()
    await asyncio.sleep(3)
    for number in range(count):
        bench.drop(f"{number}.jpg", jpeg(number, size=300))
        await asyncio.sleep(0.13)
    await bench.done(count)
    tell("latency", bench.delays())
    task.cancel()


async def burst(bench: Bench, count: int, stall: float = 0.0) -> None:
    task = bench.start()
    await asyncio.sleep(3)
    began = time.monotonic()
    if stall:
        # The loop itself stands still: nobody looks, nobody takes events from the queue.
        end = time.monotonic() + stall
        for number in range(count):
            bench.drop(f"{number}.dat", b"%d" % number)
        time.sleep(max(0.0, end - time.monotonic()))
    else:
        await asyncio.to_thread(lambda: [bench.drop(f"{n}.dat", b"%d" % n) for n in range(count)])
    written = max(bench.dropped.values())
    await bench.done(count)
    last = max(bench.clocked.at.values())
    doubled = sum(seen - 1 for seen in bench.clocked.seen.values())
    lost = count - len(bench.clocked.at)
    print(f"burst of {count}: lost {lost}, doubled {doubled}, written in {written - began:.1f} s")
    print(f"from the last write to the last submission {last - written:.1f} s")
    tell("beyond settle", bench.delays())
    memory()
    task.cancel()


async def idle(bench: Bench, seconds: int) -> None:
    (bench.inbox / "done").mkdir()
    for number in range(10_000):
        (bench.inbox / "done" / f"{number}.dat").touch()
    task = bench.start()
    await asyncio.sleep(5)
    before = time.process_time()
    await asyncio.sleep(seconds)
    used = time.process_time() - before
    print(f"idle for {seconds} s with 10,000 files in done: {used:.2f} CPU s, {100 * used / seconds:.2f} %")
    task.cancel()


def tell(what: str, delays: list[float]) -> None:
    at95 = delays[int(len(delays) * 0.95)]
    print(f"{what}: median {1000 * statistics.median(delays):.0f} ms, 95 % {1000 * at95:.0f} ms ({len(delays)} files)")


def memory() -> None:
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    what, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), ours.recv())
        work = {
            "latency": lambda: latency(bench, count),
            "burst": lambda: burst(bench, count),
            "stalled": lambda: burst(bench, count, 8.0),
            "idle": lambda: idle(bench, count),
        }[what]
        asyncio.run(work())
        ours.send("count")
        print(json.dumps({"predictions at the service": ours.recv()}))
        ours.send("stop")
    process.join()


if __name__ == "__main__":
    main()
