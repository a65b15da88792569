"""Events of the file system, reduced to the one thing they are good for here: look now, not later.

A watch stands on every folder that the scanner enters, and on no other: not on claims, nor on what is finished, which
may be thousands of folders that no arrival ever comes from. After the first event the rest is left in the kernel
until the next look, so that a burst of ten thousand is one message, and an overflow of the queue one more.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from speedpix_pipe.store.mounts import file_system_of, is_network
from speedpix_pipe.triggers.inotify import Happened, Inotify

Folders = Mapping[int, str]  # by inode


class OnChange(Protocol):
    def __call__(self, *, hurry: bool) -> None:
        """Something happened. A file that was only begun can wait until it is closed; all else is in a hurry."""
        ...


class Wakeup:
    """Calls `on_change` in the loop when something changes below a root. Without events it never does, and says so."""

    def __init__(self, root: Path, on_change: OnChange, *, mountinfo: str | None = None) -> None:
        self.mode = "scanning"  # or `events`: what wakes the scanner
        self.why = ""  # why there are no events
        self._on_change = on_change
        self._root = root
        self._mountinfo = mountinfo
        self._inotify: Inotify | None = None
        self._watches: dict[int, int] = {}  # inode of a folder: its watch
        self._listening = False

    def start(self) -> None:
        """Ask for events. That there are none is no error: the scanner looks by itself."""
        kind = file_system_of(self._root, _mounts() if self._mountinfo is None else self._mountinfo)
        if is_network(kind):
            self.why = f"{kind} tells nothing of what other machines do"
            return
        try:
            self._inotify = Inotify()
        except OSError as error:
            self.why = _no_events(error)
            return
        self.mode = "events"
        self._listen()

    def follow(self, folders: Folders) -> bool:
        """Watch these folders and no others. True if some are new: what came into them before is to be looked for."""
        if self._inotify is None:
            return False
        for inode in self._watches.keys() - folders.keys():
            self._inotify.remove(self._watches.pop(inode))
        new = folders.keys() - self._watches.keys()
        added = False
        for inode in new:
            try:
                self._watches[inode] = self._inotify.add(folders[inode])
                added = True
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                    continue  # it is gone already
                self.mode, self.why = "scanning", _no_events(error)
                return added
        self.mode, self.why = "events", ""
        return added

    def seen(self) -> None:
        """What has happened until now is about to be looked at: tell of what comes after."""
        if self._inotify is not None:
            self._note(self._inotify.read())
            self._listen()

    def stop(self) -> None:
        if self._inotify is not None:
            self._ignore()
            self._inotify.close()
            self._inotify = None
            self._watches.clear()
        self.mode = "scanning"

    # --- the descriptor ---

    def _listen(self) -> None:
        if self._inotify is not None and not self._listening:
            self._listening = True
            asyncio.get_running_loop().add_reader(self._inotify.descriptor, self._readable)

    def _ignore(self) -> None:
        if self._inotify is not None and self._listening:
            self._listening = False
            asyncio.get_running_loop().remove_reader(self._inotify.descriptor)

    def _readable(self) -> None:
        assert self._inotify is not None
        happened = self._inotify.read()
        self._note(happened)
        if not happened.begun:
            self._ignore()
        if happened.anything:
            self._on_change(hurry=not happened.begun)

    def _note(self, happened: Happened) -> None:
        if happened.overflowed:
            self._watches.clear()  # the same folder again is the same watch, so asking anew for all is right
        elif happened.ended:
            self._watches = {inode: watch for inode, watch in self._watches.items() if watch not in happened.ended}


def _no_events(error: OSError) -> str:
    used_up = {errno.ENOSPC: "max_user_watches", errno.EMFILE: "max_user_instances"}.get(error.errno or 0)
    return f"fs.inotify.{used_up} is used up" if used_up else f"the kernel gives no events: {error.strerror or error}"


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
