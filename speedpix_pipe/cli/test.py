"""Carry out a spec's *.test.yaml cases on the emulator: no network, no account, no cost, nothing left behind.

Each case runs in a temporary folder of its own that holds the spec, its sub-pipelines and the files that the case
names. Exit code 1 when a case fails, 2 when a case file is wrong. With --json, stdout is a list of cases: path, line,
name, passed, seconds, misses (path, line, column, what, expected, came).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.cli.options import add_json
from speedpix_pipe.cli.output import print_json, say, terminal

if TYPE_CHECKING:
    from speedpix_pipe.app.spectest.carry_out import Verdict
    from speedpix_pipe.console.base import Ink

WIDEST = 300  # cells of a value that is shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "specs", metavar="SPEC", type=Path, nargs="*", help="pipelines whose cases are carried out; a folder: all in it"
    )
    parser.add_argument("--case", metavar="TEXT", default="", help="only cases with this text in their name")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the cases, and say where they are")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of case files, for editors")
    add_json(parser, "the cases")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.spectest.carry_out import TestRequest, cases_of, test

    if args.schema:
        from speedpix_pipe.app.spectest.casefile import schema_text

        print(schema_text(), end="")
        return 0
    request = TestRequest(_specs(args.specs), Path.cwd(), args.case, args.keep)
    from speedpix_pipe.console.base import Ink

    screen = terminal()
    ink = Ink(screen.color, screen.language)
    verdicts = []
    for verdict in test(request, cases_of(request)):
        verdicts.append(verdict)
        _show(verdict, ink)
    failed = sum(not verdict.passed for verdict in verdicts)
    cases = ink.count("case", len(verdicts))
    say(ink.say("cases_failed", cases=cases, failed=failed) if failed else ink.say("cases_passed", cases=cases))
    if args.json:
        print_json([verdict.to_json() for verdict in verdicts])
    return 1 if failed else 0


def _specs(given: list[Path]) -> list[Path]:
    if not given:
        from speedpix_pipe.errors import UsageError

        raise UsageError("the following arguments are required: SPEC", code="usage.arguments")
    return given


def _show(verdict: Verdict, ink: Ink) -> None:
    from speedpix_pipe.console.base import clip, duration, pad, printable

    word = ink.green(pad(ink.say("case_ok"), 6)) if verdict.passed else ink.red(pad(ink.say("case_failed"), 6))
    say(f"{word} {printable(verdict.case.name)} {ink.dim(f'({duration(verdict.seconds)})')}")
    for miss in verdict.misses:
        say(f"  {printable(str(miss.mark))}: {ink.said(miss.what)}")
        for label, value in (("case_expected", miss.expected), ("case_came", miss.came)):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            say(f"    {pad(ink.say(label), 8)}  {printable(clip(text, WIDEST))}")
    if verdict.folder is not None:
        say(f"  {ink.say('case_kept', folder=verdict.folder)}")
    sys.stderr.flush()
