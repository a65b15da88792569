"""The SpeedPix API on 127.0.0.1, with real pixels and, if asked, bad days.

Key and secret are taken from SPEEDPIX_APP_KEY and SPEEDPIX_APP_SECRET, as clients do; "local" where they are not
set. What to export for clients is printed on stdout. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import shlex
import sys

from speedpix_pipe.errors import UsageError
from speedpix_pipe.interrupts import check
from speedpix_pipe.settings import APP_KEY, APP_SECRET, ENDPOINT, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", type=_port, default=0, help="the port (default: a free one)")
    parser.add_argument(
        "--latency", metavar="S", type=_seconds, default=0.0, help="seconds that a prediction takes (default: 0)"
    )
    parser.add_argument(
        "--jitter", metavar="S", type=_seconds, default=0.0, help="up to so many seconds more, at random (default: 0)"
    )
    parser.add_argument(
        "--slots", metavar="N", type=int, default=0, help="predictions at once, the others queue (default: all)"
    )
    parser.add_argument(
        "--result-ttl", metavar="S", type=_seconds, default=3600.0, help="how long result URLs live (default: 3600)"
    )
    parser.add_argument(
        "--fault",
        metavar="WHERE:KIND",
        action="append",
        default=[],
        help="what goes wrong: WHERE:KIND[:times=N][:after=N][:match=TEXT][:seconds=S], such as "
        "submit:reset-after:times=2; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.emulator import EmulatorOptions, Fault, serve

    settings = load_settings()
    key = settings.app_key.reveal() if settings.app_key else "local"
    secret = settings.app_secret.reveal() if settings.app_secret else "local"
    try:
        faults = tuple(Fault.parse(text) for text in args.fault)
    except ValueError as error:
        raise UsageError(str(error), code="usage.fault") from error
    options = EmulatorOptions(
        port=args.port,
        app_key=key,
        app_secret=secret,
        latency=args.latency,
        jitter=args.jitter,
        slots=args.slots,
        result_ttl=args.result_ttl,
        faults=faults,
    )

    def ready(url: str) -> None:
        print(f"export {ENDPOINT}={url}")
        if settings.app_key is None:
            print(f"export {APP_KEY}={shlex.quote(key)}")
        if settings.app_secret is None:
            print(f"export {APP_SECRET}={shlex.quote(secret)}")
        sys.stdout.flush()
        print(f"the emulator answers on {url}; Ctrl-C ends it", file=sys.stderr, flush=True)
        check()

    try:
        serve(options, ready)
    except OSError as error:
        raise UsageError(f"port {args.port} cannot be used: {error.strerror or error}", code="usage.port") from error
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f'"{text}" is no port')
    return int(text)


def _seconds(text: str) -> float:
    """A number of seconds, or a duration with its unit."""
    from speedpix_pipe.spec.scalars import parse_duration

    seconds = parse_duration(text if text[-1:].isalpha() else f"{text}s")
    if seconds is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of seconds')
    return seconds
