"""Where things stand in a spec: the text of one file, its nodes, and the place of every character of a value.

Nodes remember offsets into the text; lines and columns are worked out when somebody asks, because a well-formed
spec has thousands of nodes and no problems. What the values mean is left to the others.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.files.storage.urls import covered
from speedpix_pipe.model import Json, Mark

_LINE_END = re.compile(r"\r\n|\r|\n")  # as YAML has them
_BLOCK = 1024
_LONGEST_SNIPPET = 1000  # a problem further right on its line shows no line


class Lines:
    """The lines of a text. Of every block it is remembered how many lines end before: a file may be all line ends."""

    __slots__ = ("_bounds", "_counts", "_has_returns", "_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._has_returns = "\r" in text
        self._bounds, self._counts, self._starts = array("I", [0]), array("I", [0]), array("I", [0])
        end = 0
        while end < len(text):
            begin, end = end, min(end + _BLOCK, len(text))
            if self._has_returns and text.startswith("\r\n", end - 1):
                end += 1  # no block ends inside a line end
            self._bounds.append(end)
            self._counts.append(self._counts[-1] + self._ends(begin, end))
            self._starts.append(self._start(begin, end, self._starts[-1]))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, counted from 1."""
        if self._has_returns and offset and self.text.startswith("\r\n", offset - 1):
            line, column = self.place(offset - 1)
            return line, column + 1
        block = bisect_right(self._bounds, offset) - 1
        begin = self._bounds[block]
        line = self._counts[block] + self._ends(begin, offset) + 1
        return line, offset - self._start(begin, offset, self._starts[block]) + 1

    def line(self, number: int) -> str | None:
        """The text of a line, counted from 1, without its end."""
        if not 1 <= number <= self._counts[-1] + 1:
            return None
        start = 0
        if number > 1:
            block = bisect_left(self._counts, number - 1) - 1
            start = self._bounds[block]
            for _ in range(number - 1 - self._counts[block]):
                found = _LINE_END.search(self.text, start)
                assert found is not None
                start = found.end()
        ends = [self.text.find("\n", start), self.text.find("\r", start) if self._has_returns else -1]
        return self.text[start : min((end for end in ends if end >= 0), default=len(self.text))]

    def _ends(self, begin: int, end: int) -> int:
        count = self.text.count("\n", begin, end)
        if self._has_returns:
            count += self.text.count("\r", begin, end) - self.text.count("\r\n", begin, end)
        return count

    def _start(self, begin: int, end: int, before: int) -> int:
        """Where the line begins that `end` stands in; `before` is that of `begin`."""
        last = self.text.rfind("\n", begin, end)
        if self._has_returns:
            last = max(last, self.text.rfind("\r", begin, end))
        return before if last < 0 else last + 1


class Source:
    """The text of one file, under the name that problems show."""

    __slots__ = ("_lines", "laid_out", "shown", "text")

    def __init__(self, shown: str, text: str) -> None:
        self.shown = shown
        self.text = text
        self._lines: Lines | None = None
        self.laid_out: tuple[Node, list[int]] | None = None  # the value asked about last: problems come together

    @property
    def lines(self) -> Lines:
        if self._lines is None:
            self._lines = Lines(self.text)
        return self._lines

    def mark(self, offset: int) -> Mark:
        line, column = self.lines.place(offset)
        return Mark(self.shown, line, column)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        return self.lines.line(number) or ""

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


@lru_cache(maxsize=8)
def lines_of(text: str) -> Lines:
    """The lines of a file, laid out once however many problems show one of them."""
    return Lines(covered(text))


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
        return self._locate

    def _locate(self, offset: int) -> Mark:
        if self.source.laid_out is None or self.source.laid_out[0] is not self:
            places = scalar_places(self.source.text, self.start, self.end, self.style, self.value)
            self.source.laid_out = (self, places)
        places = self.source.laid_out[1]
        return self.source.mark(places[min(max(offset, 0), len(places) - 1)])

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
