"""Every benchmark, one after the other, and what came of the targets: `make bench`.

python tests/bench/all.py [service engine ...] [--smoke]
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

NAMES = (
    "startup",
    "engine",
    "scale",
    "polling",
    "memory",
    "objects",
    "hot",
    "service",
    "walk_simulation",
    "cluster_jobs",
)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--smoke", action="store_true", help="seconds, not minutes: does each still work?")
    options = parser.parse_args()
    missed = 0
    for name in options.names or NAMES:
        print(f"\n=== {name}", flush=True)
        report = import_module(name).main(["--smoke"] if options.smoke else [])
        missed += sum(not verdict.met for verdict in report.verdicts)
    print(f"\n{missed} targets missed" if missed else "\nall targets met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
