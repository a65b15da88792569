"""Show runs as they happen, in a browser on this machine: counts, pictures as they land, logs, cancel.

It listens on 127.0.0.1 only. The link on stdout carries a token; without it one may look and not change. Ctrl-C ends
it, and no run with it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from speedpix_pipe.cli.output import plain_ink
from speedpix_pipe.interrupts import check
from speedpix_pipe.settings import STATE_FOLDER, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", type=_port, default=0, help="the port (default: a free one)")
    parser.add_argument("--open", action="store_true", help="open it in a browser")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.live import live_page

    settings = load_settings()
    folder = settings.nearest_state_folder(Path.cwd()) or Path.cwd() / STATE_FOLDER
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with live_page(folder, port=args.port, language=settings.language) as page:
        print(page.link, flush=True)
        print(plain_ink().say("ui_shows", folder=folder), file=sys.stderr, flush=True)
        if args.open:
            import webbrowser

            webbrowser.open(page.link)
        check()
        ended.wait()
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f'"{text}" is no port')
    return int(text)
