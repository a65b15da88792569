"""Errors into text and exit codes: the one place where that is done.

What a user can mend is told in a sentence with a hint. What only we can mend is written to a log with its
traceback and versions, and the terminal is told where that is.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from speedpix_pipe.cli.output import give_up, print_json, terminal
from speedpix_pipe.errors import PipeError, Problem, RunInterruptedError, SpecError

# Commands whose --json is that of `run`, also when nothing was begun
REFUSED_AS_RUNS = (("run",), ("runs", "redo"), ("watch",))
BUG = 1
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong, on stderr and (with --json) as JSON on stdout; the exit code."""
    if _is_interrupt(error):
        error = RunInterruptedError("interrupted", code="run.interrupted")
    if isinstance(error, OSError) and error.errno in FULL:
        # What fills up unforeseen is what stdout was sent to: all other writing says itself what it could not write
        give_up()
        error = PipeError(f"the results could not be written: {error.strerror}", code="output.lost")
    if not isinstance(error, PipeError):
        return _tell_bug(error, arguments)
    show(error)
    _as_json(error, arguments)
    return error.exit_code


def _is_interrupt(error: BaseException) -> bool:
    """Ctrl-C, also where Python has wrapped it (a class that was being made says RuntimeError instead)."""
    while not isinstance(error, PipeError):
        if isinstance(error, KeyboardInterrupt):
            return True
        if error.__cause__ is None:
            return False
        error = error.__cause__
    return False


def show(error: PipeError) -> None:
    """The error for people, on stderr."""
    from speedpix_pipe.console.problems import render_error, render_problems

    screen = terminal()
    if isinstance(error, SpecError):
        text = render_problems(error.problems, color=screen.color, width=screen.wrap, language=screen.language)
    else:
        text = render_error(error, color=screen.color, width=screen.wrap, language=screen.language)
    print(text, file=sys.stderr)


def _as_json(error: PipeError, arguments: Sequence[str]) -> None:
    if "--json" not in arguments:
        return
    if arguments[0] == "validate":
        print_json([problem.to_json() for problem in _problems_of(error)])
        return
    from speedpix_pipe.summary import refusal

    refused = refusal(error).to_json()
    as_run = any(tuple(arguments[: len(command)]) == command for command in REFUSED_AS_RUNS)
    print_json(refused if as_run else {"errors": refused["errors"]})


def _problems_of(error: PipeError) -> list[Problem]:
    """A mistake of the command line as a problem, at its beginning: it has no line."""
    if isinstance(error, SpecError):
        return error.problems
    return [Problem("validate", 1, 1, error.code, error.message, hint=error.hint)]


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
