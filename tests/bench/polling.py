"""How often one asks, and how late one learns: polls and result lag under heavy-tailed service times with a queue.

    python tests/bench/polling.py [--count 500] [--slots 64] [--seeds 5] [--smoke]

Service times are Pareto (alpha 1.5, from 3 s, cut at 300 s) on 64 slots; what the service says of the time left is off by
up to 30 % either way, fixed for each prediction. Time is simulated: a loop whose clock jumps to the next thing that is
due, the SDK's own waiting on it, and a service in place of the network. Also fixed and exponential times.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import selectors
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from table import Report, Verdict

from speedpix_pipe.sdk import AsyncClock, AsyncSpeedPix

Times = Callable[[random.Random], float]
SHAPES: dict[str, Times] = {
    "pareto": lambda dice: min(3.0 * dice.paretovariate(1.5), 300.0),
    "exponential": lambda dice: dice.expovariate(1 / 9.0),
    "fixed": lambda _dice: 9.0,
}


class _Jump(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Waiting moves the time on and takes none."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout:
            self.now += timeout
        return found


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


class LoopClock(AsyncClock):
    """The loop's time for everything."""

    def time(self) -> float:
        return 1_800_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class Task:
    duration: float
    off: float
    place: int
    started: float | None = None
    ended: float | None = None


@dataclass
class Service(httpx.AsyncBaseTransport):
    """Slots, a queue, and estimates that are wrong by a share of their own. Ends are found when somebody looks."""

    slots: int
    times: Times
    dice: random.Random
    tasks: dict[str, Task] = field(default_factory=dict)
    waiting: deque[Task] = field(default_factory=deque)
    running: list[tuple[float, int, Task]] = field(default_factory=list)
    polls: int = 0
    done: int = 0

    def advance(self, now: float) -> None:
        while self.running and self.running[0][0] <= now:
            ended, _, task = heapq.heappop(self.running)
            task.ended = ended
            if self.waiting:
                self.start(self.waiting.popleft(), ended)

    def start(self, task: Task, now: float) -> None:
        task.started = now
        heapq.heappush(self.running, (now + task.duration, task.place, task))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = asyncio.get_running_loop().time()
        self.advance(now)
        data = getattr(self, request.url.path.rpartition("/")[2])(json.loads(request.content), now)
        return httpx.Response(200, content=json.dumps({"status": 10, "apiInvokeId": "i", "data": data}).encode())

    def comfy_prompt(self, asked: Any, now: float) -> Any:
        name = str(len(self.tasks))
        task = Task(self.times(self.dice), self.dice.uniform(0.7, 1.3), len(self.tasks))
        self.tasks[name] = task
        if len(self.running) < self.slots:
            self.start(task, now)
        else:
            self.waiting.append(task)
        return {"taskId": name, "status": "waiting", "estimatedDurationInSeconds": task.duration * task.off}

    def comfy_get_progress(self, asked: Any, now: float) -> Any:
        self.polls += 1
        task = self.tasks[asked["taskId"]]
        if task.started is None:
            before = next(at for at, other in enumerate(self.waiting) if other is task)
            return {"status": "waiting", "progress": 0, "etaRelative": 0, "lastQueueRemaining": before}
        if task.ended is None:
            left = task.started + task.duration - now
            share = min(0.99, (now - task.started) / (task.duration * task.off))
            return {"status": "running", "progress": share, "etaRelative": left * task.off}
        return {"status": "succeeded", "progress": 1}

    def comfy_get_result(self, asked: Any, now: float) -> Any:
        return {"status": "succeeded", "result": {"n": asked["taskId"]}}


def simulate(times: Times, *, count: int, slots: int, flight: int, interval: float | None, seed: int) -> dict[str, Any]:
    service = Service(slots, times, random.Random(seed))
    lags: list[tuple[float, float]] = []

    async def main() -> float:
        gate, loop = asyncio.Semaphore(flight), asyncio.get_running_loop()
        jitter = random.Random(seed + 1)
        async with AsyncSpeedPix(
            "k", "s", "http://127.0.0.1:1", transport=service, clock=LoopClock(), random=jitter.random, trust_env=False
        ) as client:

            async def one() -> None:
                async with gate:
                    prediction = await client.predictions.create("w", {})
                    await prediction.wait(polling_interval=interval)
                    task = service.tasks[prediction.id]
                    assert task.ended is not None
                    lags.append((loop.time() - task.ended, task.duration))

            await asyncio.gather(*(one() for _ in range(count)))
            return loop.time()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        seconds = runner.run(main())
    return {"polls": service.polls, "seconds": seconds, "lags": lags}


def told(name: str, runs: Sequence[dict[str, Any]], count: int) -> dict[str, Any]:
    lags = sorted(lag for run in runs for lag, _ in run["lags"])
    over = [lag - 0.05 * duration for run in runs for lag, duration in run["lags"]]
    return {
        "polling": name,
        "polls each": statistics.mean(run["polls"] for run in runs) / count,
        "lag median s": statistics.median(lags),
        "lag 95 % s": lags[int(0.95 * (len(lags) - 1))],
        "lag beyond 5 %, median s": statistics.median(over),
        "makespan s": statistics.mean(run["seconds"] for run in runs),
    }


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--flight", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.count, options.slots, options.flight, options.seeds = 20, 4, 6, 1
    report = Report("polling", smoke=options.smoke)
    for shape, times in SHAPES.items():
        for flight in (options.flight, 4 * options.flight):
            rows = {}
            for name, interval in (("listening", None), ("each second", 1.0)):
                runs = [
                    simulate(
                        times, count=options.count, slots=options.slots, flight=flight, interval=interval, seed=seed
                    )
                    for seed in range(options.seeds)
                ]
                rows[name] = told(name, runs, options.count)
            queued = "" if flight <= options.slots else f", {flight} in flight on {options.slots} slots"
            report.table(f"{shape} service times{queued}", list(rows.values()))
            ours, theirs = rows["listening"], rows["each second"]
            if shape == "pareto":
                what = f"{shape}{queued}"
                report.judge(
                    Verdict(
                        f"{what}: polls over polling each second", ours["polls each"] / theirs["polls each"], 1 / 3
                    ),
                    Verdict(
                        f"{what}: median lag beyond 5 % of the duration", ours["lag beyond 5 %, median s"], 0.25, "s"
                    ),
                )
    report.save()
    return report


if __name__ == "__main__":
    main()
