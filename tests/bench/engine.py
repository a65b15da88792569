"""What the engine itself costs: tasks that do nothing, run and run again, beside other engines.

    python tests/bench/engine.py [--large 10000,100000] [--rounds 9] [--smoke]

Ours goes the whole way: spec, expressions, fingerprints, journal on disk, kept results; `engine_only.py` only takes the place
of the service. What is told is the whole process; "beyond one" is what a run costs over the same with one task.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count as counter
from pathlib import Path

import peers
import process
import specs
from process import HERE, PYTHON, Spent
from table import Report, Verdict

Go = Callable[[str, int, bool], Spent]
_number = counter()


@dataclass
class Engines:
    """Each runs a shape (`fan`, `chain`) of a size; `again` is the second run of the same."""

    folder: Path
    homes: dict[tuple[str, str, int], Path] = field(default_factory=dict)

    def _home(self, who: str, shape: str, count: int, *, again: bool) -> Path:
        if not again:
            home = self.homes[who, shape, count] = self.folder / f"{who}-{next(_number)}"
            home.mkdir()
        return self.homes[who, shape, count]

    def ours(self, shape: str, count: int, again: bool) -> Spent:
        home = self._home("ours", shape, count, again=again)
        if not again:
            specs.write(home, specs.chain(count) if shape == "chain" else specs.fan(count))
        env = {**specs.ENVIRONMENT, "NOOP_CHECK": "1"}
        command = [PYTHON, str(HERE / "engine_only.py"), "run", "bench.yaml", "--yes", "--concurrency", "64"]
        return process.run(command, cwd=home, env=env)

    def doit(self, shape: str, count: int, again: bool, *, files: bool = False) -> Spent:
        home = self._home(f"doit-{files}", shape, count, again=again)
        env = {"DODO_SHAPE": shape, "DODO_COUNT": str(count), "DODO_STATE": str(home / "doit.db")}
        if files:
            env["DODO_FILES"] = str(home)
        return process.run([peers.PYTHON, "-m", "doit", "-f", str(HERE / "contenders/dodo.py")], cwd=home, env=env)

    def hand(self, shape: str, count: int, _again: bool) -> Spent:
        return process.run([PYTHON, str(HERE / "contenders/by_hand.py"), shape, str(count)])

    def dask(self, shape: str, count: int, _again: bool) -> Spent:
        return process.run([peers.PYTHON, str(HERE / "contenders/with_dask.py"), shape, str(count)])


def measured(go: Go, shape: str, count: int, rounds: int, *, again: bool = False) -> tuple[float, float]:
    """Median wall seconds and peak MB."""
    return in_turns({"": go}, shape, count, rounds, again=again)[""]


def in_turns(
    names: Mapping[str, Go], shape: str, count: int, rounds: int, *, again: bool = False
) -> dict[str, tuple[float, float]]:
    """The same for several, each in its turn of every round, so that what else the machine does hits all alike."""
    spents: dict[str, list[Spent]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, go in names.items():
            spents[name].append(go(shape, count, again))
    return {
        name: (statistics.median(spent.wall for spent in found), max(spent.peak_mb for spent in found))
        for name, found in spents.items()
    }


def small(report: Report, engines: Engines, rounds: int, fan: int, chain: int) -> None:
    names: dict[str, Go] = {"ours": engines.ours, "asyncio by hand": engines.hand}
    if peers.ready() and not report.smoke:
        names |= {"doit": partial(engines.doit, files=True), "doit, values only": engines.doit}
        names["Dask, threads"] = engines.dask
    lasting = {name: go for name, go in names.items() if name not in {"asyncio by hand", "Dask, threads"}}
    columns = {
        "one task s": in_turns(names, "fan", 1, rounds),
        f"fan of {fan} s": in_turns(names, "fan", fan, rounds),
        f"chain of {chain} s": in_turns(names, "chain", chain, rounds),
        "nothing to do again s": in_turns(lasting, "fan", fan, rounds, again=True),
    }
    found = {
        name: {what: column[name][0] if name in column else None for what, column in columns.items()} for name in names
    }
    report.table("small runs, whole process", [{"engine": name, **row} for name, row in found.items()])
    if "doit" not in found:
        return
    ours, doit = found["ours"], found["doit"]
    report.judge(Verdict("one task, over doit", ours["one task s"] / doit["one task s"], 2.0))
    for shape in (f"fan of {fan} s", f"chain of {chain} s"):
        beyond, theirs = (row[shape] - row["one task s"] for row in (ours, doit))
        report.judge(Verdict(f"{shape[:-2]} beyond one task, over doit", beyond / max(theirs, 1e-3), 2.0))


def large(report: Report, engines: Engines, sizes: Sequence[int], rounds: int) -> None:
    rows, one = [], measured(engines.ours, "fan", 1, rounds)[0]
    for count in sizes:
        first, peak = measured(engines.ours, "fan", count, 1)
        state = engines.homes["ours", "fan", count] / ".speedpix"
        size = sum(path.stat().st_size for path in state.rglob("*") if path.is_file()) / 1e6
        hand, _ = measured(engines.hand, "fan", count, 1)
        both: dict[str, Go] = {"again": engines.ours}
        if peers.ready() and not report.smoke:
            engines.doit("fan", count, False)
            both["doit again"] = engines.doit
        row = {"tasks": count, "run s": first, "us a task": (first - one) / count * 1e6, "peak MB": peak}
        row |= {"state MB": size, "by hand s": hand}
        for name, (seconds, most) in in_turns(both, "fan", count, rounds, again=True).items():
            row |= {f"{name} s": seconds, f"{name} MB": most}
        rows.append(row)
    if not rows:
        return
    report.table("large runs", rows)
    for row in rows:
        count = row["tasks"]
        beyond = (row["run s"] - one - row["by hand s"]) / count * 1e6
        report.judge(Verdict(f"{count:,} tasks beyond asyncio by hand", beyond, 200, "us a task"))
        report.judge(Verdict(f"{count:,} again, peak memory", row["again MB"], 1024, "MB"))
    small_one = next((row for row in rows if row["tasks"] == 10_000 and "doit again s" in row), None)
    if small_one is not None:
        for row in rows:
            wanted = small_one["doit again s"] * row["tasks"] / 10_000
            report.judge(Verdict(f"{row['tasks']:,} with nothing to do, over doit's", row["again s"] / wanted, 1.0))


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fan", type=int, default=300)
    parser.add_argument("--chain", type=int, default=100)
    parser.add_argument("--large", default="10000,100000")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.fan, options.chain, options.large, options.rounds = 5, 3, "20", 1
    else:
        peers.install()
    os.environ["PYTHONHASHSEED"] = "0"
    report = Report("engine", smoke=options.smoke)
    with tempfile.TemporaryDirectory() as folder:
        engines = Engines(Path(folder))
        small(report, engines, options.rounds, options.fan, options.chain)
        large(report, engines, [int(size) for size in options.large.split(",") if size], options.rounds)
    report.save()
    return report


if __name__ == "__main__":
    main()
