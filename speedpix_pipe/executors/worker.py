"""What runs inside a pool process: it lives no longer than the process that wanted it, and leaves Ctrl-C to it.

Kept apart from the functions themselves, so that whoever sends jobs need not import Pillow.
"""

from __future__ import annotations

import os
import signal
import threading
import warnings
from multiprocessing import parent_process
from typing import Any

from speedpix_pipe.errors import ExecutorError, PipeError


def begin() -> None:
    """First thing in a new worker."""
    # Ctrl-C and a closed terminal reach the whole group. The parent decides what they mean; SIGTERM stays as it
    # is, because the pool itself ends workers with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # Pillow's remarks on odd files would land in the middle of the progress
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()


def _follow_parent() -> None:
    """End with the parent.

    The fork server is our parent for the kernel, so PDEATHSIG would watch the wrong one; this end
    of a pipe closes when the process that asked for us is gone, however it went.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def perform(function: str, arguments: tuple[Any, ...]) -> Any:
    """Run one of the functions of `pixels`; what can go wrong on a machine becomes a sentence."""
    from speedpix_pipe.executors.pixels import FUNCTIONS

    if function not in FUNCTIONS:
        raise ExecutorError(f'no pixel work is called "{function}"')
    try:
        return FUNCTIONS[function](*arguments)
    except PipeError:
        raise
    except MemoryError as error:
        raise ExecutorError(f"{function}: not enough memory for this picture") from error
    except OSError as error:
        raise ExecutorError(f"{function}: {error}") from error
