"""What a look at many things at once did not find: the next to ask for one of them need not look again.

Each answer serves once. It may be old by then, so it is only for those whom a later check, or doing a thing twice for
nothing, keeps from harm.
"""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 4_000  # who never asks leaves its answer here; beyond so many, all are let go of


class Absent:
    """Keys that were looked for and are not there."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def put(self, keys: Iterable[str]) -> None:
        if len(self._keys) > _MOST:
            self._keys.clear()
        self._keys.update(keys)

    def take(self, key: str) -> bool:
        """Whether it was looked for in vain. Asked again, nobody knows any more."""
        if key not in self._keys:
            return False
        self._keys.discard(key)
        return True
