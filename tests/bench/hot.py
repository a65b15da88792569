"""What `hotfolder.py` finds, judged: how late a settled file is submitted, and whether a burst loses or doubles any.

python tests/bench/hot.py [--files 100] [--burst 10000] [--stalled 20000] [--smoke]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

import process
from process import PYTHON, ROOT
from table import Report, Verdict


def found(what: str, count: int) -> str:
    return process.run([PYTHON, "-m", "tests.bench.hotfolder", what, str(count)], cwd=ROOT).stdout


def number(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"no {pattern} in: {text}")
    return float(match[1])


def main(arguments: Sequence[str] | None = None) -> Report:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--burst", type=int, default=10_000)
    parser.add_argument("--stalled", type=int, default=20_000)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.files, options.burst, options.stalled = 2, 3, 0
    report = Report("hot", smoke=options.smoke)
    told = found("latency", options.files)
    row = {"what": f"{options.files} files one by one", "median ms": number(r"median (-?\d+)", told)}
    row["95 % ms"] = number(r"95 % (-?\d+)", told)
    report.table("beyond settle, until submitted", [row])
    report.judge(Verdict("settled to submitted, median", row["median ms"], 50, "ms"))
    report.judge(Verdict("settled to submitted, 95 %", row["95 % ms"], 250, "ms"))
    for what, count in (("burst", options.burst), ("stalled", options.stalled)):
        if not count:
            continue
        told = found(what, count)
        lost, doubled = number(r"lost (-?\d+)", told), number(r"doubled (-?\d+)", told)
        took = number(r"last submission (-?[\d.]+)", told)
        row = {"what": f"{count} files, {what}", "submitted after s": took, "lost": lost, "doubled": doubled}
        report.table(what, [row])
        report.judge(Verdict(f"{what}: lost or doubled", lost + doubled, 0, "files"))
    report.save()
    return report


if __name__ == "__main__":
    main()
