"""One watched root while it is looked at: is it there, what lies in it, what is ready to be claimed.

Looks are scans in a thread; what they found is kept here, in the loop. A picture is decoded whole before it counts as
ready, because a copy that stopped half-way stands as still as a finished one.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import ExecutorError
from speedpix_pipe.model import Watch
from speedpix_pipe.triggers.claims import CLAIMS
from speedpix_pipe.triggers.health import FolderHealth, Health
from speedpix_pipe.triggers.scan import Found, Tree
from speedpix_pipe.triggers.settle import Settling, Sighting
from speedpix_pipe.triggers.wakeup import Wakeup

SHORTEST, LONGEST = 0.05, 5.0  # seconds between scans
ADOPT_SECONDS = 6.0  # how long another folder must stand in the root's place before it is taken for the new root
VETTED_AT_ONCE = 16
PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
Verify = Callable[[str], Awaitable[object]]  # decodes a picture whole, or raises ExecutorError with a sentence


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of one watched folder come from and go to. `shown` is the folder as the spec has it."""

    root: Path
    done: Path
    failed: Path
    shown: str

    @classmethod
    def of(cls, watch: Watch, folder: Path) -> Places:
        root = Path(os.path.normpath(folder / Path(watch.folder).expanduser()))

        def beside(written: str | None, built_in: str) -> Path:
            if written is None:
                return root / built_in
            return Path(os.path.normpath(folder / Path(written).expanduser()))

        return cls(root, beside(watch.on_success, "done"), beside(watch.on_failure, "failed"), watch.folder)

    @property
    def never(self) -> list[str]:
        return [str(path) for path in (self.root / CLAIMS, self.done, self.failed)]


class Inbox:
    """Looks at one root. `nudge` is called when it would be worth looking at what is ready."""

    def __init__(
        self,
        watch: Watch,
        places: Places,
        *,
        clock: Clock,
        verify: Verify,
        health: Health,
        nudge: Callable[[], None],
    ) -> None:
        self.places = places
        self.health = FolderHealth(watch.folder)
        self.settling = Settling(watch.settle_seconds)
        self.present = False
        self._clock = clock
        self._verify = verify
        self._board = health
        self._nudge = nudge
        self._identity: tuple[int, int] | None = None
        self._was_mounted = False
        self._stranger: tuple[tuple[int, int], float] | None = None  # who stands in the root's place, and since when
        self._wakeup: Wakeup | None = None
        self._to_vet: deque[Sighting] = deque()
        self._in_vetting: set[str] = set()
        self._vetters: set[asyncio.Task[None]] = set()
        self._interval = SHORTEST
        self._last_scan = -LONGEST
        self._scan_cost = 0.0  # seconds of rest after a scan
        self._changed = True
        self.configure(watch, places)

    def configure(self, watch: Watch, places: Places) -> None:
        """From now on with these settings: the spec was edited."""
        self.places = places
        self.tree = Tree(str(places.root), watch.patterns, watch.ignore, places.never)
        self.settling.seconds = watch.settle_seconds
        self._changed = True

    # --- is it there ---

    def find(self) -> bool:
        """Whether the root has come (back), so that its claims should be looked at now."""
        now = self._clock.monotonic()
        try:
            status = self.places.root.stat()
            mounted = status.st_dev != self.places.root.parent.stat().st_dev
            if not self.places.root.is_dir():
                raise NotADirectoryError
        except OSError as error:
            self._lost(f"the watched folder {self.places.shown} {_absent(error)}: waiting for it")
            return False
        identity = (status.st_dev, status.st_ino)
        if identity == self._identity:
            self._stranger = None
            return not self.present
        if self._identity is not None and not self._may_replace(identity, now, mounted=mounted):
            return False
        self._identity, self._was_mounted, self._stranger = identity, mounted, None
        return True

    def _may_replace(self, identity: tuple[int, int], now: float, *, mounted: bool) -> bool:
        """Another folder stands in the root's place. Never taken where something is merely not mounted."""
        if self._was_mounted and not mounted:
            self._lost(f"{self.places.shown} is not mounted any more: waiting for it")
            return False
        if self._stranger is None or self._stranger[0] != identity:
            self._stranger = (identity, now)
        self._lost(f"another folder stands at {self.places.shown} than before: waiting for the old one to return")
        return now - self._stranger[1] >= ADOPT_SECONDS

    def _lost(self, sentence: str) -> None:
        self.present = False
        self.settling.looked({}, self._clock.monotonic())
        self._board.trouble("root", sentence, of=self.health)
        if self._wakeup is not None:
            self._wakeup.stop()
            self._wakeup = None
            self.health.mode = "scanning"

    def arrived(self) -> None:
        """The root is there and fit to be used: look, and ask for events."""
        self.present = True
        self._board.trouble("root", None, of=self.health)
        self._changed = True
        self._wakeup = Wakeup(self.places.root, self._woken, recursive=self.tree.recursive)
        self._wakeup.start()
        self.health.mode = self._wakeup.mode
        self._interval = SHORTEST

    def _woken(self) -> None:
        self._changed = True
        self._nudge()

    # --- looking ---

    def next_scan(self) -> float:
        """Seconds until the next scan is due. Scans may take a twentieth of a processor at most, events or not."""
        gap = max(SHORTEST, self._scan_cost) if self._last_scan >= 0 else 0.0
        wait = gap if self._changed else max(gap, self._interval)
        return self._last_scan + wait - self._clock.monotonic()

    async def scan(self) -> None:
        """Look at the whole root."""
        if self._wakeup is not None:
            self._wakeup.seen()
        self._changed = False
        began = self._clock.monotonic()
        try:
            found, cpu_seconds = await asyncio.to_thread(self._timed_scan)
        except OSError as error:
            self._last_scan = self._clock.monotonic()
            self._lost(f"the watched folder {self.places.shown} {_absent(error)}: waiting for it")
            return
        now = self._clock.monotonic()
        self._last_scan, self._scan_cost = now, max(20 * cpu_seconds, now - began)  # a slow share gets as much rest
        changes = self.settling.looked(found.files, now)
        self._pace(changes, now)
        self._report(found)
        self.health.last_scan = self._clock.now()
        self.health.waiting = len(self.settling.waiting)

    def _timed_scan(self) -> tuple[Found, float]:
        before = time.thread_time()
        return self.tree.scan(), time.thread_time() - before

    @property
    def stale(self) -> bool:
        """Whether something has happened, or may have, since the last scan."""
        blind = self.health.mode != "events" and self._clock.monotonic() - self._last_scan > self.settling.seconds / 2
        return self._changed or blind

    def _pace(self, changes: int, now: float) -> None:
        if changes:
            self._interval = SHORTEST
        else:
            self._interval = min(self._interval * 2, LONGEST)
        if self.settling.unsettled(now):
            self._interval = min(self._interval, max(SHORTEST, self.settling.seconds / 4))

    def _report(self, found: Found) -> None:
        shown = self.places.shown
        devices = ", ".join(found.other_devices[:3])
        sentence = f"{devices} in {shown} lies on another file system and is not watched: give it an entry of its own"
        self._board.trouble("device", sentence if devices else None, of=self.health)
        locked = ", ".join(found.unreadable[:3])
        sentence = f"{locked} in {shown} cannot be read: files in it are not seen"
        self._board.trouble("unreadable", sentence if locked else None, of=self.health)

    # --- what is ready ---

    def ready(self) -> list[Sighting]:
        """Files to be claimed now, in the order in which they came; those with a `fault` only to be told so."""
        now = self._clock.monotonic()
        found = []
        for sighting in self.settling.settled(now):
            if sighting.usable is None and not _is_picture(sighting.name):
                sighting.usable = True
            if sighting.usable or (sighting.fault and self.settling.out_of_patience(sighting, now)):
                found.append(sighting)
        return sorted(found, key=lambda sighting: (sighting.first, sighting.name))

    def coming(self, *, settled_only: bool = False) -> bool:
        """Whether files are on their way: settled and not decoded yet, or (else) not even settled."""
        now = self._clock.monotonic()
        for sighting in self.settling.waiting.values():
            if now - sighting.since < self.settling.seconds:
                if not settled_only:
                    return True
            elif sighting.usable is None and _is_picture(sighting.name):
                return True
        return False

    def next_due(self) -> float | None:
        """Seconds until something here may become ready, or should be decoded."""
        now = self._clock.monotonic()
        half = self.settling.seconds / 2
        due: float | None = None
        for sighting in self.settling.waiting.values():
            if sighting.fault:
                at = min(sighting.tried + self._again(), sighting.since + 10 * self.settling.seconds)
            elif now - sighting.since < half:
                at = sighting.since + half
            else:
                at = sighting.since + self.settling.seconds
            if at > now and (due is None or at < due):
                due = at
        return None if due is None else due - now

    def _again(self) -> float:
        return max(self.settling.seconds, SHORTEST)

    def vet(self) -> None:
        """Have pictures decoded that have stood still for half their time; the answer holds while they do."""
        now = self._clock.monotonic()
        half = self.settling.seconds / 2
        self._to_vet = deque(
            sighting
            for sighting in self.settling.waiting.values()
            if now - sighting.since >= half
            and not sighting.usable
            and _is_picture(sighting.name)
            and sighting.name not in self._in_vetting
            and not (sighting.fault and now - sighting.tried < self._again())
        )
        while self._to_vet and len(self._vetters) < VETTED_AT_ONCE:
            task = asyncio.ensure_future(self._vet_all())
            self._vetters.add(task)
            task.add_done_callback(self._vetters.discard)
            if len(self._vetters) >= len(self._to_vet):
                break

    async def _vet_all(self) -> None:
        """Decode until none is left: whoever finishes one takes the next at once."""
        while self._to_vet:
            sighting = self._to_vet.popleft()
            if sighting.name in self._in_vetting:
                continue
            self._in_vetting.add(sighting.name)
            try:
                await self._vet(sighting)
            finally:
                self._in_vetting.discard(sighting.name)
            self._nudge()

    async def _vet(self, sighting: Sighting) -> None:
        signature, fault = sighting.signature, ""
        try:
            await self._verify(str(self.places.root / sighting.name))
        except ExecutorError as error:
            fault = _without_name(error.message, sighting.name)
        if sighting.signature == signature:
            sighting.usable, sighting.fault, sighting.tried = not fault, fault, self._clock.monotonic()

    def unusable(self, sighting: Sighting, fault: str) -> None:
        """The last look found that it cannot be used."""
        sighting.usable, sighting.fault, sighting.tried = False, fault, self._clock.monotonic()

    async def close(self) -> None:
        for task in self._vetters:
            task.cancel()
        await asyncio.gather(*self._vetters, return_exceptions=True)
        if self._wakeup is not None:
            await asyncio.to_thread(self._wakeup.stop)


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURES  # noqa: PTH122 - asked of 10,000 names at each look


def _without_name(message: str, name: str) -> str:
    """The decoder's sentence without the name, which the reader knows."""
    return message.removeprefix(f"{Path(name).name}: ")


def _absent(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "is not there"
        case NotADirectoryError():
            return "is no folder"
        case _:
            return f"cannot be read ({error.strerror})"
