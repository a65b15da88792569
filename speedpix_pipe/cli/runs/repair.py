"""Mend a damaged journal: everything that can still be read is saved, the ledger first; the old file is kept."""

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
    from speedpix_pipe.store import repair

    report = repair(state_folder(load_settings(), Path.cwd()), now=SystemClock().now)
    if args.json:
        print_json({"kept": str(report.kept), "rows": report.rows, "gaps": report.gaps, "rebuilt": report.rebuilt})
        return 0
    for table, rows in report.rows.items():
        lost = f", {report.gaps[table]} gaps" if report.gaps.get(table) else ""
        print(f"{table}: {rows:,} rows saved{lost}")
    if report.rebuilt:
        print(f"{report.rebuilt:,} submissions made again from the journal")
    print(f"the old journal is {report.kept}")
    return 0
