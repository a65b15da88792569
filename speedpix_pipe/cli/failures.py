"""Errors into text and exit codes: the one place where that is done.

What a user can mend is told in a sentence with a hint. What only we can mend is written to a log with its
traceback and versions, and the terminal is told where that is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from speedpix_pipe.cli.output import print_json, terminal
from speedpix_pipe.errors import PipeError, RunInterruptedError, SpecError

REFUSED_AS_RUNS = frozenset({"run"})  # commands whose --json is that of `run`, also when nothing was begun
BUG = 1


def tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong, on stderr and (with --json) as JSON on stdout; the exit code."""
    if isinstance(error, KeyboardInterrupt):
        error = RunInterruptedError("interrupted", code="run.interrupted")
    if not isinstance(error, PipeError):
        return _tell_bug(error, arguments)
    show(error)
    _as_json(error, arguments)
    return error.exit_code


def show(error: PipeError) -> None:
    """The error for people, on stderr."""
    from speedpix_pipe.console.problems import render_error, render_problems

    screen = terminal()
    if isinstance(error, SpecError):
        text = render_problems(error.problems, color=screen.color, width=screen.width)
    else:
        text = render_error(error, color=screen.color)
    print(text, file=sys.stderr)


def _as_json(error: PipeError, arguments: Sequence[str]) -> None:
    if "--json" not in arguments:
        return
    from speedpix_pipe.summary import refusal

    refused = refusal(error).to_json()
    if arguments[0] in REFUSED_AS_RUNS:
        print_json(refused)
    elif arguments[0] != "validate":  # its JSON is a list of problems, and it prints that itself
        print_json({"errors": refused["errors"]})


def _tell_bug(error: BaseException, arguments: Sequence[str]) -> int:
    from speedpix_pipe.cli.logs import write_log

    log = write_log(error)
    broken = PipeError(
        f"this is a bug in speedpix-pipe: {type(error).__name__}; everything about it is in {log}",
        code="pipe.bug",
    )
    show(broken)
    _as_json(broken, arguments)
    return BUG
