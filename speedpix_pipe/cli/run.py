"""Carry out a pipeline: everything that can run at once does, nothing is paid for twice.

Progress, problems and the closing summary go to stderr. stdout carries results: with --json one object as its last
line, otherwise, where stdout is no terminal, the path of each saved file, one a line.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.cli.options import (
    add_json,
    add_local,
    add_params,
    add_rev,
    add_selection,
    add_spec,
    duration,
    positive,
    spec_request,
)
from speedpix_pipe.cli.output import Terminal, print_json, say, terminal

if TYPE_CHECKING:
    from speedpix_pipe.console.base import Subscriber
    from speedpix_pipe.summary import Tally


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_params(parser)
    add_local(parser)
    add_rev(parser)
    add_selection(parser)
    parser.add_argument("--resume", action="store_true", help="go on with the last unfinished run of this spec")
    parser.add_argument("--no-cache", action="store_true", help="use no earlier result, and share none")
    parser.add_argument(
        "--concurrency", metavar="N", type=positive, help="predictions in flight, over the spec's limit"
    )
    parser.add_argument(
        "--grace",
        metavar="8s",
        type=duration,
        default=8.0,
        help="how long the first Ctrl-C waits for what is on its way (default: 8s)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before paying; limits hold all the same")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="json: an event a line on stderr (default: text)"
    )
    add_json(parser, "the run's summary")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.run import run as carry_out
    from speedpix_pipe.cli.logs import LogFile

    screen = terminal()
    request = RunRequest(
        spec=spec_request(args),
        local=args.local,
        only=args.only,
        start_from=args.start_from,
        resume=args.resume,
        no_cache=args.no_cache,
        concurrency=args.concurrency,
        grace_seconds=args.grace,
        confirm=_question(args, screen),
    )
    folder = request.spec.settings.state_folder((request.spec.cwd / args.spec).resolve().parent)
    with LogFile(folder) as log:
        outcome = asyncio.run(carry_out(request, partial(_subscribers, screen, args.log_format)))
    summary = outcome.summary
    if args.log_format == "text":
        from speedpix_pipe.console.closing import render_closing

        command = f"speedpix-pipe report {summary.run_id}" if summary.total else None
        say(render_closing(summary, color=screen.color, width=screen.width, report=command))
    if log.path is not None:
        say(f"something went wrong inside speedpix-pipe itself; it is written down in {log.path}")
    if args.json:
        print_json(summary.to_json())
    elif not sys.stdout.isatty():
        _list_files([file.path for file in summary.files], (request.spec.cwd / args.spec).resolve().parent)
    return outcome.exit_code


def _subscribers(screen: Terminal, log_format: str, tally: Tally, _loaded: object) -> Sequence[Subscriber]:
    if log_format == "json":
        from speedpix_pipe.console.logs import JsonLines

        return [JsonLines(say)]
    if screen.live:
        from speedpix_pipe.console.progress import LiveView

        return [LiveView(tally, sys.stderr, color=screen.color)]
    from speedpix_pipe.console.logs import PlainLines

    return [PlainLines(tally, say)]


def _question(args: argparse.Namespace, screen: Terminal) -> Callable[[str], bool] | None:
    """How to ask before paying; None where nobody is there to answer, or the answer was given."""
    if args.yes or not screen.live or not sys.stdin.isatty():
        return None

    def ask(question: str) -> bool:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes", "是"}

    return ask


def _list_files(paths: Sequence[str], folder: Path) -> None:
    """Paths as they are to be written from here."""
    here = Path.cwd()
    for path in dict.fromkeys(paths):
        full = folder / path
        print(os.path.relpath(full, here) if full.is_relative_to(here) else full)
