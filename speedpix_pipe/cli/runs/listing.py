"""All runs of this folder, the newest first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from speedpix_pipe.cli.options import add_json, positive
from speedpix_pipe.cli.output import plain_ink, print_json
from speedpix_pipe.cli.runs.base import past

if TYPE_CHECKING:
    from speedpix_pipe.console.base import Ink
    from speedpix_pipe.store import RunRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", metavar="N", type=positive, default=50, help="at most so many (default: 50)")
    add_json(parser, "the runs")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.runs import run_to_json

    with past() as store:
        rows = store.journal.runs(limit=args.limit)
    if args.json:
        print_json([run_to_json(row) for row in rows])
        return 0
    ink = plain_ink()
    for row in rows:
        print(_line(row, ink))
    return 0


def _line(row: RunRow, ink: Ink) -> str:
    from speedpix_pipe.app.runs import status_of
    from speedpix_pipe.console.base import cell_width, duration, pad, printable

    counts = ", ".join(ink.say(status, count=count) for status, count in row.counts.items() if count)
    took = duration(row.seconds) if row.seconds is not None else ""
    started = row.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
    again = ink.say("runs_resumable") if row.resumable and not row.lives else ""
    status = ink.say(f"status_{status_of(row)}") + again
    name = printable(row.pipeline)
    cells = [pad(name, max(20, cell_width(name))), pad(status, max(22, cell_width(status))), f"{took:>8}", counts]
    return f"{row.id}  {started}  {'  '.join(cells)}".rstrip()
