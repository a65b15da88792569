"""Exactly those tasks of a run again, then what follows from them: a run of its own.

Named tasks are made anew even where their results are kept; --failed asks again for what failed; --unknown sends
again what may or may not have been accepted, which may pay for it twice. STEP@KEY takes a whole key, a file's
name or stem, or a pattern with *. It is the spec as it stands now, with the params of that run.

With --new-seed each task gets another seed, in every field of its input that is one, and keeps what comes of it:
later runs find that picture in the cache. --spec-seed goes back, for nothing where the old picture is kept.

--rest goes on with a redo that was interrupted: what it sent is fetched, what it did not come to is done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from speedpix_pipe.cli.options import add_going, add_json
from speedpix_pipe.cli.running import carry_out, question
from speedpix_pipe.errors import UsageError
from speedpix_pipe.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="RUN|STEP@KEY",
        nargs="*",
        help="a run's id or its beginning (default: the latest), and tasks of it",
    )
    parser.add_argument("--failed", action="store_true", help="every task that failed")
    parser.add_argument("--unknown", action="store_true", help="every task whose submission is of unknown outcome")
    parser.add_argument(
        "--from-file",
        metavar="F",
        type=Path,
        help="tasks from a file, one STEP@KEY a line, as the gallery saves it; "
        "`new-seed: ` before one asks for another seed for it",
    )
    parser.add_argument("--rest", action="store_true", help="what an interrupted redo did not come to")
    seed = parser.add_mutually_exclusive_group()
    seed.add_argument("--new-seed", action="store_true", help="with another seed, which is then kept to")
    seed.add_argument("--spec-seed", action="store_true", help="with the seed that the spec says, dropping another one")
    add_going(parser)
    add_json(parser, "the new run's summary")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.redo import RedoRequest, redo
    from speedpix_pipe.app.runs import state_folder

    runs = [text for text in args.what if "@" not in text]
    if len(runs) > 1:
        raise UsageError(
            f'"{runs[1]}" is no task',
            code="usage.arguments",
            hint="tasks are written STEP@KEY; `STEP@*` is all of a step",
        )
    settings = load_settings()
    request = RedoRequest(
        state_folder=state_folder(settings, Path.cwd()),
        settings=settings,
        run=runs[0] if runs else None,
        failed=args.failed,
        unknown=args.unknown,
        tasks=[text for text in args.what if "@" in text],
        from_file=args.from_file,
        new_seed=args.new_seed,
        spec_seed=args.spec_seed,
        rest=args.rest,
        concurrency=args.concurrency,
        grace_seconds=args.grace,
        confirm=question(yes=args.yes),
    )
    return carry_out(
        lambda subscribe: redo(request, subscribe),
        request.state_folder,
        log_format=args.log_format,
        as_json=args.json,
    )
