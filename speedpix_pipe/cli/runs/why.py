"""Why a task ran or was reused: what changed since the last time, value by value."""

from __future__ import annotations

import argparse
import json

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import plain_ink, print_json
from speedpix_pipe.cli.runs.base import past


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="STEP@KEY", help="the task: its key, a file's name or stem, or a pattern")
    parser.add_argument("--run", dest="run_id", metavar="RUN", help="in this run (default: the latest)")
    add_json(parser, "the answer")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.runs import why
    from speedpix_pipe.console.base import clip, printable

    with past() as store:
        found = why(store, store.journal.run(args.run_id), args.task)
    if args.json:
        print_json(found.to_json())
        return 0
    print(f"{printable(found.task.task)}: {plain_ink().said(found.sentence)}")
    for place, before, now in found.changes:
        was, is_now = (clip(json.dumps(value, ensure_ascii=False), 60) for value in (before, now))
        print(f"  {printable(place)}: {printable(was)} -> {printable(is_now)}")
    return 0
