"""One watched root while it is looked at: is it there, and what lies in it. Looks are scans in a thread."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Callable

from speedpix_pipe.clock import Clock
from speedpix_pipe.model import Watch
from speedpix_pipe.triggers.health import FolderHealth, Health, plain
from speedpix_pipe.triggers.places import Places
from speedpix_pipe.triggers.scan import Found, Tree
from speedpix_pipe.triggers.vetting import Verify, Vetting
from speedpix_pipe.triggers.waiting import Waiting
from speedpix_pipe.triggers.wakeup import Wakeup

SHORTEST, LONGEST = 0.05, 5.0  # seconds between scans
QUICKEST = 0.01  # where an event says that a file has just been finished
ADOPT_SECONDS = 6.0  # how long another folder must stand in the root's place before it is taken for the new root


class Inbox:
    """Looks at one root. `nudge` is called when it would be worth looking at what is ready."""

    def __init__(
        self,
        watch: Watch,
        places: Places,
        tree: Tree,
        *,
        clock: Clock,
        verify: Verify,
        health: Health,
        nudge: Callable[[], None],
        watch_over: Callable[[asyncio.Task[None]], None],
        may: Callable[[str], bool],
        recognized: Callable[[], bool | None],
    ) -> None:
        self.places = places
        self.health = FolderHealth(watch.folder)
        self.waiting = Waiting(watch.settle_seconds, may)
        self.present = False
        self._clock = clock
        self._vetting = Vetting(places.root, self.waiting, clock, verify, nudge, watch_over)
        self._board = health
        self._nudge = nudge
        self._recognized = recognized  # whether the files that are being worked on lie there; None: there are none
        self.identity: tuple[int, int] | None = None  # the device and inode of the root
        self._was_mounted = False
        self._stranger: tuple[tuple[int, int], float] | None = None  # who stands in the root's place, and since when
        self._wakeup: Wakeup | None = None
        self._interval = SHORTEST
        self._last_scan = -LONGEST
        self.looking_since: float | None = None  # when the look began that is not over yet
        self._scan_cost = 0.0  # seconds of rest after a scan
        self._changed = True
        self._hurry = True
        self.configure(watch, places, tree)

    def configure(self, watch: Watch, places: Places, tree: Tree) -> None:
        """From now on with these settings: the spec was edited."""
        self.places = places
        self.tree = tree
        self.waiting.seconds = watch.settle_seconds
        self._changed = True

    # --- is it there ---

    async def find(self) -> bool:
        """Whether the root has come (back), so that its claims should be looked at now."""
        self.looking_since = self._clock.monotonic()
        try:
            identity, mounted = await asyncio.to_thread(self._identity_now)
        except OSError as error:
            self._lost(f"the watched folder {self.places.shown} {_absent(error)}: waiting for it")
            return False
        finally:
            self.looking_since = None
        if identity == self.identity:
            self._stranger = None
            return not self.present
        if self.identity is not None and not self._may_replace(identity, mounted=mounted):
            return False
        self.identity, self._was_mounted, self._stranger = identity, mounted, None
        self.present = False  # until its claims have been looked at, however often that takes
        return True

    def is_here(self) -> bool:
        """Whether the very folder stands there that files were claimed in."""
        try:
            return self._identity_now()[0] == self.identity
        except OSError:
            return False

    def _identity_now(self) -> tuple[tuple[int, int], bool]:
        """Which folder stands there, and whether something is mounted on it. In a thread: a share may not answer."""
        root = self.places.root
        status = root.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError
        return (status.st_dev, status.st_ino), status.st_dev != root.parent.stat().st_dev

    def _may_replace(self, identity: tuple[int, int], *, mounted: bool) -> bool:
        """Another folder stands in the root's place. Never taken where something is merely not mounted."""
        shown, now = self.places.shown, self._clock.monotonic()
        if self._was_mounted and not mounted:
            self._lost(f"{shown} is not mounted any more: waiting for it")
            return False
        if self._stranger is None or self._stranger[0] != identity:
            self._stranger = (identity, now)
        ours = self._recognized()
        if ours is None:
            self._lost(f"another folder stands at {shown} than before: waiting for the old one to return")
            return now - self._stranger[1] >= ADOPT_SECONDS
        if not ours:
            self._lost(
                f"another folder stands at {shown} than before, and files of the old one are being worked on: waiting "
                "for it to return"
            )
        return ours  # a share that is mounted again may well have another number

    def _lost(self, sentence: str) -> None:
        self.present = False
        self.waiting.looked({}, self._clock.monotonic())
        self._board.trouble("root", sentence, of=self.health)
        self._deafen()

    def _deafen(self) -> None:
        """No more events of the folder that stood there."""
        if self._wakeup is not None:
            self._wakeup.stop()
            self._wakeup = None
            self.health.mode, self.health.mode_why = "scanning", ""

    def arrived(self) -> None:
        """The root is there and fit to be used: look, and ask for events."""
        self.present = True
        self._board.trouble("root", None, of=self.health)
        self._changed = True
        self._deafen()
        self._wakeup = Wakeup(self.places.root, self._woken)
        self._wakeup.start()
        self._interval = SHORTEST

    def _woken(self, *, hurry: bool) -> None:
        self._changed = True
        self._hurry |= hurry
        self._nudge()

    # --- looking ---

    def next_scan(self) -> float:
        """Seconds until the next scan is due. Scans may take a twentieth of a processor at most, events or not."""
        gap = max(QUICKEST if self._hurry else SHORTEST, self._scan_cost) if self._last_scan >= 0 else 0.0
        wait = gap if self._changed else max(gap, self._interval)
        return self._last_scan + wait - self._clock.monotonic()

    async def scan(self) -> None:
        """Look at the whole root."""
        if self._wakeup is not None:
            self._wakeup.seen()
        self._changed = self._hurry = False
        began = self.looking_since = self._clock.monotonic()
        try:
            found, cpu_seconds = await asyncio.to_thread(self._timed_scan)
        except OSError as error:
            self._last_scan = self._clock.monotonic()
            self._lost(f"the watched folder {self.places.shown} {_absent(error)}: waiting for it")
            return
        finally:
            self.looking_since = None
        now = self._clock.monotonic()
        self._last_scan, self._scan_cost = now, max(20 * cpu_seconds, now - began)  # a slow share gets as much rest
        self._pace(self.waiting.looked(found.files, now))
        if self._wakeup is not None:
            self._changed |= self._wakeup.follow(found.folders)
            self._say_mode(self._wakeup)
        self._report(found)
        self.health.last_scan = self._clock.now()
        self.health.waiting = len(self.waiting.files)

    def _say_mode(self, wakeup: Wakeup) -> None:
        if (self.health.mode, self.health.mode_why) != (wakeup.mode, wakeup.why):
            self.health.mode, self.health.mode_why = wakeup.mode, wakeup.why
            if wakeup.why:
                self._board.note(f"{self.places.shown} is looked through by the clock: {wakeup.why}")

    def _timed_scan(self) -> tuple[Found, float]:
        before = time.thread_time()
        return self.tree.scan(), time.thread_time() - before

    @property
    def stale(self) -> bool:
        """Whether something has happened, or may have, since the last scan."""
        blind = self.health.mode != "events" and self._clock.monotonic() - self._last_scan > self.waiting.seconds / 2
        return self._changed or blind

    def _pace(self, changes: int) -> None:
        if changes:
            self._interval = SHORTEST
        else:
            self._interval = min(self._interval * 2, LONGEST)
        if self.waiting.moving:
            self._interval = min(self._interval, max(SHORTEST, self.waiting.seconds / 4))

    def _report(self, found: Found) -> None:
        shown = self.places.shown
        devices = plain(", ".join(found.other_devices[:3]))
        sentence = f"{devices} in {shown} lies on another file system and is not watched: give it an entry of its own"
        self._board.trouble("device", sentence if devices else None, of=self.health)
        locked = plain(", ".join(found.unreadable[:3]))
        sentence = f"{locked} in {shown} cannot be read: files in it are not seen"
        self._board.trouble("unreadable", sentence if locked else None, of=self.health)

    # --- what is ready ---

    def advance(self) -> None:
        """Bring every file to where it is by now."""
        self._vetting.begin(self.waiting.advance(self._clock.monotonic()))

    def coming(self, *, settled_only: bool = False) -> bool:
        """Whether files are on their way: settled and not decoded yet, or (else) not even settled."""
        return self.waiting.undecided or (self.waiting.moving and not settled_only)

    def next_due(self) -> float | None:
        """Seconds until something here may become ready, or should be decoded."""
        return self.waiting.next_due(self._clock.monotonic())

    async def close(self) -> None:
        await self._vetting.close()
        if self._wakeup is not None:
            self._wakeup.stop()


def _absent(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "is not there"
        case NotADirectoryError():
            return "is no folder"
        case _:
            return f"cannot be read ({error.strerror})"
