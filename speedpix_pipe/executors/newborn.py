"""Preloaded into the server that workers come from: one whose parent is killed while it begins goes without a word.

What goes wrong in a job is carried to whoever waits for it, and comes by here never.
"""

from __future__ import annotations

import sys
from types import TracebackType

_ALONE = (EOFError, FileNotFoundError, ConnectionError)  # the pipe, or a lock, that its parent had made for it is gone


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, _ALONE):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _tell
