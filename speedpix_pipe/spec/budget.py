"""How much one expression may cost: a second, a megabyte of text from a product, some memory in all.

Whatever loops or makes something large asks here first, so that `range(10**12)` or `'x' * 10**10` ends in an
error rather than in a machine that swaps.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from speedpix_pipe.errors import ExpressionError

if TYPE_CHECKING:
    from speedpix_pipe.spec.scope import Scope

RANGE_LIMIT = 10_000_000
TEXT_LIMIT = 1024 * 1024
SLOW_TEXT_LIMIT = 100_000  # for filters that take a microsecond and more for each character
NUMBER_BITS = 3400  # a thousand digits
_SECONDS = 1.0
_MEMORY = 192 * 1024 * 1024
_ELEMENT = 64  # bytes that an element of a list costs, roughly
CHUNK = 4096


class Evaluation:
    """One evaluation of one expression: its scope and what it may still spend."""

    __slots__ = ("_left", "_until", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._until = 0.0
        self._left = _MEMORY

    def tick(self) -> None:
        """Raise if the time is over. The clock starts with the first tick."""
        now = time.monotonic()
        if not self._until:
            self._until = now + _SECONDS
        elif now > self._until:
            raise too_much("it takes longer than 1 s")

    def spend(self, size: int) -> None:
        """Count `size` bytes that are made now."""
        self._left -= size
        if self._left < 0:
            raise too_much("it needs too much memory")

    def text(self, size: int) -> None:
        """Count a text of `size` characters, before it is made."""
        if size > TEXT_LIMIT:
            raise too_much("it makes a text of more than 1 MiB")
        self.spend(size)

    def elements(self, count: int) -> None:
        """Count `count` elements of a list."""
        self.spend(count * _ELEMENT)
        self.tick()

    def collect(self, values: Iterable[Any]) -> list[Any]:
        """A list of them all, counted as it grows."""
        made: list[Any] = []
        iterator = iter(values)
        while chunk := list(itertools.islice(iterator, CHUNK)):
            self.elements(len(chunk))
            made += chunk
        return made

    def each(self, value: Any) -> Iterable[Any]:
        """The elements of a list, the characters of a text, the keys of a mapping."""
        self.tick()
        if isinstance(value, range):
            return itertools.chain.from_iterable(self._chunks(value))
        if isinstance(value, list | str):
            return value
        if isinstance(value, Mapping):
            return list(value)
        from speedpix_pipe.spec.values import described

        raise ExpressionError(f"a list is needed here, not {described(value)}")

    def _chunks(self, numbers: range) -> Iterator[range]:
        for start in range(0, len(numbers), CHUNK):
            self.tick()
            yield numbers[start : start + CHUNK]

    def file_time(self, began: float) -> None:
        """Time spent on files since `began` is not the expression's."""
        if self._until:
            self._until += time.monotonic() - began


def too_much(why: str) -> ExpressionError:
    return ExpressionError(f"the expression asks for too much: {why}", code="expression.limit")
