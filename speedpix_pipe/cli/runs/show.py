"""One run: what was done, what failed and why, where the files are.

With --json, stdout is the object of `run --json`, with pipeline, spec, service, started_at and `details`: every
task with its state, reason and timings, and with commit, dirty and digest of the spec. With --unknown, submissions of
unknown outcome that stand against it. With --resolved, the spec as it was in force then, ready to be run again.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import here, plain_ink, print_json, print_spec, program, terminal
from speedpix_pipe.cli.runs.base import add_run, past

if TYPE_CHECKING:
    from speedpix_pipe.store import RunRow, Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--unknown", action="store_true", help="list submissions of unknown outcome instead")
    parser.add_argument("--resolved", action="store_true", help="print the spec that the run carried out instead")
    add_json(parser, "the run, or the unknown submissions, or the spec,")


def run(args: argparse.Namespace) -> int:
    with past() as store:
        row = store.journal.run(args.run_id)
        if args.unknown:
            return _unknown(store, row, as_json=args.json)
        if args.resolved:
            print_spec(store.journal.started(row.id).resolved_spec, as_json=args.json)
            return 0
        return _whole(store, row, as_json=args.json)


def _whole(store: Store, row: RunRow, *, as_json: bool) -> int:
    from speedpix_pipe.app.runs import run_to_json, summary_of, task_to_json

    summary = summary_of(store, row)
    started = store.journal.started(row.id)
    if as_json:
        known = run_to_json(row)
        more = {name: known[name] for name in ("pipeline", "spec", "service", "started_at", "reason")}
        more |= {"commit": started.commit, "dirty": started.dirty, "spec_digest": started.spec_digest}
        status = {"status": known["status"], "resumable": known["resumable"]}
        details = [task_to_json(task) for task in store.journal.tasks(row.id)]
        print_json(summary.to_json() | status | more | {"details": details})
        return 0
    from speedpix_pipe.console.base import printable
    from speedpix_pipe.console.closing import render_closing

    ink = plain_ink()
    if row.died:
        print(ink.say("runs_died", run=row.id))
    when = row.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    print(ink.say("runs_where", spec=printable(row.spec_path), service=row.service, time=when))
    if started.commit:
        print(ink.say("runs_commit", commit=started.commit[:12]) + (ink.say("runs_dirty") if started.dirty else ""))
    print(
        render_closing(
            summary,
            color=ink.color,
            width=terminal().width if sys.stdout.isatty() else 80,
            report=f"{program()} report {row.id}",
            language=ink.language,
            program=program(),
            folder=here(),
        )
    )
    return 0


def _unknown(store: Store, row: RunRow, *, as_json: bool) -> int:
    from speedpix_pipe.app.runs import unknown_of, unknown_to_json

    found = unknown_of(store, row)
    if as_json:
        print_json([unknown_to_json(submission) for submission in found])
        return 0
    from speedpix_pipe.console.base import money, printable

    if not found:
        print(plain_ink().say("runs_no_unknown", run=row.id))
    for submission in found:
        price = money(submission.price) if submission.price is not None else "-"
        when = submission.requested_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        print(f"{when}  {printable(submission.step)}@{printable(submission.key)}  {price}")
    return 0
