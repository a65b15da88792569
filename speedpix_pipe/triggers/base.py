"""The nouns of a hot folder: one arrival that is ours, what became of it, and what all folders share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.clock import Clock
from speedpix_pipe.files import FileValue, Studied, sha256_file, study_file
from speedpix_pipe.records import dataclass
from speedpix_pipe.store import Arrivals, Verdict
from speedpix_pipe.triggers.claims import Claim, Step, no_step
from speedpix_pipe.triggers.health import Health
from speedpix_pipe.triggers.settle import Signature
from speedpix_pipe.triggers.vetting import Verify

if TYPE_CHECKING:
    from speedpix_pipe.triggers.hotfolder import HotFolder


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one file."""

    verdict: Verdict
    reason: str | None = None
    step: str | None = None
    run_id: str | None = None


@dataclass(slots=True, eq=False)
class Guest:
    """One arrival that is ours: claimed, and not in its last place yet."""

    id: str
    name: str  # its path below the root
    path: Path  # where it arrived
    claim: Claim
    sha256: str
    size: int
    fault: str = ""  # why it cannot be used at all
    still: bool = False  # whether it had stood still for so long that whatever is written later shows in its times
    judgement: Judgement | None = None


class ClaimedDigests:
    """`files.value.Digests` of claimed files: each was hashed when it was claimed, and is again if it has changed."""

    def __init__(self, guests: Iterable[Guest]) -> None:
        self._known = {guest.claim.path: guest for guest in guests if guest.still}

    def digest(self, path: Path) -> str:
        return self.peek(path) or sha256_file(path)

    def peek(self, path: Path) -> str | None:
        guest = self._known.get(path)
        try:
            return guest.sha256 if guest is not None and Signature.of(path.lstat()) == guest.claim.signature else None
        except OSError:
            return None

    def study(self, path: Path) -> Studied:
        return study_file(path)[0]

    def recall(self, place: bytes, state: bytes) -> str | None:  # noqa: ARG002 - of objects, which are never claimed
        return None

    def remember(self, place: bytes, state: bytes, sha256: str) -> None:
        """Nothing to remember: see `recall`."""


@dataclass(slots=True, eq=False)
class Batch:
    """Files that one run takes. `run_id` is set where a run of a life before is to go on."""

    folder: HotFolder
    guests: list[Guest]
    run_id: str | None = None
    rootless: bool = False  # it cannot go on before the watched root is back

    def values(self, spec_folder: Path) -> dict[str, FileValue]:
        """The files as expressions see them, by arrival: the path where they arrived, the bytes where they are now."""
        root, digests = self.folder.places.root, ClaimedDigests(self.guests)
        return {
            guest.id: FileValue.at(guest.path, guest.claim.path, spec_folder, root, digests) for guest in self.guests
        }


@dataclass(slots=True)
class Surroundings:
    """What all watched folders of a process share."""

    watcher: str
    arrivals: Arrivals
    clock: Clock
    random: Callable[[int], bytes]
    verify: Verify
    health: Health
    begin: Callable[[Batch], None]  # a batch is ready to be carried out
    watch_over: Callable[[asyncio.Task[None]], None]  # what ends a task unforeseen ends the watcher
    folders: list[HotFolder]  # all of them
    room: Callable[[], int]  # how many more files may be taken now
    step: Step = field(default=no_step)
    language: str = "en"  # of the notes beside failed files
