"""The kernel's inotify, by watchdog's bindings: a descriptor that can be read when something happened in a folder.

What exactly happened is of no interest (scanning finds out), so events are not taken apart beyond what keeps the
list of watches true. Nothing here waits, and nothing runs in a thread: of watchdog its lowest layer is used.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any, cast

from watchdog.observers.inotify_c import InotifyConstants as Event
from watchdog.observers.inotify_c import inotify_add_watch, inotify_init, inotify_rm_watch

from speedpix_pipe.records import dataclass

_WANTED = (
    Event.IN_CLOSE_WRITE
    | Event.IN_MOVED_TO
    | Event.IN_CREATE
    | Event.IN_DELETE_SELF
    | Event.IN_MOVE_SELF
    | Event.IN_ONLYDIR
    | Event.IN_EXCL_UNLINK
)
_HEAD = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Happened:
    """What one reading found. `begun` means that a file was only begun: whoever writes it will be heard of again."""

    anything: bool
    begun: bool
    ended: frozenset[int]  # watches that are no more: their folder is gone
    overflowed: bool  # the kernel has dropped events, and with them perhaps the end of watches


class Inotify:
    """One instance. OSError where the kernel has none, or none left for this user."""

    def __init__(self) -> None:
        self.descriptor = _checked(inotify_init())
        os.set_inheritable(self.descriptor, False)
        os.set_blocking(self.descriptor, False)

    def add(self, folder: str) -> int:
        """Watch a folder. The same folder again, under whatever name, is the same watch."""
        return _checked(inotify_add_watch(self.descriptor, os.fsencode(folder), _WANTED))

    def remove(self, watch: int) -> None:
        """Watch it no longer. One that has ended by itself is no error."""
        inotify_rm_watch(self.descriptor, cast("Any", watch))

    def read(self) -> Happened:
        """Everything that has happened since the last reading."""
        ended: set[int] = set()
        seen = 0
        anything = False
        while data := self._data():
            anything = True
            at = 0
            while at < len(data):
                watch, mask, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size + length
                seen |= mask if mask & Event.IN_ISDIR or mask != Event.IN_CREATE else 0
                if mask & Event.IN_IGNORED:
                    ended.add(watch)
        return Happened(anything, anything and not seen, frozenset(ended), bool(seen & Event.IN_Q_OVERFLOW))

    def close(self) -> None:
        os.close(self.descriptor)

    def _data(self) -> bytes:
        try:
            return os.read(self.descriptor, _AT_ONCE)
        except BlockingIOError:
            return b""


def _checked(found: int) -> int:
    if found == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found
