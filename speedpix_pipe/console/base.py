"""What all of the console shares: the shape of a subscriber, terminal cells, and a little ink.

Text that came from outside (keys, messages, file names) passes through `printable` before it is shown, so that
no escape sequence in a file name can repaint a terminal.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Protocol

from speedpix_pipe.records import dataclass
from speedpix_pipe.words import words_for
from speedpix_pipe.words.messages import translated

if TYPE_CHECKING:
    from speedpix_pipe.events import Event


class Subscriber(Protocol):
    """Takes every event of a run in order; `close` is called once, whatever happened."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ink:
    """Writes for one reader: in colour or not, in the reader's language."""

    color: bool
    language: str = "en"

    def say(self, name: str, /, **gaps: object) -> str:
        """Words of ours, from the catalogue."""
        return words_for("terminal", self.language)[name].format(**gaps)

    def said(self, message: str) -> str:
        """A message as it was raised, in the reader's language, fit to be shown."""
        return printable(translated(message, self.language))

    def kind(self, kind: str) -> str:
        """Whose fault a failure is, in a word."""
        words = words_for("terminal", self.language)
        return words.get(f"kind_{kind}", kind)

    def count(self, name: str, count: int) -> str:
        """So many of something."""
        return self.say(f"{name}_1" if count == 1 else name, count=count)

    def red(self, text: str) -> str:
        return self._paint("31", text)

    def green(self, text: str) -> str:
        return self._paint("32", text)

    def yellow(self, text: str) -> str:
        return self._paint("33", text)

    def cyan(self, text: str) -> str:
        return self._paint("36", text)

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text


def printable(text: str) -> str:
    """The text with everything that could steer a terminal made visible: controls, bidi marks, lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign if _harmless(sign) else _visible(sign) for sign in text)


def _harmless(sign: str) -> bool:
    # Cf holds bidi overrides and invisible marks; the joiner that builds emoji is welcome
    return sign == "\u200d" or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _visible(sign: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(sign)
    return short or (f"\\x{ord(sign):02x}" if ord(sign) < 0x100 else f"\\u{ord(sign):04x}")


def cell_width(text: str) -> int:
    """How many terminal cells a text takes: Chinese signs two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def clip(text: str, cells: int) -> str:
    """The text cut to so many cells, with an ellipsis where something was lost."""
    if cell_width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    kept, used = [], 0
    for sign in text:
        used += _cells(sign)
        if used > cells - 1:
            break
        kept.append(sign)
    return "".join(kept) + "…"


def clip_middle(text: str, cells: int) -> str:
    """Cut in the middle: of a path, both the folder and the name tell something."""
    if cell_width(text) <= cells:
        return text
    head = clip(text, max(1, cells // 2))
    room = cells - cell_width(head)
    tail, used = [], 0
    for sign in reversed(text):
        used += _cells(sign)
        if used > room:
            break
        tail.append(sign)
    return head + "".join(reversed(tail))


_WORDS = re.compile(r"\x1b\[[0-9;]*m|[^ \x1b]+| +")


@cache  # ranges as wide as these take 6 ms to compile
def _any_words() -> re.Pattern[str]:
    """An escape sequence (it takes no cell), a Chinese sign with what may not begin a line, a word, blanks."""
    return re.compile(r"\x1b\[[0-9;]*m|[\u2e80-\uffef][，。、；：！？）】」』”’…]*|[^ \u2e80-\uffef\x1b]+| +")


def wrap(text: str, cells: int, *, indent: int = 0, most: int = 0) -> list[str]:
    """The text in lines of at most so many cells, broken between words; all but the first are indented.

    A word that is longer than a line stays whole, since paths and commands are there to be copied. With `most` lines
    allowed, the last one is clipped. A no-break space holds two words together, and becomes a plain one.
    """
    lines: list[str] = []
    line, used, blank = "", 0, ""
    for word in (_WORDS if text.isascii() else _any_words()).findall(text):
        if word.startswith("\x1b"):
            line += blank + word
            used, blank = used + cell_width(blank), ""
        elif word.isspace():
            blank = word if line else ""
        elif used + cell_width(blank + word) > cells and used > (indent if lines else 0):
            lines.append(line)
            line, used, blank = " " * indent + word, indent + cell_width(word), ""
        else:
            line += blank + word
            used, blank = used + cell_width(blank + word), ""
    lines.append(line)
    if most and len(lines) > most:
        rest = " ".join([lines[most - 1], *[line.strip() for line in lines[most:]]])
        lines[most - 1 :] = [clip(rest, cells)]
    return [line.replace("\u00a0", " ") for line in lines]


def pad(text: str, cells: int) -> str:
    return text + " " * (cells - cell_width(text))


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3m 05s`, `2h 10m`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02}h"


def money(amount: float) -> str:
    """In the unit of `price`, which only the user knows: two digits, more for very small prices."""
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 or round(amount, 2) == round(amount, 6) else f"{amount:.4g}"


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(count: int) -> str:
    """Bytes for people: `950 bytes`, `1.2 MB`."""
    if count < 1000:
        return plural(count, "byte")
    value, unit = float(count), ""
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one stays
        value /= 1000
        if value < 999.5:
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
