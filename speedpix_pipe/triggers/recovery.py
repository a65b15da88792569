"""What a start finds in the claims folder: the truth about what is ours. The journal tells how far each file was.

A file without a row is written down; one with a row and no verdict joins its run again; one with a verdict is
moved. Of a row whose file is gone, the journal knows where it was to go.
"""

from __future__ import annotations

import asyncio
import errno
import stat
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.errors import UsageError
from speedpix_pipe.files import sha256_file
from speedpix_pipe.store import Arrival, ArrivalState, Verdict
from speedpix_pipe.triggers import moving
from speedpix_pipe.triggers.base import Batch, Guest, Judgement, Surroundings
from speedpix_pipe.triggers.claims import Claim, check_root
from speedpix_pipe.triggers.health import plain

if TYPE_CHECKING:
    from speedpix_pipe.triggers.hotfolder import HotFolder


async def recover(folder: HotFolder, around: Surroundings) -> str | None:
    """Take up everything of ours in a root that has come (back). A sentence where the root cannot be used."""
    held = {identity for other in around.folders for identity in other.held}  # an edit may have moved the patterns
    rows = {row.id: row for row in rows_of(folder, around) if row.id not in held}
    if rows and not folder.claims.folder.is_dir():
        return (
            f"{folder.places.shown} has lost {len(rows)} files that were being worked on: is it mounted? "
            f"To go on without them, make the folder {folder.claims.folder}"
        )
    try:
        await _checked(folder)
    except UsageError as error:
        return error.message
    left = await asyncio.to_thread(folder.claims.left, folder.inbox.identity)
    ours = [claim for claim in left if claim.id not in held and _whose(claim.name, folder, around) is folder]
    await _Recovery(folder, around, rows).take_up(ours)
    return None


async def _checked(folder: HotFolder) -> None:
    """What it makes in the root must not appear after we have ended; a disk that hangs must not keep us."""
    checking = asyncio.ensure_future(asyncio.to_thread(check_root, folder.places.root, folder.claims))
    try:
        await asyncio.shield(checking)
    except asyncio.CancelledError:
        await asyncio.wait({checking}, timeout=1.0)
        if checking.done():
            checking.exception()
        raise


def rows_of(folder: HotFolder, around: Surroundings) -> list[Arrival]:
    """What the journal knows of files that arrived in this folder and are not in their last place."""
    return [row for row in around.arrivals.open(around.watcher) if _is_of(row, folder, around)]


def _is_of(row: Arrival, folder: HotFolder, around: Surroundings) -> bool:
    """Roots may lie within each other: the one whose claims hold the file has it, else the innermost."""
    above = [other for other in around.folders if row.path.is_relative_to(other.places.root)]
    if folder not in above:
        return False
    holding = [other for other in above if (other.claims.folder / row.id).is_dir()]
    root = max((other.places.root for other in holding or above), key=lambda path: len(path.parts))
    if folder.places.root != root:
        return False
    return _whose(str(row.path.relative_to(root)), folder, around) is folder


def _whose(name: str, folder: HotFolder, around: Surroundings) -> HotFolder:
    """Of all entries that share a root, the one that takes files of this name; else the first."""
    sharing = [other for other in around.folders if other.places.real == folder.places.real]
    return next((other for other in sharing if other.inbox.tree.counts(name)), sharing[0])


class _Recovery:
    def __init__(self, folder: HotFolder, around: Surroundings, rows: dict[str, Arrival]) -> None:
        self._folder = folder
        self._around = around
        self._rows = rows

    async def take_up(self, claims: list[Claim]) -> None:
        new: list[Guest] = []
        waiting: list[Guest] = []
        in_runs: dict[str, list[Guest]] = defaultdict(list)
        judged: list[Guest] = []
        for claim in claims:
            row = self._rows.pop(claim.id, None) or self._around.arrivals.get(claim.id)
            if row is not None and row.state is ArrivalState.PLACED:
                await self._leftover(claim)
                continue
            if claim.returning:
                await self._return(claim, row)
                continue
            guest = await asyncio.to_thread(self._folder.guest_of, claim)
            if row is None:
                new.append(guest)
            elif row.sha256 and not guest.sha256:
                raise OSError(errno.EIO, f"{plain(claim.name)} cannot be read")  # nothing says that it has changed
            elif row.sha256 and guest.sha256 != row.sha256:
                await self._return(claim, row)
            elif row.verdict is not None and await asyncio.to_thread(_has_been_copied, guest, row):
                await self._finish_copy(self._judged(guest, row))
            elif row.verdict is not None:
                judged.append(self._known(guest, row))
            else:
                await self._adopt(guest, row)
                (in_runs[row.run_id] if row.run_id is not None else waiting).append(guest)
        await self._folder.enter(new)
        for guest in (*waiting, *judged, *[guest for found in in_runs.values() for guest in found]):
            self._folder.hold(guest)
        await self._without_file(list(self._rows.values()))
        self._begin(in_runs, [*waiting, *new], judged)

    def _begin(self, in_runs: dict[str, list[Guest]], waiting: list[Guest], judged: list[Guest]) -> None:
        for run_id, guests in in_runs.items():
            self._around.begin(Batch(self._folder, guests, run_id))
        self._folder.hand_out_again(waiting)
        if judged:
            self._folder.placing.place(judged)

    def _judged(self, guest: Guest, row: Arrival) -> Guest:
        assert row.verdict is not None
        guest.judgement = Judgement(row.verdict, row.reason, row.step, row.run_id)
        return guest

    def _known(self, guest: Guest, row: Arrival) -> Guest:
        self._judged(guest, row)
        if row.bytes_path != guest.claim.path:
            moving.clear_reserved(row.bytes_path, row.id)
        return guest

    async def _finish_copy(self, guest: Guest) -> None:
        """It stands in its last place on another file system, and only its claim was still to be removed."""
        await asyncio.to_thread(guest.claim.path.unlink)
        await asyncio.to_thread(self._folder.placing.tidy, [guest])
        await self._around.arrivals.all_placed([guest.id])

    async def _adopt(self, guest: Guest, row: Arrival) -> None:
        """The claim of another watcher, taken over, goes on under our name."""
        if row.watcher != self._around.watcher or row.bytes_path != guest.claim.path:
            await self._around.arrivals.claimed(
                guest.id,
                watcher=self._around.watcher,
                path=row.path,
                bytes_path=guest.claim.path,
                sha256=guest.sha256,
                size=guest.size,
            )

    async def _return(self, claim: Claim, row: Arrival | None) -> None:
        """It was written to after it was claimed: a new arrival."""
        path = await asyncio.to_thread(self._folder.claims.put_back, claim)
        if row is None:
            return  # it changed in the very moment it was claimed
        if row.verdict is None:
            reason = "the file changed after it was claimed, and is a new arrival"
            await self._around.arrivals.all_judged([(row.id, Verdict.FAILED, reason, None)])
        else:
            moving.clear_reserved(row.bytes_path, row.id)
        await self._around.arrivals.all_moving({row.id: path})
        await self._around.arrivals.all_placed([row.id])
        self._around.health.note(
            f"{self._folder.places.shown}/{plain(claim.name)} changed after it was taken, and is taken again: "
            "its writer pauses for longer than `settle`; raise it"
        )

    async def _leftover(self, claim: Claim) -> None:
        """A second name of a file that is in its place already, or something that nobody knows: back to the inbox."""
        row = self._around.arrivals.get(claim.id)
        await asyncio.to_thread(self._clear, claim, row)

    def _clear(self, claim: Claim, row: Arrival | None) -> None:
        if row is not None and _is_second_name(claim.path, row.bytes_path):
            claim.path.unlink()
            self._folder.claims.drop(claim.id)
        else:
            self._folder.claims.put_back(claim)

    async def _without_file(self, rows: list[Arrival]) -> None:
        """Rows whose file is not in its claim: moved just before the crash, or taken away by somebody."""
        vanished = [row for row in rows if row.verdict is None]
        reason = "it was taken out of the claims folder while it was being worked on"
        await self._around.arrivals.all_judged([(row.id, Verdict.FAILED, reason, None) for row in vanished])
        for row in vanished:
            self._around.health.note(f"{plain(str(row.path))}: {reason}")
        done = {row.id: row.path for row in rows if row.verdict is Verdict.DONE}
        await asyncio.to_thread(self._folder.placing.forget_failures, done)
        await self._around.arrivals.all_placed([row.id for row in rows])


def _is_second_name(path: Path, other: Path) -> bool:
    """Whether the same file has another name, too: only then may this one go."""
    try:
        return path != other and path.samefile(other)
    except OSError:
        return False


def _has_been_copied(guest: Guest, row: Arrival) -> bool:
    """Whether the same bytes stand whole under the name in the journal, on another file system than the claim."""
    try:
        status = row.bytes_path.lstat()
        if status.st_dev == guest.claim.signature.device or not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        return sha256_file(row.bytes_path) == guest.sha256
    except OSError:
        return False
