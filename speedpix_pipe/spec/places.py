"""Where things stand in a spec: the text of one file, its nodes, and the place of every character of a value.

Nodes remember offsets into the text; lines and columns are worked out when somebody asks, because a well-formed
spec has thousands of nodes and no problems. What the values mean is left to the others.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.files.storage.urls import covered
from speedpix_pipe.model import Json, Mark

_LINE_END = re.compile(r"\r\n|\r|\n")
_LONGEST_SNIPPET = 1000  # a problem further right on its line shows no line


class Source:
    """The text of one file, under the name that problems show."""

    __slots__ = ("_starts", "shown", "text")

    def __init__(self, shown: str, text: str) -> None:
        self.shown = shown
        self.text = text
        self._starts: list[int] | None = None

    def mark(self, offset: int) -> Mark:
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        return Mark(self.shown, line, offset - starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        starts = self._line_starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    def problem(
        self,
        offset: int,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        width: int = 1,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        return self.problem_at(self.mark(offset), code, message, hint=hint, width=width, severity=severity)

    def problem_at(
        self,
        mark: Mark,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        width: int = 1,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        line = covered(self.line(mark.line)[:_LONGEST_SNIPPET])
        snippet = line if mark.column <= _LONGEST_SNIPPET else None
        room = max(1, len(line) - mark.column + 1)
        return Problem(
            path=mark.path,
            line=mark.line,
            column=mark.column,
            code=code,
            message=covered(message),
            hint=hint,
            severity=severity,
            snippet=snippet,
            width=max(1, min(width, room)),
        )

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            self._starts = _line_starts(self.text)
        return self._starts


@lru_cache(maxsize=8)
def lines_of(text: str) -> list[str]:
    """The lines of a file, split once however many problems show one of them."""
    return _LINE_END.split(covered(text))


def _line_starts(text: str) -> list[int]:
    # YAML ends a line at \n, \r\n and a lone \r; most files have no \r at all.
    starts = [0]
    at = text.find("\n")
    if "\r" not in text:
        while at >= 0:
            starts.append(at + 1)
            at = text.find("\n", at + 1)
        return starts
    for index, char in enumerate(text):
        if char == "\n" or (char == "\r" and text[index + 1 : index + 2] != "\n"):
            starts.append(index + 1)
    return starts


class Node:
    """One value of the file: `value` as plain Python, and where it and its parts stand.

    `style` is `map`, `list`, or how a scalar was written: empty for plain, else `'`, `"`, `|` or `>`.
    """

    __slots__ = ("end", "source", "start", "style", "value")

    # What only mappings and lists have; a spec is mostly scalars, and these cost them nothing.
    size = 1  # how many values this is once aliases are written out
    open = False  # still being read: an alias to it would be endless
    members: Mapping[str, Node] = MappingProxyType({})
    keys: Mapping[str, Node] = MappingProxyType({})
    items: Sequence[Node] = ()

    def __init__(self, source: Source, style: str, value: Json, start: int, end: int) -> None:
        self.source = source
        self.style = style
        self.value = value
        self.start = start
        self.end = end

    @property
    def is_map(self) -> bool:
        return self.style == "map"

    @property
    def is_list(self) -> bool:
        return self.style == "list"

    @property
    def is_text(self) -> bool:
        return isinstance(self.value, str)

    @property
    def mark(self) -> Mark:
        return self.source.mark(self.start)

    @property
    def width(self) -> int:
        """How wide the value is on its first line."""
        line_end = self.source.text.find("\n", self.start, self.end)
        return max(1, (self.end if line_end < 0 else line_end) - self.start)

    def written(self) -> str:
        """The scalar as it stands in the file."""
        return self.source.text[self.start : self.end]

    def problem(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        width: int | None = None,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        return self.source.problem(self.start, code, message, hint=hint, width=width or self.width, severity=severity)

    def locator(self) -> Callable[[int], Mark]:
        """A function from offsets in a text value to places; a folded or escaped text is laid out once, when asked."""
        shift = self._plain_shift()
        if shift is not None:
            return lambda offset: self.source.mark(shift + offset)
        places: list[int] = []

        def locate(offset: int) -> Mark:
            if not places:
                places.extend(scalar_places(self.source.text, self.start, self.end, self.style, self.value))
            return self.source.mark(places[min(max(offset, 0), len(places) - 1)])

        return locate

    def _plain_shift(self) -> int | None:
        """Where the value starts, if it stands in the file exactly as it reads."""
        if not isinstance(self.value, str):
            return self.start
        if self.style in ("|", ">"):
            return None
        begin = self.start + len(self.style)
        return begin if self.source.text.startswith(self.value, begin) else None


class Branch(Node):
    """A mapping or a list, while it is read and after."""

    __slots__ = ("items", "keys", "members", "merges", "open", "pending", "size")

    def __init__(self, source: Source, style: str, value: Json, start: int, end: int) -> None:
        super().__init__(source, style, value, start, end)
        self.size = 1
        self.open = True
        self.pending: Node | None = None  # a key that waits for its value
        self.merges: Node | None = None  # the value of `<<`
        self.members: dict[str, Node] = {}
        self.keys: dict[str, Node] = {}
        self.items: list[Node] = []


_ESCAPE_DIGITS = {"x": 2, "u": 4, "U": 8}


def scalar_places(text: str, start: int, end: int, style: str, value: str) -> list[int]:
    """The offset in `text` of each character of `value`, and of its end.

    Folding and indentation only add, drop or change white space, so the value is laid over the written text: white
    space goes to the next white space, anything else to its next occurrence. Escapes stand for what they write.
    """
    at = start
    if style in ("|", ">"):
        at = text.find("\n", start, end) + 1 or end  # the header's own characters are no content
    elif style:
        at = start + 1
    places: list[int] = []
    for char in value:
        at, length = _next_place(text, at, end, style, char)
        places.append(min(at, end))
        at += length
    places.append(min(at, end))
    return places


def _next_place(text: str, at: int, end: int, style: str, char: str) -> tuple[int, int]:
    """Where `char` is written at or after `at`, and how long it is written."""
    if char.isspace() and at < end and text[at].isspace():
        return at, 1
    if style != '"' and char.isspace():
        return at, 0  # white space that folding made
    while at < end and text[at].isspace():
        at += 1
    if style == "'" and char == "'":
        return at, 2
    if style == '"':
        while text.startswith(("\\\n", "\\\r"), at):  # an escaped line end writes nothing
            at += 1
            while at < end and text[at].isspace():
                at += 1
        if text.startswith("\\", at) and at + 1 < end:
            return at, 2 + _ESCAPE_DIGITS.get(text[at + 1], 0)
    return at, 1
