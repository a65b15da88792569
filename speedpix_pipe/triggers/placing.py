"""What follows a verdict: it is written down, the file moves to done or failed, and its note stands beside it.

A destination that cannot be written is tried again with growing pauses: the file stays in its claim, and the health
turns red. A file that changed after its claim goes back to the inbox, because what it is now was never looked at.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedpix_pipe.files import sha256_file
from speedpix_pipe.store import Verdict
from speedpix_pipe.triggers import moving
from speedpix_pipe.triggers.base import Guest, Judgement, Surroundings
from speedpix_pipe.triggers.health import plain
from speedpix_pipe.triggers.notes import in_words, is_foreign, remove_notes, write_note
from speedpix_pipe.triggers.settle import Signature

if TYPE_CHECKING:
    from speedpix_pipe.triggers.hotfolder import HotFolder

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
MANY = 16  # files of one name, from which on the next free number is remembered


class Placing:
    """The last part of every arrival of one folder."""

    def __init__(self, folder: HotFolder, around: Surroundings) -> None:
        self._folder = folder
        self._around = around
        self._arrivals = around.arrivals
        self._tasks: set[asyncio.Task[None]] = set()
        self.moving_since: float | None = None  # when the attempt began that is not over yet
        self._pausing = 0  # tasks that wait for a better moment
        self._failing: dict[str, str] = {}  # files that cannot be moved, and why
        self._reserving = asyncio.Lock()  # two batches must not mean the same name before either has it
        self._reserved: dict[str, tuple[Path, int]] = {}  # names that files had not come to when their root went away
        self._tried: dict[Path, int] = {}  # names that are taken many times over

    def judge_hopeless(self, guests: Sequence[Guest]) -> None:
        """Files that cannot be used at all: no run, no cost."""
        verdicts = {guest.id: Judgement(Verdict.FAILED, guest.fault) for guest in guests}
        self._start(self._judge_and_place(list(guests), verdicts))

    async def _judge_and_place(self, guests: list[Guest], verdicts: Mapping[str, Judgement]) -> None:
        await self.judge(guests, verdicts)
        await self._place_all(guests)

    async def judge(self, guests: Sequence[Guest], verdicts: Mapping[str, Judgement]) -> None:
        """Write the verdicts down, all in one transaction."""
        for guest in guests:
            guest.judgement = verdicts[guest.id]
        self._around.step("verdict.unwritten")
        await self._arrivals.all_judged(
            (guest.id, judged.verdict, judged.reason, judged.step)
            for guest in guests
            if (judged := guest.judgement) is not None
        )
        self._around.step("verdict.journaled")
        for guest in guests:
            judged = verdicts[guest.id]
            self._folder.verdict_known(guest)
            self._around.health.judged(self._shown(guest), judged.verdict, judged.run_id, judged.reason)

    def _shown(self, guest: Guest) -> str:
        return f"{self._folder.places.shown.rstrip('/')}/{guest.name}"

    def place(self, guests: Sequence[Guest]) -> None:
        """Move judged files where they belong, in the background and for as long as it takes."""
        self._start(self._place_all(list(guests)))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._around.watch_over(task)

    async def drained(self) -> None:
        """Return when nothing is on its way to its last place."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being moved just now: all is in its place, or waits for a better moment."""
        return len(self._tasks) == self._pausing

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- moving ---

    async def _place_all(self, guests: list[Guest]) -> None:
        pause = FIRST_PAUSE
        while True:
            left = await self._attempt(await self._put_back_changed(guests))
            if not left:
                return
            guests = left
            self._pausing += 1
            try:
                await self._around.clock.sleep(pause)
            finally:
                self._pausing -= 1
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _attempt(self, guests: list[Guest]) -> list[Guest]:
        """One try for all; those that could not be moved."""
        async with self._reserving:
            self.moving_since = self._around.clock.monotonic()
            targets, away = await asyncio.to_thread(self._choose, guests)
            here = [guest for guest in guests if guest.id in targets]
            moved, why = here, away
            if here:
                await self._arrivals.all_moving({guest.id: targets[guest.id] for guest in here})
                self._around.step("move.journaled")
                moved, failed = await asyncio.to_thread(self._move, here, targets)
                why = {**away, **failed}
            self.moving_since = None
        if moved:
            await asyncio.to_thread(self.tidy, moved)  # before it counts as placed: a start does not look at it again
            await self._arrivals.all_placed([guest.id for guest in moved])
            self._around.step("move.placed")
        for guest in moved:
            self._folder.leave(guest)
        self._tell(guests, why)
        return [guest for guest in guests if guest.id in self._folder.held]

    def _tell(self, tried: Sequence[Guest], why: Mapping[str, str]) -> None:
        """Red as long as anything at all cannot be moved."""
        for guest in tried:
            self._failing.pop(guest.id, None)
        self._failing.update(why)
        trouble = next(iter(self._failing.values()), None)
        self._around.health.trouble("place", trouble, of=self._folder.inbox.health)

    def _wanted(self, guest: Guest) -> Path:
        assert guest.judgement is not None
        places = self._folder.places
        return (places.done if guest.judgement.verdict is Verdict.DONE else places.failed) / guest.name

    def _choose(self, guests: Sequence[Guest]) -> tuple[dict[str, Path], dict[str, str]]:
        """A free name for each, or why none can be given now."""
        chosen: dict[str, Path] = {}
        away: dict[str, str] = {}
        taken: set[Path] = set()
        for guest in guests:
            if not self._folder.is_here():
                shown = self._folder.places.shown
                away[guest.id] = f"finished files of {shown} wait where they are, because {shown} is not there"
                continue
            if guest.id in self._reserved:
                target, inode = self._reserved.pop(guest.id)
                moving.clear_reserved(target, guest.id, inode)
            wanted = self._wanted(guest)
            target, number = moving.free_name(wanted, taken, self._tried.get(wanted, 0))
            if number > MANY:
                self._tried[wanted] = number
            chosen[guest.id] = target
            taken.add(target)
        return chosen, away

    def _move(self, guests: Sequence[Guest], targets: Mapping[str, Path]) -> tuple[list[Guest], dict[str, str]]:
        moved, folders, why = [], set(), {}
        for guest in guests:
            target = targets[guest.id]
            try:
                inode = moving.reserve(target, self._folder.places.root)
                if inode is None:
                    continue  # somebody took the name meanwhile: choose again
            except OSError as error:
                why[guest.id] = self._complaint(target, error)
                continue
            self._around.step("move.reserved")
            try:
                self._move_one(guest, target, inode)
                folders.add(target.parent)
                moved.append(guest)
            except OSError as error:
                moving.clear_reserved(target, guest.id, inode)
                if not target.parent.is_dir():
                    self._reserved[guest.id] = target, inode
                why[guest.id] = self._complaint(target, error)
        moving.sync(folders)
        return moved, why

    def _complaint(self, target: Path, error: OSError) -> str:
        shown = self._folder.places.shown
        return f"finished files of {shown} cannot be moved to {plain(str(target.parent))}: {error.strerror or error}"

    def _move_one(self, guest: Guest, target: Path, inode: int) -> None:
        judged = guest.judgement
        assert judged is not None
        if judged.verdict is Verdict.FAILED:
            reason = judged.reason or "the run ended without saying why"
            write_note(
                target,
                message=in_words(reason, judged.step, guest.name, self._around.language),
                reason=reason,
                step=judged.step,
                run_id=judged.run_id,
                arrived=self._shown(guest),
                at=self._around.clock.now(),
            )
            self._around.step("move.noted")
        try:
            moving.move_over(moving.Move(guest.id, guest.claim.path, target), self._around.step)
        except FileNotFoundError:
            if not self._folder.is_here() or os.path.lexists(guest.claim.path) or not self._folder.is_here():
                raise
            if moving.is_placeholder(target, inode):
                target.unlink()  # somebody took it out of our folder: the note is all there is
            # else it has arrived: a share whose answer got lost is asked again, and then knows of no such file

    def tidy(self, guests: Sequence[Guest]) -> None:
        """Leave nothing of files that have moved but the files."""
        for guest in guests:
            self._folder.claims.drop(guest.id)
        self.forget_failures(
            {g.id: g.path for g in guests if g.judgement is not None and g.judgement.verdict is Verdict.DONE}
        )

    def forget_failures(self, done: Mapping[str, Path]) -> None:
        """Remove notes that are out of date, because arrivals (id: path) of their names are done."""
        root, failed = self._folder.places.root, self._folder.places.failed
        remove_notes(arrival.bytes_path for arrival in self._arrivals.failed_before(done))
        # Under another name than it had arrived with, if there were several of them: then it was dragged back as that.
        names = [failed / path.relative_to(root) for path in done.values()]
        remove_notes(path for path in names if not os.path.lexists(path))
        remove_notes(done.values(), unless=is_foreign)  # dragged back together with its file

    # --- changed after the claim ---

    async def _put_back_changed(self, guests: list[Guest]) -> list[Guest]:
        """A writer had paused for longer than `settle`: what is there now is a new arrival."""
        changed = await asyncio.to_thread(lambda: [guest for guest in guests if self._has_changed(guest)])
        for guest in changed:
            try:
                path = await asyncio.to_thread(self._folder.claims.put_back, guest.claim)
            except OSError:
                continue  # it is moved as it is
            await self._arrivals.all_moving({guest.id: path})
            await self._arrivals.all_placed([guest.id])
            self._folder.leave(guest)
            self._around.health.note(
                f"{self._shown(guest)} went on changing after it was taken, and is taken again when it stands still: "
                f"its writer pauses for longer than `settle` ({self._folder.watch.settle_seconds:g} s); raise it"
            )
        return [guest for guest in guests if guest.id in self._folder.held]

    def _has_changed(self, guest: Guest) -> bool:
        claim = guest.claim
        try:
            now = Signature.of(claim.path.lstat())
            if now.same_bytes(claim.signature):
                return False
            if not now.looks_like(claim.signature) or sha256_file(claim.path) != guest.sha256:
                return True
        except OSError:
            return False  # it is gone; `_move_one` says so
        guest.claim = replace(claim, signature=now)  # its share was mounted again
        return False
