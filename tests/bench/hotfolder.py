"""How quick and how sure a hot folder is.

    python -m tests.bench.hotfolder latency|burst|stalled|drain|memory|idle [N]

The emulator runs in another process, answering at once. For `latency`, `burst` and `stalled` the watcher runs in this one
and is timed by its events; for the others it is the command in a process of its own, whose CPU time and memory the kernel
tells. `drain` and `memory` take N files in five parts, one after the other, so that growth shows.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import signal
import statistics
import subprocess
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
        while self.finished() < count:
            await asyncio.sleep(0.2)

    def finished(self) -> int:
        """As the health file has it: counting what lies in `done` would cost more than the watcher."""
        try:
            return int(json.loads((self.folder / "health.json").read_text())["done"])
        except FileNotFoundError:
            return 0

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
    print(
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, that of this bench included"
    )
    task.cancel()


class Apart:
    """The watcher as a process of its own."""

    def __init__(self, bench: Bench) -> None:
        command = [sys.executable, "-m", "speedpix_pipe", "watch", "hot.yaml", "--health", "health.json"]
        environment = {**os.environ, **bench.request.run.spec.settings.environment, "PYTHONPATH": os.getcwd()}
        self.bench = bench
        self.process = subprocess.Popen(command, cwd=bench.folder, env=environment, stderr=subprocess.DEVNULL)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mebibytes(self, what: str = "VmRSS") -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

    async def until_done(self, count: int) -> None:
        while self.bench.finished() < count:
            assert self.process.poll() is None, "it ended"
            await asyncio.sleep(0.5)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


async def parts(bench: Bench, count: int) -> None:
    watcher, part = Apart(bench), count // 5
    await watcher.until_done(0)
    before = watcher.cpu_seconds()
    for number in range(5):
        for n in range(number * part, (number + 1) * part):
            (bench.inbox / f"{n}.dat").write_bytes(b"%d" % n)
        await watcher.until_done((number + 1) * part)
        await asyncio.sleep(5)
        now = watcher.cpu_seconds()
        each, held, peak = 1000 * (now - before) / part, watcher.mebibytes(), watcher.mebibytes("VmHWM")
        print(f"{(number + 1) * part:7} files: {each:.2f} CPU ms each, {held:.1f} MiB, peak {peak:.1f} MiB", flush=True)
        before = now
    watcher.stop()


async def drain(bench: Bench, count: int) -> None:
    """A backlog of N files at the start: does a file cost more where more wait?"""
    for number in range(count):
        (bench.inbox / f"{number}.dat").write_bytes(b"%d" % number)
    watcher, before, done = Apart(bench), 0.0, 0
    for number in range(1, 6):
        await watcher.until_done(number * count // 5)
        now, finished = watcher.cpu_seconds(), bench.finished()
        each = 1000 * (now - before) / max(1, finished - done)
        print(f"{count - finished:7} still wait: {each:.2f} CPU ms each, {watcher.mebibytes():.1f} MiB", flush=True)
        before, done = now, finished
    watcher.stop()


async def idle(bench: Bench, seconds: int) -> None:
    (bench.inbox / "done").mkdir()
    for number in range(10_000):
        (bench.inbox / "done" / f"{number}.dat").touch()
    watcher = Apart(bench)
    await watcher.until_done(0)
    await asyncio.sleep(10)
    before, held = watcher.cpu_seconds(), watcher.mebibytes()
    await asyncio.sleep(seconds)
    used = watcher.cpu_seconds() - before
    print(f"idle for {seconds} s with 10,000 files in done: {used:.2f} CPU s, {100 * used / seconds:.3f} %")
    print(f"memory {held:.1f} MiB before, {watcher.mebibytes():.1f} MiB after")
    watcher.stop()


def tell(what: str, delays: list[float]) -> None:
    at95 = delays[int(len(delays) * 0.95)]
    print(f"{what}: median {1000 * statistics.median(delays):.0f} ms, 95 % {1000 * at95:.0f} ms ({len(delays)} files)")


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
            "drain": lambda: drain(bench, count),
            "memory": lambda: parts(bench, count),
            "idle": lambda: idle(bench, count),
        }[what]
        asyncio.run(work())
        ours.send("count")
        print(json.dumps({"predictions at the service": ours.recv()}))
        ours.send("stop")
    process.join()


if __name__ == "__main__":
    main()
