"""How long one waits before anything happens: `--version`, `validate` of a small spec, `plan` of 300 tasks.

    python tests/bench/startup.py [--rounds 9] [--smoke]

As multiples of an empty Python in the same run. The smallest of several rounds counts: anything above it is the machine's
doing. Also what reading and checking a large spec takes, beyond a small one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import process
import specs
from process import HERE, PIPE, PYTHON
from table import Report, Verdict


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.rounds = 1
    report = Report("startup", smoke=options.smoke)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for home, text in (("small", specs.chain(3)), ("plan", specs.fan(300)), ("large", specs.many_steps(300))):
            specs.write(folder / home, text)
        commands = {
            "python -c pass": ([PYTHON, "-c", "pass"], "small", None),
            "--version": ([PIPE, "--version"], "small", 4.0),
            "validate, 3 steps": ([PIPE, "validate", "bench.yaml"], "small", 12.0),
            "plan of 300 tasks": ([PIPE, "plan", "bench.yaml"], "plan", 18.0),
            "validate, 300 steps": ([PIPE, "validate", "bench.yaml"], "large", None),
            "run of one no-op task": (
                [PYTHON, str(HERE / "engine_only.py"), "run", "bench.yaml", "--yes"],
                "small",
                None,
            ),
        }
        rows: dict[str, dict] = {}
        for what, (command, home, _) in commands.items():
            spents = [process.run(command, cwd=folder / home, env=specs.ENVIRONMENT) for _ in range(options.rounds)]
            best = min(spent.wall for spent in spents)
            rows[what] = {"what": what, "s": best, "CPU s": min(spent.cpu for spent in spents)}
        floor = rows["python -c pass"]["s"]
        for row in rows.values():
            row["x"] = row["s"] / floor
        report.table("start-up, whole process", list(rows.values()))
        for what, (_, _, wanted) in commands.items():
            if wanted is not None:
                report.judge(Verdict(f"{what}, over an empty Python", rows[what]["x"], wanted))
        beyond = (rows["validate, 300 steps"]["s"] - rows["validate, 3 steps"]["s"]) * 1000
        report.judge(Verdict("300 steps validated, beyond 3", beyond, 150, "ms"))
    report.save()
    return report


if __name__ == "__main__":
    main()
