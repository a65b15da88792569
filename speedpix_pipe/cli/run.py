"""Carry out a pipeline: everything that can run at once does, nothing is paid for twice.

Progress, problems and the closing summary go to stderr. stdout carries results: with --json one object as its last
line, otherwise, where stdout is no terminal, the path of each saved file, one a line.
"""

from __future__ import annotations

import argparse

from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.cli.options import (
    add_executor,
    add_going,
    add_json,
    add_local,
    add_params,
    add_rev,
    add_selection,
    add_spec,
    add_ui,
    spec_request,
)
from speedpix_pipe.cli.output import say_translated
from speedpix_pipe.cli.running import carry_out, live, question


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_params(parser)
    add_local(parser)
    add_rev(parser)
    add_selection(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the last unfinished run of this spec: with its params, and on the emulator if it began there",
    )
    parser.add_argument("--no-cache", action="store_true", help="use no earlier result, and share none")
    parser.add_argument(
        "--watch", action="store_true", help="when the spec or its files change, run again what changed"
    )
    add_executor(parser)
    add_going(parser)
    add_ui(parser)
    add_json(parser, "the run's summary")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.run import run as start

    request = RunRequest(
        spec=spec_request(args),
        local=args.local,
        only=args.only,
        start_from=args.start_from,
        resume=args.resume,
        no_cache=args.no_cache,
        concurrency=args.concurrency,
        grace_seconds=args.grace,
        executor=args.executor,
        scheduler=args.scheduler,
        confirm=question(yes=args.yes),
    )
    state_folder = request.spec.settings.state_folder((request.spec.cwd / args.spec).resolve().parent)
    with live(state_folder, wanted=args.ui):

        def once() -> int:
            return carry_out(
                lambda subscribe: start(request, subscribe), state_folder, log_format=args.log_format, as_json=args.json
            )

        if not args.watch:
            return once()
        from speedpix_pipe.app.rerun import rerun
        from speedpix_pipe.cli.failures import show

        return rerun(request, once, tell=say_translated, show=show)
