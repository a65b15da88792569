"""The kernel's inotify, asked directly: a descriptor that can be read when something happened in a watched folder.

What exactly happened is of no interest (scanning finds out), so events are not taken apart beyond what keeps the
list of watches true. Nothing here waits, and nothing runs in a thread.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass

_CLOSE_WRITE, _MOVED_TO, _CREATE = 0x0008, 0x0080, 0x0100
_DELETE_SELF, _MOVE_SELF = 0x0400, 0x0800
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_ONLY_FOLDERS, _FORGET_UNLINKED, _IS_FOLDER = 0x0100_0000, 0x0400_0000, 0x4000_0000
_WANTED = _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE_SELF | _MOVE_SELF | _ONLY_FOLDERS | _FORGET_UNLINKED
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
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, folder: str) -> int:
        """Watch a folder. The same folder again, under whatever name, is the same watch."""
        return self._checked("inotify_add_watch", self.descriptor, os.fsencode(folder), _WANTED)

    def remove(self, watch: int) -> None:
        """Watch it no longer. One that has ended by itself is no error."""
        self._libc.inotify_rm_watch(self.descriptor, watch)

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
                seen |= mask if mask & _IS_FOLDER or mask != _CREATE else 0
                if mask & _IGNORED:
                    ended.add(watch)
        return Happened(anything, anything and not seen, frozenset(ended), bool(seen & _OVERFLOW))

    def close(self) -> None:
        os.close(self.descriptor)

    def _data(self) -> bytes:
        try:
            return os.read(self.descriptor, _AT_ONCE)
        except BlockingIOError:
            return b""

    def _checked(self, function: str, *arguments: object) -> int:
        try:
            call = getattr(self._libc, function)
        except AttributeError:
            raise OSError(f"this system has no {function}") from None
        found = int(call(*arguments))
        if found == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return found
