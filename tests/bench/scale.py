"""How plans and runs grow: one step of N items, a second one chained to it, a run on kept results with saved files.

python tests/bench/scale.py [--sizes 1000,10000,100000] [--kept 1000] [--smoke]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import peers
import process
import specs
from process import HERE, PIPE, PYTHON, Spent
from table import Report, Verdict


def planned(folder: Path, text: str) -> Spent:
    specs.write(folder, text)
    return process.run([PIPE, "plan", "bench.yaml"], cwd=folder, env=specs.ENVIRONMENT)


def listed_by_doit(folder: Path, count: int) -> Spent:
    """doit's nearest thing to a plan: every task with whether it would run."""
    folder.mkdir()
    env = {"DODO_SHAPE": "fan", "DODO_COUNT": str(count), "DODO_STATE": str(folder / "doit.db")}
    command = [peers.PYTHON, "-m", "doit", "list", "--all", "--status", "-f", str(HERE / "contenders/dodo.py")]
    return process.run([PYTHON, "-c", _DISCARD, *command], cwd=folder, env=env)


# 100,000 lines are more than the pipe of `process.run` holds.
_DISCARD = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode)"


def plans(report: Report, folder: Path, sizes: Sequence[int]) -> None:
    rows = []
    for count in sizes:
        one = planned(folder / f"one-{count}", specs.fan(count))
        two = planned(folder / f"two-{count}", specs.two_steps(count))
        row = {"items": count, "one step s": one.wall, "one step MB": one.peak_mb, "two steps s": two.wall}
        row |= {"two steps MB": two.peak_mb, "CPU s": one.cpu, "two CPU s": two.cpu}
        if peers.ready():
            doit = listed_by_doit(folder / f"doit-{count}", count)
            row |= {"doit s": doit.wall, "doit MB": doit.peak_mb}
        rows.append(row)
    report.table("plan", rows)
    last = rows[-1]
    if "doit s" in last:
        report.judge(Verdict("plan of one step, over doit's time", last["one step s"] / last["doit s"], 1.25))
        report.judge(Verdict("plan of one step, over doit's memory", last["one step MB"] / last["doit MB"], 1.0))
    report.judge(Verdict("a chained step, more time", last["two steps s"] / last["one step s"], 1.6))
    report.judge(Verdict("a chained step, more memory", last["two steps MB"] - last["one step MB"], 60, "MB"))


def kept(report: Report, folder: Path, count: int) -> None:
    """Every task saves a small file; the second run finds all of them standing."""
    home = folder / "kept"
    specs.write(home, specs.fan(count, save=True))
    command = [PYTHON, str(HERE / "engine_only.py"), "run", "bench.yaml", "--yes", "--concurrency", "64"]
    env = {**specs.ENVIRONMENT, "NOOP_FILES": "1"}
    rows = []
    for what in ("first", "again"):
        spent = process.run([PYTHON, "-c", _DISCARD, *command], cwd=home, env=env)
        row = {"run": f"{count} files, {what}", "s": spent.wall, "CPU s": spent.cpu, "peak MB": spent.peak_mb}
        rows.append(row | {"us a task": spent.wall / count * 1e6})
    report.table("saved files", rows)
    journal = sum(path.stat().st_size for path in (home / ".speedpix").glob("*.db*")) / count / 2
    report.table("journal", [{"what": "bytes a task and run", "n": round(journal)}])


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--kept", type=int, default=1000)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.sizes, options.kept = "20", 5
    else:
        peers.install()
    report = Report("scale", smoke=options.smoke)
    with tempfile.TemporaryDirectory() as name:
        plans(report, Path(name), [int(size) for size in options.sizes.split(",")])
        kept(report, Path(name), options.kept)
    report.save()
    return report


if __name__ == "__main__":
    main()
