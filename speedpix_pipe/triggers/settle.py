"""How a file looks, and whether somebody is still at it.

A writer cannot be asked whether it is finished, so a file is settled when it looked the same at every look for
`settle` seconds of monotonic time. Times of files are compared with each other, never with the clock of this
machine: a share may live in another year.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
from enum import Enum
from typing import NamedTuple

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Signature(NamedTuple):
    """All that changes when a file is written, replaced or renamed."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Signature:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def same_bytes(self, other: Signature) -> bool:
        """The same file, unwritten. A rename touches ctime and nothing else."""
        return self[:4] == other[:4]

    def looks_like(self, other: Signature) -> bool:
        """Perhaps the same file: a share that is mounted again may give other numbers."""
        return self[2:4] == other[2:4]


class Look(Enum):
    """What the last look before a claim says."""

    STILL = "still"
    DIFFERS = "differs"
    GONE = "gone"
    UNREADABLE = "unreadable"


def last_look(path: str, signature: Signature) -> Look:
    """Open the file and compare: some file systems tell the size of a file being written only to who opens it."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return Look.GONE
    except BlockingIOError:  # somebody holds a write lease, as file servers do for who writes through them
        return Look.DIFFERS
    except OSError:  # a link (ELOOP), a device, no permission
        return Look.UNREADABLE
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or Signature.of(found) != signature:
            return Look.DIFFERS
        return Look.DIFFERS if is_being_written(descriptor) else Look.STILL
    finally:
        os.close(descriptor)


def is_being_written(descriptor: int) -> bool:
    """Whether the kernel knows of a writer: it then grants no read lease. Any other refusal says nothing.

    A lease that somebody breaks is announced by SIGIO, which ends a process that does not expect it. So nobody is
    asked unless it is ignored, and a granted lease is dropped in the same breath.
    """
    if signal.getsignal(signal.SIGIO) is not signal.SIG_IGN:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # another user's file, or a file system without leases
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def ignore_lease_signals() -> None:
    """For the main thread of a process that watches."""
    with contextlib.suppress(ValueError):  # not the main thread: then no lease is asked for
        signal.signal(signal.SIGIO, signal.SIG_IGN)
