"""Stop a run for good: it takes no new work, finishes what it must, and cannot be resumed.

Predictions under way are paid for: a later run with the same input joins them.
"""

from __future__ import annotations

import argparse

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import plain_ink, print_json
from speedpix_pipe.cli.runs.base import add_run, past


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_json(parser, "what was done")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.runs import cancel

    with past(write=True) as store:
        row = store.journal.run(args.run_id)
        asked = cancel(store, row)
    if args.json:
        print_json({"run_id": row.id, "asked": asked})
    elif asked:
        print(plain_ink().say("runs_asked", run=row.id))
    else:
        print(plain_ink().say("runs_given_up", run=row.id))
    return 0
