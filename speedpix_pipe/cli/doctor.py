"""Look whether everything is there that a run needs: credentials, endpoint, clock, disk, limits, packages.

The service is asked something that costs nothing. Exit code 3 where something would keep a run from working; with
--local, neither credentials nor endpoint matter.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import plain_ink, print_json, terminal
from speedpix_pipe.settings import load_settings

TROUBLE = 3
LEFT = 19  # cells of verdict and check


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
    from speedpix_pipe.console.base import pad, wrap

    assert isinstance(finding, Finding)
    ink = plain_ink()
    paint = {Verdict.OK: ink.green, Verdict.WARN: ink.yellow, Verdict.BAD: ink.red}[finding.verdict]
    verdict, check = ink.say(f"doctor_{finding.verdict.value}"), ink.say(f"doctor_{finding.check.replace(' ', '_')}")
    room = max(40, terminal().width - LEFT)
    lines = wrap(ink.said(finding.message), room)
    print(f"{paint(pad(verdict, 6))}{pad(check, LEFT - 6)}{lines[0]}")
    for line in lines[1:]:
        print(f"{'':{LEFT}}{line}")
    for line in wrap(ink.said(finding.remedy), room) if finding.remedy else ():
        print(f"{'':{LEFT}}{ink.cyan(line)}")
    sys.stdout.flush()
