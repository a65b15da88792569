"""Look whether everything is there that a run needs: credentials, endpoint, clock, disk, limits, packages.

The service is asked something that costs nothing. Exit code 3 where something would keep a run from working; with
--local, neither credentials nor endpoint matter.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import print_json, terminal
from speedpix_pipe.settings import load_settings

TROUBLE = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", default=Path(), help="the folder of the spec (default: here)"
    )
    add_json(parser, "the findings")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.doctor import examine
    from speedpix_pipe.app.surroundings import Finding, Verdict

    folder = args.folder.absolute()
    found: list[Finding] = []
    for finding in examine(load_settings(folder), folder):
        found.append(finding)
        if not args.json:
            _show(finding)
    bad = any(finding.verdict is Verdict.BAD for finding in found)
    if args.json:
        print_json({"ok": not bad, "checks": [finding.to_json() for finding in found]})
    return TROUBLE if bad else 0


def _show(finding: object) -> None:
    from speedpix_pipe.app.surroundings import Finding, Verdict
    from speedpix_pipe.console.base import Ink, pad, printable

    assert isinstance(finding, Finding)
    ink = Ink(sys.stdout.isatty() and terminal().color)
    paint = {Verdict.OK: ink.green, Verdict.WARN: ink.yellow, Verdict.BAD: ink.red}[finding.verdict]
    print(f"{paint(pad(finding.verdict.value, 6))}{pad(finding.check, 13)}{printable(finding.message)}")
    if finding.remedy:
        print(f"{'':19}{ink.cyan(printable(finding.remedy))}", flush=True)
