"""When a file has stood still long enough to be taken.

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

PATIENCE = 10  # how many times `settle` a file that cannot be used is taken for one that is still being written
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


@dataclass(slots=True)
class Sighting:
    """One file that waits. `name` is its path below the watched root."""

    name: str
    signature: Signature
    first: float  # when its name was first seen
    since: float  # when we last saw it differ
    usable: bool | None = None  # whether a full look found a whole file; None: not looked yet
    fault: str = ""  # what the full look found
    tried: float = 0.0  # when that was

    def still_for(self, now: float) -> float:
        return now - self.since


@dataclass(slots=True)
class Settling:
    """All files of one root that wait, and since when each stands still. Time comes in as an argument."""

    seconds: float
    waiting: dict[str, Sighting] = field(default_factory=dict)

    def looked(self, found: Mapping[str, Signature], now: float) -> int:
        """A scan is the whole truth: what it does not list is gone. Returns how many files are new or differ."""
        changes = 0
        waiting: dict[str, Sighting] = {}
        for name, signature in found.items():
            known = self.waiting.get(name)
            if known is None:
                known = Sighting(name, signature, now, now)
                changes += 1
            elif known.signature != signature:
                known.signature, known.since, known.usable, known.fault = signature, now, None, ""
                changes += 1
            waiting[name] = known
        self.waiting = waiting
        return changes

    def disturbed(self, name: str, now: float) -> None:
        """A closer look says that somebody is at it: its time starts over."""
        sighting = self.waiting.get(name)
        if sighting is not None:
            sighting.since, sighting.usable, sighting.fault = now, None, ""

    def gone(self, name: str) -> None:
        self.waiting.pop(name, None)

    def settled(self, now: float) -> list[Sighting]:
        return [sighting for sighting in self.waiting.values() if now - sighting.since >= self.seconds]

    def unsettled(self, now: float) -> int:
        return sum(now - sighting.since < self.seconds for sighting in self.waiting.values())

    def next_due(self, now: float) -> float | None:
        """Seconds until the next file may be settled; None if none is on its way."""
        coming = [sighting.since for sighting in self.waiting.values() if now - sighting.since < self.seconds]
        return min(coming) + self.seconds - now if coming else None

    def out_of_patience(self, sighting: Sighting, now: float) -> bool:
        """Whether a file that cannot be used has stood still for so long that nobody is writing it any more."""
        return now - sighting.since >= PATIENCE * self.seconds


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
