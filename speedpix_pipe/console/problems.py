"""Problems of a spec as text: place and message, the line itself, a caret run under what is meant, a hint.

Finding problems is `spec`'s work; this room only shows them, all at once and in the order of the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, groupby

from speedpix_pipe.console.base import Ink, cell_width, printable, wrap
from speedpix_pipe.errors import PipeError, Problem, Severity, in_order
from speedpix_pipe.words.messages import translated

MOST_SHOWN = 100
SNIPPET = 100  # cells of a spec's line, where no terminal tells
MOST_OF_A_KIND = 5  # warnings of one code in one file: the sixth says nothing new
TAB = 4


def render_problems(
    problems: Sequence[Problem],
    *,
    color: bool = False,
    width: int | None = None,
    limit: int = MOST_SHOWN,
    language: str = "en",
) -> str:
    """All problems as one text without a final line break; past `limit`, and of warnings alike, only their number.

    Long lines are broken at `width` cells; without it they stay whole, for programs that read them.
    """
    ink = Ink(color, language)
    ordered = in_order(problems)
    shown = _telling(ordered)[:limit]
    blocks = [_block(problem, ink, width) for problem in shown]
    if len(ordered) > len(shown):
        blocks.append(ink.say("more", count=len(ordered) - len(shown)))
    if len(ordered) > 1:
        blocks.append(ink.bold(_count(ordered, ink)))
    return "\n\n".join(blocks)


def render_error(error: PipeError, *, color: bool = False, width: int | None = None, language: str = "en") -> str:
    """An error that is not about a place in a file: what is wrong, and what to do. `width` as of problems."""
    ink = Ink(color, language)
    text = f"{ink.red(ink.say('is_error'))} {_lines(error.message, ink)}"
    hint = f"{ink.cyan(ink.say('is_hint'))} {_lines(error.hint, ink)}" if error.hint else ""
    return "\n".join([*_wrapped(text, width, 0), *(_wrapped(hint, width, 2) if hint else ())])


def _wrapped(text: str, width: int | None, indent: int) -> list[str]:
    """Lines that were there stay; long ones are broken between words."""
    before = " " * indent
    if width is None:
        return [before + line.replace("\u00a0", " ") for line in text.split("\n")]
    return [before + line for part in text.split("\n") for line in wrap(part, max(20, width - indent), indent=2)]


def _lines(text: str, ink: Ink) -> str:
    return "\n".join(printable(line) for line in translated(text, ink.language).split("\n"))


def _telling(problems: Sequence[Problem]) -> list[Problem]:
    """Every error, and of warnings alike the first few."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for problem in problems:
        if problem.severity is Severity.WARNING:
            seen[problem.path, problem.code] += 1
            if seen[problem.path, problem.code] > MOST_OF_A_KIND:
                continue
        kept.append(problem)
    return kept


def _count(problems: Sequence[Problem], ink: Ink) -> str:
    errors = sum(p.severity is Severity.ERROR for p in problems)
    warnings = len(problems) - errors
    parts = [ink.say("error_1" if errors == 1 else "errors", count=errors)] if errors else []
    if warnings:
        parts.append(ink.say("warning_1" if warnings == 1 else "warnings", count=warnings))
    names = [path for path, _ in groupby(sorted(p.path for p in problems))]
    where = printable(names[0]) if len(names) == 1 else ink.count("file", len(names))
    return ink.say("in_where", what=", ".join(parts), where=where)


def _block(problem: Problem, ink: Ink, width: int | None) -> str:
    place = ink.bold(printable(f"{problem.path}:{problem.line}:{problem.column}:"))
    warning = problem.severity is Severity.WARNING
    word = f"{ink.yellow(ink.say('is_warning'))} " if warning else ""
    lines = _wrapped(f"{place} {word}{_lines(problem.message, ink)}", width, 0)
    gutter = len(str(problem.line)) + 2
    if problem.snippet is not None:
        shown, before, under = _window(problem, max(20, (width or SNIPPET) - gutter - 3))
        caret = "^" * max(1, under)
        lines.append(f"{ink.dim(f'{problem.line:>{gutter}} |')} {shown}".rstrip())
        mark = ink.yellow(caret) if warning else ink.red(caret)
        lines.append(f"{ink.dim(' ' * gutter + ' |')} {' ' * before}{mark}")
    if problem.hint:
        lines += _wrapped(f"{ink.cyan(ink.say('is_hint'))} {_lines(problem.hint, ink)}", width, gutter + 1)
    return "\n".join(lines)


def _window(problem: Problem, room: int) -> tuple[str, int, int]:
    """The part of the line around the caret that fits, the cells before the caret, the cells under it."""
    line = (problem.snippet or "").split("\n", 1)[0]
    start = min(max(0, problem.column - 1), len(line))
    # Of a very long line only what can come into sight is laid out.
    dropped = max(0, start - 2 * room)
    cut = len(line) > start + 2 * room
    line, start = line[dropped : start + 2 * room], start - dropped
    stop = min(start + max(1, problem.width), len(line)) if start < len(line) else start
    pieces = _drawn(line)
    before = list(accumulate(map(cell_width, pieces), initial=0))  # the cells before each piece
    left, right = 0, len(pieces)
    # A line that is too long loses its far end first, then its beginning, until the caret run is in sight.
    while right > max(stop, start + 1) and before[right] - before[left] > room - 1:
        right -= 1
    while left < start and before[right] - before[left] > room - 2:
        left += 1
    if before[right] - before[left] > room - 2:
        while right > start + 1 and before[right] - before[left] > room - 2:
            right -= 1
        stop = min(stop, right)
    head = "…" if left or dropped else ""
    tail = "…" if right < len(pieces) or cut else ""
    shown = head + "".join(pieces[left:right]) + tail
    return shown, len(head) + before[start] - before[left], before[max(start, stop)] - before[start]


def _drawn(line: str) -> list[str]:
    """The line sign by sign as a terminal will show it: tabs to the next stop, controls made visible."""
    drawn: list[str] = []
    column = 0
    for sign in line.rstrip("\r"):
        piece = " " * (TAB - column % TAB) if sign == "\t" else printable(sign)
        column += cell_width(piece)
        drawn.append(piece)
    return drawn
