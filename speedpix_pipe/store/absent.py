"""What a look at many things at once did not find: the next to ask for one of them need not look again.

Each answer serves once, and for a moment. It may be old by then, so it is only for those whom a later check, or doing
a thing twice for nothing, keeps from harm.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from time import monotonic

_SECONDS = 10.0  # so long an answer serves; who is about to ask does so at once
_MOST = 4_000  # who never asks leaves its answer here; beyond so many, all are let go of


class Absent:
    """Keys that were looked for and are not there."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[Hashable, float] = {}

    def put(self, keys: Iterable[Hashable]) -> None:
        if len(self._keys) > _MOST:
            self._keys.clear()
        self._keys.update(dict.fromkeys(keys, monotonic()))

    def take(self, key: Hashable) -> bool:
        """Whether it was looked for in vain a moment ago. Asked again, nobody knows any more."""
        looked = self._keys.pop(key, None)
        return looked is not None and monotonic() - looked < _SECONDS

    def forget(self, keys: Iterable[Hashable]) -> None:
        """These are there."""
        for key in keys:
            self._keys.pop(key, None)
