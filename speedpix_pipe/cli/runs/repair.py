"""Mend a damaged journal: everything that can still be read is saved, the ledger first; the old file is kept.

A healthy journal is left as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import print_json
from speedpix_pipe.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, "what was saved")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.runs import state_folder
    from speedpix_pipe.clock import SystemClock
    from speedpix_pipe.console.base import plural
    from speedpix_pipe.store import repair

    report = repair(state_folder(load_settings(), Path.cwd()), now=SystemClock().now)
    if args.json:
        kept = None if report.kept is None else str(report.kept)
        counts = {"rebuilt": report.rebuilt, "rebuilt_runs": report.rebuilt_runs}
        print_json({"healthy": report.healthy, "kept": kept, "rows": report.rows, "gaps": report.gaps, **counts})
        return 0
    if report.healthy:
        print("the journal is healthy: nothing was changed")
        return 0
    for table, rows in report.rows.items():
        lost = ", " + plural(report.gaps[table], "gap") if report.gaps.get(table) else ""
        print(f"{table}: {plural(rows, 'row')} saved{lost}")
    if report.rebuilt:
        print(f"{plural(report.rebuilt, 'submission')} made again from the journal")
    if report.rebuilt_runs:
        print(f"{plural(report.rebuilt_runs, 'run')} made again from the journal")
    if report.kept is not None:
        print(f"the old journal is {report.kept}")
    return 0
