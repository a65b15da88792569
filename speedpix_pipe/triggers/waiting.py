"""The files of one root that wait: since when each stands still, what is due for it next, and which may be taken.

A file passes through few stages, each at a known time: half-way through `settle` a picture is decoded, at its end the
file is settled, and then it is ready. So an agenda holds the next time of each, and only a look compares all of them:
no other question costs more with a hundred thousand files than with ten. Time comes in as an argument.
"""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Callable, Mapping
from itertools import count

from speedpix_pipe.records import dataclass
from speedpix_pipe.triggers.settle import Signature

PATIENCE = 10  # how many times `settle` a file that cannot be used is taken for one that is still being written
PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
SOONEST_AGAIN = 0.05  # seconds until a picture that did not decode is tried again, with however short a `settle`
LONGEST_REFUSAL = 60.0


@dataclass(slots=True, eq=False)
class Sighting:
    """One file that waits. `name` is its path below the watched root."""

    name: str
    signature: Signature
    first: float  # when its name was first seen
    since: float  # when we last saw it differ
    picture: bool  # whether it is decoded before it counts as ready
    usable: bool | None = None  # whether a full look found a whole file; None: not looked yet
    fault: str = ""  # what the full look found
    tried: float = 0.0  # when that was
    refusals: int = 0  # how often it could not be claimed
    not_before: float = 0.0  # when that may be tried again
    ready: bool = False
    due: float = math.inf  # the time of its entry in the agenda

    def differs(self, signature: Signature, now: float) -> None:
        """It was written to, or replaced: everything known of it is out of date."""
        self.signature = signature
        self.disturbed(now)

    def disturbed(self, now: float) -> None:
        self.since, self.usable, self.fault = now, None, ""


class Waiting:
    """All files of one root that wait. `may` says whose earlier arrival is still being worked on: it is held back."""

    def __init__(self, seconds: float, may: Callable[[str], bool] = lambda _: True) -> None:
        self.files: dict[str, Sighting] = {}
        self._seconds = seconds
        self._may = may
        self._number = count()
        self._agenda: list[tuple[float, int, Sighting]] = []
        self._moving: set[str] = set()  # not settled yet
        self._undecided: set[str] = set()  # settled, and not decoded yet
        self._ready: list[tuple[float, str, Sighting]] = []
        self._ready_count = 0

    @property
    def seconds(self) -> float:
        return self._seconds

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        """Another `settle`, for all that is not ready yet."""
        if seconds != self._seconds:
            self._seconds = seconds
            for sighting in self.files.values():
                self._enter(sighting, 0.0)

    def holds(self, sighting: Sighting) -> bool:
        """Whether it still lies there."""
        return self.files.get(sighting.name) is sighting

    # --- what a look finds ---

    def looked(self, found: Mapping[str, Signature], now: float) -> int:
        """A look is the whole truth: what it does not list is gone. Returns how many files are new or differ."""
        changes = 0
        for name, signature in found.items():
            known = self.files.get(name)
            if known is None:
                known = self.files[name] = Sighting(name, signature, now, now, _is_picture(name))
            elif known.signature != signature:
                known.differs(signature, now)
            else:
                continue
            changes += 1
            self._begin(known, now)
        if len(self.files) > len(found):
            for name in self.files.keys() - found.keys():
                self.gone(name)
        return changes

    def disturbed(self, sighting: Sighting, now: float) -> None:
        """A closer look says that somebody is at it: its time starts over."""
        if self.holds(sighting):
            sighting.disturbed(now)
            self._begin(sighting, now)

    def gone(self, name: str) -> None:
        sighting = self.files.pop(name, None)
        if sighting is not None:
            self._withdraw(sighting)
            self._moving.discard(name)
            self._undecided.discard(name)

    def vetted(self, sighting: Sighting, fault: str, now: float) -> None:
        """A full look at it has found that it is whole, or what is wrong with it."""
        sighting.usable, sighting.fault, sighting.tried = not fault, fault, now
        self._undecided.discard(sighting.name)
        self._consider(sighting, now)

    def vet_again(self, sighting: Sighting, now: float) -> None:
        """It changed while it was decoded, so that the answer is worth nothing."""
        self._enter(sighting, now)

    def refused(self, sighting: Sighting, now: float) -> None:
        """It could not be claimed: not tried again for a while, so that the others have their turn."""
        sighting.not_before = now + min(2.0**sighting.refusals, LONGEST_REFUSAL)
        sighting.refusals += 1
        self._consider(sighting, now)

    def left(self, sighting: Sighting, now: float) -> None:
        """Taken, and left where it is for now."""
        self._consider(sighting, now)

    def freed(self, name: str, now: float) -> None:
        """The earlier arrival of this name has its verdict."""
        sighting = self.files.get(name)
        if sighting is not None:
            self._consider(sighting, now)

    # --- what is due ---

    def advance(self, now: float) -> list[Sighting]:
        """Bring all to where they are now. Returns pictures that should be decoded."""
        to_vet = []
        while self._agenda and self._agenda[0][0] <= now:
            at, _, sighting = heapq.heappop(self._agenda)
            if sighting.due == at and self.holds(sighting):
                sighting.due = math.inf
                self._consider(sighting, now)
                if self._wants_vetting(sighting, now):
                    to_vet.append(sighting)
        return to_vet

    def next_due(self, now: float) -> float | None:
        """Seconds until something may become ready, or should be decoded."""
        while self._agenda:
            at, _, sighting = self._agenda[0]
            if sighting.due == at and self.holds(sighting):
                return max(0.0, at - now)
            heapq.heappop(self._agenda)
        return None

    @property
    def moving(self) -> bool:
        """Whether files are not settled yet."""
        return bool(self._moving)

    @property
    def undecided(self) -> bool:
        """Whether settled pictures are still being decoded."""
        return bool(self._undecided)

    # --- what is ready ---

    @property
    def ready(self) -> int:
        """How many files may be claimed now; those with a `fault` only to be told so."""
        return self._ready_count

    def take(self, most: int) -> list[Sighting]:
        """So many of them, in the order in which they came; what became of each is to be told here."""
        taken: list[Sighting] = []
        while self._ready and len(taken) < most:
            _, _, sighting = heapq.heappop(self._ready)
            if sighting.ready and self.holds(sighting):
                self._withdraw(sighting)
                taken.append(sighting)
        return taken

    # --- parts ---

    def _begin(self, sighting: Sighting, now: float) -> None:
        self._withdraw(sighting)
        self._undecided.discard(sighting.name)
        self._moving.add(sighting.name)
        self._enter(sighting, now + (self._seconds / 2 if sighting.picture else self._seconds))

    def _consider(self, sighting: Sighting, now: float) -> None:
        """Where it stands now, and when it should be looked at next."""
        if not self.holds(sighting):
            return
        if now - sighting.since >= self._seconds:
            self._moving.discard(sighting.name)
            if sighting.picture and sighting.usable is None:
                self._undecided.add(sighting.name)
            elif self._is_fit(sighting, now) and self._may(sighting.name):
                self._offer(sighting)
                return
        coming = [at for at in self._times(sighting) if at > now]
        if coming:
            self._enter(sighting, min(coming))

    def _is_fit(self, sighting: Sighting, now: float) -> bool:
        if now < sighting.not_before:
            return False
        return not sighting.fault or now - sighting.since >= PATIENCE * self._seconds

    def _times(self, sighting: Sighting) -> list[float]:
        times = [sighting.since + self._seconds, sighting.not_before]
        if sighting.picture and sighting.usable is None:
            times.append(sighting.since + self._seconds / 2)
        if sighting.fault:
            times += [sighting.tried + self._again(), sighting.since + PATIENCE * self._seconds]
        return times

    def _wants_vetting(self, sighting: Sighting, now: float) -> bool:
        if not sighting.picture or sighting.usable or now - sighting.since < self._seconds / 2:
            return False
        return not sighting.fault or now - sighting.tried >= self._again()

    def _again(self) -> float:
        return max(self._seconds, SOONEST_AGAIN)

    def _enter(self, sighting: Sighting, at: float) -> None:
        """To be considered at that time. An earlier entry brings it up in time for the later one, too."""
        if at < sighting.due:
            sighting.due = at
            heapq.heappush(self._agenda, (at, next(self._number), sighting))

    def _offer(self, sighting: Sighting) -> None:
        if not sighting.ready:
            sighting.ready = True
            self._ready_count += 1
            heapq.heappush(self._ready, (sighting.first, sighting.name, sighting))

    def _withdraw(self, sighting: Sighting) -> None:
        if sighting.ready:
            sighting.ready = False
            self._ready_count -= 1


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURES  # noqa: PTH122 - asked of 10,000 names at each look
