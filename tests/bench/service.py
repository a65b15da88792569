"""Service throughput: what a prediction costs its client, with a 200 kB picture up and another down.

    python tests/bench/service.py [--count 500] [--flights 64,256,1000] [--latencies 0,2] [--rounds 5]
                                  [--only hand,sdk,...] [--profile run] [--smoke]

All contenders talk to one server process, each in a fresh process of its own. What is told of each is beyond the same
process with a single prediction: imports, start and end cancel out. Ratios within a round mean something, times do not: `x` is
the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import process
from fake import KEY, SECRET, picture
from process import HERE, OFFICIAL, PIPE, PYTHON, FakeService, Spent
from table import Report, Verdict

SPEC = """\
apiVersion: speedpix-pipe/v1
name: bench
params:
  photos: {type: files, default: "%s/*.jpg"}
workflows:
  w: {id: w, input: {image: {type: file, required: true}}, output: {images: {type: file}}, price: 0.01}
steps:
  shot:
    workflow: w
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}"}
    save: "%s/${{ item.stem }}.${{ ext }}"
"""
FLOOR = "hand"
FACES = {
    "hand": ("aiohttp by hand, staged", [PYTHON, "hand.py"], ""),
    "sdk": ("our SDK", [PYTHON, "ours.py"], "async"),
    "sdk-threads": ("our SDK, threads", [PYTHON, "ours.py"], "threads"),
    "run": ("speedpix-pipe run", [], ""),
    "official-threads": ("official SDK, threads", [OFFICIAL, "official.py"], "threads"),
    "official-async": ("official SDK, async", [OFFICIAL, "official.py"], "async"),
    "httpx-aiohttp": ("our SDK on httpx-aiohttp", [PYTHON, "ours.py"], "httpx-aiohttp"),
    "plain-httpx": ("our SDK on httpx's own transport", [PYTHON, "ours.py"], "plain-httpx"),
}
SLOW = "official"  # in their names: a run of theirs takes up to a minute
USUAL = ("hand", "sdk", "run", "official-threads", "official-async")


@dataclass(frozen=True)
class Load:
    count: int
    flight: int
    latency: float

    @property
    def ideal(self) -> float:
        return math.ceil(self.count / self.flight) * self.latency


@dataclass
class Course:
    """The pictures, the server, and how a contender is sent over it."""

    service: FakeService
    folder: Path
    profile: str = ""

    def carry_out(self, name: str, load: Load, number: int) -> tuple[Spent, dict[str, int]]:
        source = self.folder / f"in-{load.count}"
        if not source.exists():
            source.mkdir()
            for at in range(load.count):
                (source / f"{at:05d}.jpg").write_bytes(picture(f"{load.count}/{at}"))
        home = self.folder / f"{name}-{load.flight}-{load.latency:g}-{load.count}-{number}"
        target = home / "out"
        target.mkdir(parents=True)
        self.service.control(latency=load.latency)
        if name == "run":
            spent = self._pipe(home, source, target, load)
        else:
            _, command, face = FACES[name]
            told = {"url": self.service.url, "source": str(source), "target": str(target), "face": face}
            told |= {"count": load.count, "flight": load.flight, "latency": load.latency}
            command = [command[0], str(HERE / "contenders" / command[1]), json.dumps(told)]
            spent = process.run(command)
        counted = self.service.control()
        arrived = sum(1 for path in target.iterdir() if path.stat().st_size >= 200_000)
        if arrived != load.count:
            raise SystemExit(f"{name}: {arrived} of {load.count} results arrived")
        return spent, counted

    def _pipe(self, home: Path, source: Path, target: Path, load: Load) -> Spent:
        (home / "bench.yaml").write_text(SPEC % (source, target), "utf-8")
        command = [PIPE, "run", "bench.yaml", "--yes", "--concurrency", str(load.flight)]
        if self.profile == "run" and load.count > 1:
            out = HERE / "results" / f"run-{load.flight}-{load.latency:g}.prof"
            out.parent.mkdir(exist_ok=True)
            command = [PYTHON, "-m", "cProfile", "-o", str(out), *command]
        env = {"SPEEDPIX_APP_KEY": KEY, "SPEEDPIX_APP_SECRET": SECRET, "SPEEDPIX_ENDPOINT": self.service.url}
        return process.run(command, cwd=home, env=env)


@dataclass
class Runs:
    """A contender's runs of one load, and what it spends with a single prediction."""

    name: str
    one: Spent
    many: list[Spent] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def cpus(self) -> list[float]:
        """CPU seconds of each run, beyond one prediction."""
        return [spent.cpu - self.one.cpu for spent in self.many]

    def row(self, load: Load, floor: Runs | None) -> dict[str, Any]:
        work = max(statistics.median(spent.wall for spent in self.many) - self.one.wall + load.latency, 1e-3)
        peak = max(spent.peak_mb for spent in self.many)
        ratios = [ours / theirs for ours, theirs in zip(self.cpus, floor.cpus, strict=False)] if floor else []
        return {
            "client": FACES[self.name][0],
            "work s": work,
            "CPU ms": statistics.median(self.cpus) * 1000 / (load.count - 1),
            "x": statistics.median(ratios) if ratios else None,
            "efficiency %": 100 * load.ideal / work if load.latency else None,
            "polls": self.counted["comfy_get_progress"] / load.count,
            "requests": self.counted["requests"] / load.count,
            "connections": self.counted["connections"],
            "at once": self.counted["at once"],
            "peak MB": peak,
            "beyond one MB": peak - self.one.peak_mb,
        }


def in_turns(course: Course, load: Load, names: Sequence[str], rounds: int) -> dict[str, Runs]:
    """All contenders in each round, so that what else the machine does hits all alike; slow ones in the first only."""
    runs = {name: Runs(name, course.carry_out(name, Load(1, load.flight, load.latency), 0)[0]) for name in names}
    for number in range(rounds):
        for name in names:
            if number == 0 or not name.startswith(SLOW):
                spent, runs[name].counted = course.carry_out(name, load, number + 1)
                runs[name].many.append(spent)
    return runs


def table(report: Report, course: Course, load: Load, names: Sequence[str], rounds: int) -> None:
    runs = in_turns(course, load, names, rounds)
    rows = {name: found.row(load, runs.get(FLOOR)) for name, found in runs.items()}
    floor = rows.get(FLOOR)
    report.table(f"{load.count} predictions, {load.flight} in flight, latency {load.latency:g} s", list(rows.values()))
    if floor is None:
        return
    for name, wanted in (("sdk", 2.0), ("run", 2.5)):
        if name in rows:
            report.judge(Verdict(f"{name}, CPU over aiohttp by hand", rows[name]["x"], wanted))
    sdk = rows.get("sdk")
    for name, share in (("official-threads", 0.5), ("official-async", 0.1)):
        if sdk and name in rows:
            report.judge(Verdict(f"sdk, CPU over {name}", sdk["CPU ms"] / rows[name]["CPU ms"], share))
    wanted_efficiency = {64: 96.0, 256: 80.0}.get(load.flight)
    for name in ("sdk", "run"):
        if name not in rows:
            continue
        row = rows[name]
        if load.latency == 2 and wanted_efficiency:
            report.judge(Verdict(f"{name}, efficiency", row["efficiency %"], wanted_efficiency, "%", at_least=True))
        report.judge(Verdict(f"{name}, connections at once", row["at once"], 100, ""))
        if load.latency:
            report.judge(Verdict(f"{name}, requests a prediction", row["requests"], 6.05, ""))
    if "run" in rows and load.flight <= 256:  # the target's own loads
        ours, theirs = (rows[name]["peak MB"] - rows[name]["beyond one MB"] for name in ("run", FLOOR))
        most = 1.5 * floor["peak MB"] + ours - theirs  # the imports are the difference of two runs of one
        report.judge(Verdict("run, peak memory", rows["run"]["peak MB"], most, "MB"))


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--flights", default="64,256,1000")
    parser.add_argument("--latencies", default="0,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(USUAL))
    parser.add_argument("--profile", default="", help="`run`: keep a profile of it in results/")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.count, options.flights, options.latencies, options.only = 6, "4", "0", "hand,sdk,run"
        options.rounds = 1
    report = Report("service", smoke=options.smoke)
    names = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder, process.fake_service() as service:
        course = Course(service, Path(folder), options.profile)
        for flight in map(int, options.flights.split(",")):
            for latency in map(float, options.latencies.split(",")):
                table(report, course, Load(options.count, flight, latency), names, options.rounds)
    report.save()
    return report


if __name__ == "__main__":
    main()
