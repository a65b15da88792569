"""What changed between two states of a spec in meaning, and what would run again. Nothing is sent.

Compares the revision of the first --rev with that of the second, or with the file as it is now; HEAD where no --rev
is given. Comments, order and white space show as no change. With --json, stdout is one object: before, after, changes
(kind, what, name, field, before, after) and tasks (as `plan --json` has its steps, and changed).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from speedpix_pipe.cli.options import add_json, add_local, add_params, add_spec, spec_request
from speedpix_pipe.cli.output import plain_ink, print_json
from speedpix_pipe.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    parser.add_argument(
        "--rev",
        dest="revisions",
        metavar="GITREV",
        action="append",
        default=[],
        help="compare this revision with the file as it is now; give it twice to compare two revisions",
    )
    add_params(parser)
    add_local(parser)
    add_json(parser, "the difference")


def run(args: argparse.Namespace) -> int:
    if len(args.revisions) > 2:
        raise UsageError("diff compares two states: give --rev once or twice", code="usage.arguments")
    from speedpix_pipe.app.diff import DiffRequest, diff

    before, after = [*args.revisions, None, None][:2]
    request = replace(spec_request(args), rev=None)
    found = diff(DiffRequest(request, before or "HEAD", after, args.local))
    if args.json:
        print_json(found.to_json())
        return 0
    from speedpix_pipe.console.base import printable
    from speedpix_pipe.console.diffs import render_changes, render_tasks

    ink = plain_ink()
    print(f"{printable(found.name)}: {printable(found.before)} -> {printable(found.after)}")
    print(render_changes(found.changes, language=ink.language))
    if found.tasks is not None:
        tasks = [(step.estimate, step.changed) for step in found.tasks]
        print(f"\n{render_tasks(tasks, language=ink.language)}")
    elif found.why_not:
        print(f"\n{ink.say('diff_why_not', why=ink.said(found.why_not))}", file=sys.stderr)
    return 0
