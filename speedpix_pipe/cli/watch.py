"""Watch the folders of a spec: every file that arrives is processed once, and moves to done or failed.

Files are taken when they have stood still for `settle`. Progress goes to stderr, a line per file; with --json stdout
gets one object per run, a line each. The first Ctrl-C finishes what is on its way; the next start goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.cli.options import (
    add_executor,
    add_json,
    add_local,
    add_params,
    add_spec,
    add_ui,
    duration,
    positive,
    spec_request,
)
from speedpix_pipe.cli.output import plain_ink, print_json, say, say_translated
from speedpix_pipe.cli.running import live, look_after_memory

if TYPE_CHECKING:
    from speedpix_pipe.console.base import Subscriber
    from speedpix_pipe.summary import RunSummary, Tally


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_params(parser)
    parser.add_argument("--once", action="store_true", help="process what is there now, then end")
    add_local(parser)
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
    add_executor(parser)
    add_ui(parser)
    parser.add_argument("--health", metavar="FILE", type=Path, help="keep this JSON file up to date: red or green, why")
    parser.add_argument("--take-over", metavar="ID", help="adopt the files that another watcher had claimed")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="json: an event a line on stderr (default: text)"
    )
    add_json(parser, "each run's summary, a line each,")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.request import RunRequest
    from speedpix_pipe.app.watch import WatchRequest, watch
    from speedpix_pipe.cli.logs import LogFile

    spec = spec_request(args)
    request = WatchRequest(
        run=RunRequest(
            spec=spec,
            local=args.local,
            concurrency=args.concurrency,
            grace_seconds=args.grace,
            executor=args.executor,
            scheduler=args.scheduler,
        ),
        once=args.once,
        health=args.health.absolute() if args.health else None,
        take_over=args.take_over,
    )
    state_folder = spec.settings.state_folder((spec.cwd / args.spec).resolve().parent)
    as_json = args.log_format == "json"
    look_after_memory()
    with LogFile(state_folder) as log, live(state_folder, wanted=args.ui):
        outcome = asyncio.run(
            watch(
                request,
                subscribe=_events if as_json else _nothing,
                tell=_json_line if as_json else _tell,
                on_run=_print_run if args.json else _no_run,
            )
        )
    if not as_json:
        ink = plain_ink()
        left = ink.say("watch_left", count=outcome.left) if outcome.left else ""
        _say(ink.say("watch_ended", done=outcome.done, failed=outcome.failed) + left)
    if log.path is not None:
        _say(plain_ink().say("bug_inside", path=log.path))
    return outcome.exit_code


def _events(_tally: Tally, _loaded: object) -> Sequence[Subscriber]:
    from speedpix_pipe.console.logs import JsonLines

    return [JsonLines(_say)]


def _nothing(_tally: Tally, _loaded: object) -> Sequence[Subscriber]:
    return []


def _say(text: str) -> None:
    """A service goes on when nobody reads its log any more."""
    with contextlib.suppress(OSError):
        say(text)


def _tell(message: str) -> None:
    with contextlib.suppress(OSError):
        say_translated(message)


def _json_line(message: str) -> None:
    _say(json.dumps({"event": "watch", "at": datetime.now(UTC).isoformat(), "message": message}))


def _print_run(summary: RunSummary) -> None:
    print_json(summary.to_json())
    sys.stdout.flush()


def _no_run(summary: RunSummary) -> None:
    """Without --json the lines of the files say it all."""
