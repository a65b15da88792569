"""Check specs: every problem at once, each with its place. No network, no credentials.

A param that is not given is an unknown value, and what depends on it is not looked at. Warnings alone exit 0.
With --json, stdout is a list of problems: path, line, column, severity, code, message, hint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from speedpix_pipe.cli.options import add_json, add_params, add_rev, spec_request
from speedpix_pipe.cli.output import print_json, terminal
from speedpix_pipe.errors import Problem, Severity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("specs", metavar="SPEC", type=Path, nargs="+", help="pipelines to check")
    add_params(parser)
    add_rev(parser)
    parser.add_argument("--no-files", action="store_true", help="leave out all checks of files on disk")
    add_json(parser, "the problems")


def run(args: argparse.Namespace) -> int:
    from speedpix_pipe.app.validate import validate

    problems: list[Problem] = []
    for spec in args.specs:
        problems += validate(spec_request(args, spec))
    if args.json:
        print_json([problem.to_json() for problem in problems])
    elif problems:
        from speedpix_pipe.console.problems import render_problems

        screen = terminal()
        print(
            render_problems(problems, color=screen.color, width=screen.wrap, language=screen.language), file=sys.stderr
        )
    return 2 if any(problem.severity is Severity.ERROR for problem in problems) else 0
