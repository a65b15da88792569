"""Being asked to end, outside a run: the same as Ctrl-C, whichever signal asks.

A run has its own way of stopping (`app.stopping`). It asks here whether somebody wanted an end before it could listen.
"""

from __future__ import annotations

import signal
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked = False


def as_ctrl_c() -> None:
    """Until a run has begun, and in all that is no run, being asked to end is Ctrl-C: told, with our exit code.

    Not by Python's own handler: asyncio takes that one for its own, and then waits for what blocks. A hang-up that is
    ignored (`nohup`) stays so; a shell's `&` ignores Ctrl-C too, and there `kill -INT` is meant all the same.
    """
    for number in SIGNALS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _dropped


def _interrupt(*_: object) -> None:
    global _asked  # noqa: PLW0603  # a handler has nobody else to tell
    _asked = True
    warnings.simplefilter("ignore")  # of what is left half done
    raise KeyboardInterrupt


def _dropped(what: UnraisableHookArgs) -> None:
    """Python drops an exception that is raised while it tidies up behind an import or an object that goes. Once an end
    was asked for, that is the interrupt itself, or what it left half made.
    """
    if not _asked:
        sys.__unraisablehook__(what)


def asked() -> bool:
    """Whether an end was asked for: an interrupt may have been dropped."""
    return _asked


def check() -> None:
    """For who begins to wait: KeyboardInterrupt if an end was asked for."""
    if _asked:
        raise KeyboardInterrupt


def deaf() -> None:
    """A second Ctrl-C while the interpreter leaves must not turn our exit code into a death by signal."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
