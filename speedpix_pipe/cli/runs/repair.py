"""Mend a damaged journal: everything that can still be read is saved, the ledger first; the old file is kept.

A healthy journal is left as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import plain_ink, print_json
from speedpix_pipe.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, "what was saved")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.runs import state_folder
    from speedpix_pipe.clock import SystemClock
    from speedpix_pipe.store import repair

    report = repair(state_folder(load_settings(), Path.cwd()), now=SystemClock().now)
    if args.json:
        kept = None if report.kept is None else str(report.kept)
        counts = {"rebuilt": report.rebuilt, "rebuilt_runs": report.rebuilt_runs}
        print_json({"healthy": report.healthy, "kept": kept, "rows": report.rows, "gaps": report.gaps, **counts})
        return 0
    ink = plain_ink()
    if report.healthy:
        print(ink.say("runs_healthy"))
        return 0
    for table, rows in report.rows.items():
        lost = ink.count("runs_gaps", report.gaps[table]) if report.gaps.get(table) else ""
        print(f"{table}: {ink.count('runs_rows', rows)}{lost}")
    if report.rebuilt:
        print(ink.count("runs_rebuilt", report.rebuilt))
    if report.rebuilt_runs:
        print(ink.count("runs_rebuilt_runs", report.rebuilt_runs))
    if report.kept is not None:
        print(ink.say("runs_old_journal", path=report.kept))
    return 0
