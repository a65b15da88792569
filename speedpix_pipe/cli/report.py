"""A run as a gallery: one HTML file that needs no network, inputs beside what every step made of them.

The path of the file is the one line on stdout. By default it is .speedpix/reports/RUN.html.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import plain_ink, print_json, terminal
from speedpix_pipe.cli.runs.base import add_run, past
from speedpix_pipe.settings import load_settings

QUIET_SECONDS = 1.0
REDRAW_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("-o", dest="target", metavar="FILE", type=Path, help="write it there")
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    add_json(parser, "run and path")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.report import write_report

    target = args.target.absolute() if args.target else None
    with past() as store, _progress() as progress:
        row = store.journal.run(args.run_id)
        written = write_report(store, row, target, language=load_settings().language, progress=progress)
    if args.json:
        print_json({"run_id": row.id, "path": str(written)})
    else:
        print(written)
    if args.open:
        import webbrowser

        webbrowser.open(written.as_uri())
    return 0


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A line that counts thumbnails, where a terminal shows it and once it takes long enough to be asked about."""
    screen = terminal()
    if not screen.live:
        yield None
        return
    ink = plain_ink()
    begun = shown = time.monotonic()

    def count(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - begun > QUIET_SECONDS and (now - shown > REDRAW_SECONDS or done == total):
            shown = now
            print(f"\r\x1b[K{ink.say('report_progress', done=done, total=total)}", end="", file=sys.stderr, flush=True)

    try:
        yield count
    finally:
        if shown > begun:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
