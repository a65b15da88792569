"""Small files that were read for their digest and will be sent in a moment: held, so that they are read once.

All of them together stay within a budget; whoever finds it used up reads again.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from speedpix_pipe.files.content import same_state

BUDGET_BYTES = 2 << 20


class _Budget:
    def __init__(self) -> None:
        self._used = 0
        self._lock = threading.RLock()  # what is given back may be found by the collector, on any thread

    def take(self, size: int) -> bool:
        with self._lock:
            if self._used + size > BUDGET_BYTES:
                return False
            self._used += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._used -= size


_budget = _Budget()


class Held:
    """The bytes of a file as they were when its digest was made. They count as long as this lives."""

    __slots__ = ("content", "facts")

    def __init__(self, content: bytes, facts: os.stat_result) -> None:
        self.content = content
        self.facts = facts

    def __del__(self) -> None:
        _budget.give_back(len(self.content))

    def still(self, path: Path) -> bool:
        """Whether nobody has written to the file since."""
        try:
            now = path.stat()
        except OSError:
            return False
        return same_state(now, self.facts)


def hold(content: bytes, facts: os.stat_result) -> Held | None:
    """None where enough is held already."""
    return Held(content, facts) if _budget.take(len(content)) else None
