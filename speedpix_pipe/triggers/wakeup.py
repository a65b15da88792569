"""Events of the file system, reduced to the one thing they are good for here: look now, not later."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speedpix_pipe.store.mounts import file_system_of, is_network


class Wakeup:
    """Calls `on_change` in the loop when something changes below a root. Without events it never does, and says so."""

    def __init__(
        self, root: Path, on_change: Callable[[], None], *, recursive: bool, mountinfo: str | None = None
    ) -> None:
        self.mode = "scanning"  # or `events`: what wakes the scanner
        self.why = ""  # why there are no events
        self._on_change = on_change
        self._root = root
        self._recursive = recursive
        self._mountinfo = mountinfo
        self._observer: Any = None
        self._told = False

    def start(self) -> None:
        """Ask for events. That there are none is no error: the scanner looks by itself."""
        kind = file_system_of(self._root, _mounts() if self._mountinfo is None else self._mountinfo)
        if is_network(kind):
            self.why = f"{kind} tells nothing of what other machines do"
            return
        from watchdog.events import (
            DirCreatedEvent,
            DirMovedEvent,
            FileClosedEvent,
            FileCreatedEvent,
            FileModifiedEvent,
            FileMovedEvent,
            FileSystemEventHandler,
        )
        from watchdog.observers import Observer

        logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # it speaks of events that come while it stops
        observer = Observer()
        wanted = [DirCreatedEvent, DirMovedEvent, FileClosedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent]
        loop = asyncio.get_running_loop()
        try:
            handler = FileSystemEventHandler()
            handler.dispatch = lambda event: self._tell(loop)  # type: ignore[method-assign]  # noqa: ARG005 - its one entry
            observer.schedule(handler, str(self._root), recursive=self._recursive, event_filter=wanted)
            observer.start()
        except OSError as error:  # no watches or instances left (fs.inotify.max_user_*), or the root has just gone
            self.why = f"{error.strerror}: fs.inotify.max_user_watches or max_user_instances may be used up"
            with contextlib.suppress(RuntimeError):
                observer.stop()
            return
        self._observer = observer
        self.mode = "events"

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
        self.mode = "scanning"

    def seen(self) -> None:
        """What has happened until now is about to be looked at: tell of what comes after."""
        self._told = False

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._told:  # a burst of 10,000 events is one message
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._on_change)


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
