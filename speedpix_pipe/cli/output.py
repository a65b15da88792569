"""Results on stdout, and what the terminal at the other end of stderr can show."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import load_settings

if TYPE_CHECKING:
    from speedpix_pipe.console.base import Ink

PROGRAM = "speedpix-pipe"
# Signs at which some programs end a line, though JSON does not; it escapes all others itself.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


@dataclass(frozen=True, slots=True)
class Terminal:
    """What stderr is."""

    live: bool  # a terminal on which lines can be drawn again
    color: bool
    width: int  # cells; of a file or a pipe, what is laid out in columns takes 100
    wrap: int | None  # where a long line of text is broken; None in a file or a pipe, whose reader is a program
    language: str


def terminal() -> Terminal:
    settings = load_settings()
    is_terminal = sys.stderr.isatty()
    dumb = settings.environment.get("TERM") == "dumb"
    wrap = settings.columns or (_columns() if is_terminal else None)
    color = is_terminal and not settings.no_color
    return Terminal(
        live=is_terminal and not dumb, color=color, width=wrap or 100, wrap=wrap, language=settings.language
    )


def _columns() -> int:
    import shutil  # with the compressions that it knows it takes 4 ms

    return shutil.get_terminal_size().columns


def program(*, moves: bool = False) -> str:
    """How this shell calls us: by name where that finds us, else by where we lie (an environment not activated).

    With `moves`, from another folder than this one.
    """
    import shutil

    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "speedpix_pipe":
        return PROGRAM if shutil.which(PROGRAM) else f"{shlex.quote(sys.executable)} -m speedpix_pipe"
    found = shutil.which(PROGRAM)
    if called.name != PROGRAM or (found and Path(found).samefile(called)) or not called.exists():
        return PROGRAM
    whole = os.path.abspath(called)  # noqa: PTH100 - the link that was called, not where it leads
    short = os.path.relpath(called)
    return shlex.quote(whole if moves or len(short) >= len(whole) else short)


def here() -> Path | None:
    """Where the shell stands, if that is still there."""
    try:
        return Path.cwd()
    except OSError:
        return None


def plain_ink() -> Ink:
    """For results on stdout: in the reader's language, in colour only where somebody looks at them."""
    from speedpix_pipe.console.base import Ink

    screen = terminal()
    return Ink(sys.stdout.isatty() and screen.color, screen.language)


def print_json(value: Json) -> None:
    """One line of JSON on stdout, whatever ends lines. A name that is no Unicode is escaped, so it can be read back."""
    text = json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    print(text)


def print_spec(spec: Json, *, as_json: bool) -> None:
    """A resolved spec on stdout, as YAML or JSON."""
    if as_json:
        print_json(spec)
        return
    import yaml

    print(yaml.safe_dump(json.loads(json.dumps(spec)), sort_keys=False, allow_unicode=True, width=100), end="")


def say(text: str) -> None:
    """A line for people, beside the results."""
    print(text, file=sys.stderr, flush=True)


def say_translated(message: str) -> None:
    """One of our messages, in the reader's language."""
    from speedpix_pipe.words.messages import translated

    say(translated(message, load_settings().language))


def give_up() -> None:
    """Let go of a stdout that cannot be written, so that the interpreter's last flush finds an open file."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)
