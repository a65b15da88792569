"""What follows a verdict: it is written down, the file moves to done or failed, and its note stands beside it.

A destination that cannot be written is tried again with growing pauses: the file stays in its claim, and the health
turns red. A file that changed after its claim goes back to the inbox, because what it is now was never looked at.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedpix_pipe.store import Verdict
from speedpix_pipe.triggers import moving
from speedpix_pipe.triggers.base import Guest, Judgement, Surroundings
from speedpix_pipe.triggers.notes import in_words, remove_notes, write_note
from speedpix_pipe.triggers.settle import Signature

if TYPE_CHECKING:
    from speedpix_pipe.triggers.hotfolder import HotFolder

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Placing:
    """The last part of every arrival of one folder."""

    def __init__(self, folder: HotFolder, around: Surroundings) -> None:
        self._folder = folder
        self._around = around
        self._arrivals = around.arrivals
        self._tasks: set[asyncio.Task[None]] = set()
        self.failing = False  # whether the last try to move files failed
        self._reserving = asyncio.Lock()  # two batches must not mean the same name before either has it

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
        task.add_done_callback(self._tasks.discard)

    async def drained(self) -> None:
        """Return when nothing is on its way to its last place."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    @property
    def idle(self) -> bool:
        return not self._tasks

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- moving ---

    async def _place_all(self, guests: list[Guest]) -> None:
        pause = FIRST_PAUSE
        left = await self._put_back_changed(guests)
        while left:
            left, trouble = await self._attempt(left)
            self._around.health.trouble("place", trouble, of=self._folder.inbox.health)
            self.failing = trouble is not None
            if left:
                await self._around.clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _attempt(self, guests: list[Guest]) -> tuple[list[Guest], str | None]:
        """One try for all; those that could not be moved, and why."""
        async with self._reserving:
            targets = await asyncio.to_thread(self._choose, guests)
            await self._arrivals.all_moving({guest.id: targets[guest.id] for guest in guests})
            self._around.step("move.journaled")
            moved, left, why = await asyncio.to_thread(self._move, guests, targets)
        await self._arrivals.all_placed([guest.id for guest in moved])
        self._around.step("move.placed")
        await asyncio.to_thread(self._tidy, moved)
        for guest in moved:
            self._folder.leave(guest)
        return left, why

    def _wanted(self, guest: Guest) -> Path:
        assert guest.judgement is not None
        places = self._folder.places
        return (places.done if guest.judgement.verdict is Verdict.DONE else places.failed) / guest.name

    def _choose(self, guests: Sequence[Guest]) -> dict[str, Path]:
        chosen: dict[str, Path] = {}
        taken: set[Path] = set()
        for guest in guests:
            chosen[guest.id] = moving.free_name(self._wanted(guest), taken)
            taken.add(chosen[guest.id])
        return chosen

    def _move(
        self, guests: Sequence[Guest], targets: Mapping[str, Path]
    ) -> tuple[list[Guest], list[Guest], str | None]:
        moved, left, folders, why = [], [], set(), None
        for guest in guests:
            target = targets[guest.id]
            try:
                if not moving.reserve(target):
                    left.append(guest)  # somebody took the name meanwhile: choose again
                    continue
                self._around.step("move.reserved")
                self._move_one(guest, target)
                folders.add(target.parent)
                moved.append(guest)
            except OSError as error:
                _give_up(target)
                left.append(guest)
                shown = self._folder.places.shown
                why = f"finished files of {shown} cannot be moved to {target.parent}: {error.strerror or error}"
        moving.sync(folders)
        return moved, left, why

    def _move_one(self, guest: Guest, target: Path) -> None:
        judged = guest.judgement
        assert judged is not None
        if judged.verdict is Verdict.FAILED:
            reason = judged.reason or "the run ended without saying why"
            write_note(
                target,
                message=in_words(reason, judged.step, guest.name),
                reason=reason,
                step=judged.step,
                run_id=judged.run_id,
                arrived=self._shown(guest),
                at=self._around.clock.now(),
            )
            self._around.step("move.noted")
        if not os.path.lexists(guest.claim.path):  # somebody took it out of our folder: the note is all there is
            target.unlink()
            return
        moving.move_over(moving.Move(guest.id, guest.claim.path, target), self._around.step)

    def _tidy(self, guests: Sequence[Guest]) -> None:
        for guest in guests:
            self._folder.claims.drop(guest.id)
        done = [g.path for g in guests if g.judgement is not None and g.judgement.verdict is Verdict.DONE]
        remove_notes(arrival.bytes_path for arrival in self._arrivals.failed_before(done))

    # --- changed after the claim ---

    async def _put_back_changed(self, guests: list[Guest]) -> list[Guest]:
        """A writer had paused for longer than `settle`: what is there now is a new arrival."""
        changed = [guest for guest in guests if self._has_changed(guest)]
        for guest in changed:
            try:
                path = await asyncio.to_thread(self._folder.claims.put_back, guest.claim)
            except OSError:
                continue  # it is moved as it is
            await self._arrivals.all_moving({guest.id: path})
            await self._arrivals.all_placed([guest.id])
            await asyncio.to_thread(self._folder.claims.drop, guest.id)
            self._folder.leave(guest)
            self._around.health.note(
                f"{self._shown(guest)} went on changing after it was taken, and is taken again when it stands still: "
                f"its writer pauses for longer than `settle` ({self._folder.watch.settle_seconds:g} s); raise it"
            )
        return [guest for guest in guests if guest.id in self._folder.held]

    def _has_changed(self, guest: Guest) -> bool:
        try:
            now = Signature.of(guest.claim.path.lstat())
        except OSError:
            return False  # it is gone; `_move_one` says so
        return not now.same_bytes(guest.claim.signature)


def _give_up(target: Path) -> None:
    """Leave no empty file where nothing was moved."""
    try:
        if moving.is_placeholder(target):
            target.unlink()
            remove_notes([target])
    except OSError:
        pass
