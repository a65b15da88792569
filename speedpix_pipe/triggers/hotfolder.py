"""One watched folder, from the inbox to the last place of every file.

    found → settled → claimed → (batch) → judged → placed

`Inbox` knows what lies there and is ready. This class claims it, keeps the journal of arrivals, hands out batches and
takes verdicts back, and moves the files. Each step is written down before the next is taken, so that a start after a
crash only has to look at the claims folder and the journal (`recovery`).
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Iterable, Mapping, Sequence

from speedpix_pipe.files import sha256_file
from speedpix_pipe.model import Watch
from speedpix_pipe.store import Arrival, ArrivalState
from speedpix_pipe.triggers.base import Batch, Guest, Judgement, Surroundings
from speedpix_pipe.triggers.claims import Claim, ClaimsFolder, new_ulid
from speedpix_pipe.triggers.health import plain
from speedpix_pipe.triggers.inbox import Inbox
from speedpix_pipe.triggers.places import Places
from speedpix_pipe.triggers.placing import Placing
from speedpix_pipe.triggers.recovery import recover, rows_of
from speedpix_pipe.triggers.scan import Tree
from speedpix_pipe.triggers.settle import Look, last_look
from speedpix_pipe.triggers.waiting import Sighting

MOST_BACKOFF = 60.0
MOMENT_SECONDS = 0.2
PAUSED_SECONDS = 1.0
SLICE_SECONDS = 0.1
COARSEST_CLOCK_SECONDS = 2.0  # of the times of files: FAT counts in twos


class HotFolder:
    """One entry of `watch`. `gathers`: files of a batch meet in a step, so a batch waits for those on their way."""

    def __init__(
        self, watch: Watch, places: Places, tree: Tree, around: Surroundings, *, gathers: bool, single: bool
    ) -> None:
        self.watch = watch
        self.places = places
        self.single = single
        self.held: dict[str, Guest] = {}  # everything that is ours now
        self.taken = 0  # how many have ever been
        self.only: set[str] | None = None  # names that may be claimed; None: all
        self._gathers = gathers
        self._around = around
        self._clock = around.clock
        self._busy: set[str] = set()  # names whose earlier arrival has no verdict yet
        self._twins: dict[str, list[Guest]] = {}  # held, and waiting for the verdict on another of their name
        self._awake = asyncio.Event()
        self._begun = asyncio.Event()  # it has been seen what there is
        self._tired_until = 0.0
        self._failures = 0
        self._refused: dict[str, str] = {}  # names that could not be claimed, and why
        self._ready_since: float | None = None
        self.claiming = False  # whether files are between the inbox and the journal
        self.reaching = 0  # how many files we may have in a moment: no other folder may spend what they need
        self.stranded = False  # whether a file stays there, because its claim failed half-way
        self.claims = ClaimsFolder(places.root, around.watcher, step=around.step)
        self.inbox = Inbox(
            watch,
            places,
            tree,
            clock=around.clock,
            verify=around.verify,
            health=around.health,
            nudge=self._awake.set,
            watch_over=around.watch_over,
            may=self._may,
            recognized=self._recognized,
        )
        self.placing = Placing(self, around)
        around.health.folders.append(self.inbox.health)

    def configure(self, watch: Watch, places: Places, tree: Tree, *, gathers: bool, single: bool) -> None:
        """The spec was edited: from now on with these settings."""
        self.watch, self.places, self.single, self._gathers = watch, places, single, gathers
        self.inbox.configure(watch, places, tree)
        self._awake.set()

    def _recognized(self) -> bool | None:
        if not self.held:
            return None
        return all(os.path.lexists(guest.claim.path) for guest in self.held.values())

    def is_here(self) -> bool:
        """Whether the very root stands there that our files were claimed in."""
        return self.inbox.is_here()

    def wake(self) -> None:
        self._awake.set()

    # --- what is left, for who waits for the end ---

    async def first_look(self) -> None:
        """From now on only what lies there now may be claimed."""
        await self._begun.wait()
        self.only = set(self.inbox.waiting.files) | {guest.name for guest in self.held.values()}

    def still_waiting(self) -> list[str]:
        """Names that may be claimed and lie there still."""
        return [name for name in self.inbox.waiting.files if self.only is None or name in self.only]

    def any_ready(self) -> bool:
        return bool(self.inbox.waiting.ready)

    def hangs(self, seconds: float) -> str | None:
        """What has not come back for so long, if anything: a share whose server is gone answers neither yes nor no."""
        now = self._clock.monotonic()
        if self.inbox.looking_since is not None and now - self.inbox.looking_since > seconds:
            return f"a look at {self.places.shown} has not come back for over {seconds:g} s: does its disk answer?"
        if self.placing.moving_since is not None and now - self.placing.moving_since > seconds:
            return f"moving finished files of {self.places.shown} takes over {seconds:g} s: does their disk answer?"
        return None

    def has_rows(self) -> bool:
        """Whether the journal knows of files of ours here that are not in their last place."""
        return bool(rows_of(self, self._around))

    # --- the loop ---

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._awake.clear()
            await self.turn()
            self._begun.set()
            await self._rest()

    async def turn(self) -> None:
        """Look, decode, claim: whatever is due."""
        if not self.inbox.present or self.inbox.next_scan() <= 0:
            await self._look()
        if not self.inbox.present:
            return
        self.inbox.advance()
        await self._take()
        if self._refused:
            self._around.health.trouble("claim", self._refusals(), of=self.inbox.health)
        self.inbox.health.claimed = len(self.held)

    async def _look(self) -> None:
        if await self.inbox.find():
            if not await self._take_up():
                return
            self.inbox.arrived()
        elif self.inbox.present and self.stranded:
            await self._take_up()
        if self.inbox.present:
            await self.inbox.scan()

    async def _take_up(self) -> bool:
        """The root has come (back), or a claim failed half-way: see what there is ours before anything new is taken."""
        try:
            trouble = await recover(self, self._around)
        except OSError as error:  # it has gone again, or what lies in it cannot be read
            trouble = f"what was being worked on in {self.places.shown} cannot be taken up: {error.strerror or error}"
        self._around.health.trouble("root", trouble, of=self.inbox.health)
        if trouble is None:
            self.stranded = False
        return trouble is None

    async def _rest(self) -> None:
        """Until something happens, or something is due."""
        waits = [self.inbox.next_scan() if self.inbox.present else 0.5]
        if waits[0] <= 0:
            return  # claiming took so long that a look is overdue
        due = self.inbox.next_due() if self.inbox.present else None
        if due is not None:
            waits.append(due)
        if self.inbox.waiting.ready:
            waits.append(PAUSED_SECONDS)  # there may be room again that nobody tells of: on the disk, at midnight
        if self._ready_since is not None:
            waits.append(self._ready_since + self._patience() - self._clock.monotonic())
        tired = self._tired_until - self._clock.monotonic()
        if tired > 0:
            waits.append(tired)
        seconds = max(0.001, min(wait for wait in waits if wait > 0) if any(wait > 0 for wait in waits) else 0.001)
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        waker = asyncio.ensure_future(self._awake.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()

    # --- claiming ---

    async def _take(self) -> None:
        """Claim what is ready, as far as there is room, and hand it out batch by batch."""
        waiting = self.inbox.waiting
        most = 1 if self.single else self.watch.batch.max_files
        while self._clock.monotonic() >= self._tired_until:
            if not waiting.ready:
                self._ready_since = None
                return
            room = self._around.room()
            if (
                room <= 0
                or self._waits_for_room(waiting.ready, most, room)
                or self._waits_for_more(waiting.ready, most)
            ):
                return
            self._ready_since = None
            self.claiming = True
            try:
                guests = await self._reach(waiting.take(min(most, room)))
                written = self.enter(guests)
                self._hand_out(guests)  # its first commit comes after this one, or with it
                await written
            finally:
                self.claiming = False
            self.inbox.advance()

    async def _reach(self, sightings: Sequence[Sighting]) -> list[Guest]:
        self.reaching = len(sightings)
        try:
            return await self._claim_all(sightings)
        finally:
            self.reaching = 0

    def _may(self, name: str) -> bool:
        if name in self._busy:
            return False
        return self.only is None or name in self.only

    def _waits_for_room(self, ready: int, most: int, room: int) -> bool:
        """Whether a batch would be cut short by what is at work now, where it matters which files are together."""
        if not self._patient or room >= min(ready, most):
            return False
        return any(folder.held or folder.reaching for folder in self._around.folders)

    def _waits_for_more(self, ready: int, most: int) -> bool:
        """Whether the batch should wait for files on their way.

        Where files of a batch meet in a step, it matters which are together, and so it does where someone waits
        for the end (`--once`). Elsewhere none waits for another, except for a moment while its like are decoded.
        """
        unseen = self._patient and self.inbox.stale  # who belongs together should be seen together: after the next scan
        if ready >= most or not (unseen or self.inbox.coming(settled_only=not self._patient)):
            return False
        now = self._clock.monotonic()
        if self._ready_since is None:
            self._ready_since = now
        return now - self._ready_since < self._patience()

    @property
    def _patient(self) -> bool:
        return self._gathers or self.only is not None

    def _patience(self) -> float:
        longest = self.watch.batch.max_wait_seconds
        return longest if self._patient else min(longest, MOMENT_SECONDS)

    async def _claim_all(self, sightings: Sequence[Sighting]) -> list[Guest]:
        """Take files into the claims folder. One that cannot be taken is tried later, and keeps no other waiting."""
        taken = await asyncio.to_thread(self._claim_some, sightings)
        now = self._clock.monotonic()
        waiting = self.inbox.waiting
        guests, refused = [], []
        for sighting in sightings[len(taken) :]:
            waiting.left(sighting, now)
        for sighting, outcome in taken:
            match outcome:
                case Guest():
                    waiting.gone(sighting.name)
                    guests.append(outcome)
                case Look.GONE:
                    waiting.gone(sighting.name)
                case Look.UNREADABLE:
                    waiting.vetted(sighting, "this program may not read it", now)
                case Look():
                    waiting.disturbed(sighting, now)
                case OSError():
                    waiting.refused(sighting, now)
                    refused.append((sighting, outcome))
        self._tell_refused(refused, guests, now)
        return guests

    def _tell_refused(self, refused: Sequence[tuple[Sighting, OSError]], guests: Sequence[Guest], now: float) -> None:
        """If nothing at all can be claimed, the folder is to blame, and is given a rest."""
        for guest in guests:
            self._refused.pop(guest.name, None)
        for sighting, error in refused:
            self._refused[sighting.name] = error.strerror or str(error)
        if guests:
            self._failures = 0
        elif refused:
            self._failures += 1
            self._tired_until = now + min(2.0 ** (self._failures - 1), MOST_BACKOFF)
        self._around.health.trouble("claim", self._refusals(), of=self.inbox.health)

    def _refusals(self) -> str | None:
        waiting = self.inbox.waiting.files
        self._refused = {name: why for name, why in self._refused.items() if name in waiting}
        if not self._refused:
            return None
        name, why = next(iter(self._refused.items()))
        others = f" and {len(self._refused) - 1} more" if len(self._refused) > 1 else ""
        return f"{plain(name)}{others} in {self.places.shown} cannot be claimed: {why}"

    def _claim_some(self, sightings: Sequence[Sighting]) -> list[tuple[Sighting, Guest | Look | OSError]]:
        """Each is read for its digest. Where none waits for another, the first do not wait until all have been read."""
        until = math.inf if self._patient else self._clock.monotonic() + SLICE_SECONDS
        taken = []
        for sighting in sightings:
            taken.append(self._claim_or_not(sighting))
            if self._clock.monotonic() > until:
                break
        return taken

    def _claim_or_not(self, sighting: Sighting) -> tuple[Sighting, Guest | Look | OSError]:
        try:
            return sighting, self._claim(sighting)
        except OSError as error:
            return sighting, error

    def _claim(self, sighting: Sighting) -> Guest | Look:
        look = last_look(str(self.places.root / sighting.name), sighting.signature)
        hopeless = look is Look.UNREADABLE and sighting.fault
        if look is not Look.STILL and not hopeless:
            return look
        identity = self.new_id()
        try:
            claim = self.claims.claim(sighting.name, identity)
            if claim is None:
                return Look.GONE
            if not claim.signature.same_bytes(sighting.signature):
                self.claims.put_back(claim)
                return Look.DIFFERS
        except OSError:
            self.stranded |= self.claims.may_hold(identity)
            raise
        still = self.inbox.waiting.seconds >= COARSEST_CLOCK_SECONDS
        return self.guest_of(claim, fault=sighting.fault, still=still)

    def new_id(self) -> str:
        return new_ulid(int(self._clock.now().timestamp() * 1000), self._around.random(10))

    def guest_of(self, claim: Claim, *, fault: str = "", still: bool = False) -> Guest:
        """A claimed file with its digest. Reads the file."""
        fault = fault or _bad_name(claim.name)
        try:
            digest = sha256_file(claim.path)
        except OSError as error:
            digest, fault = "", fault or f"it cannot be read: {error.strerror}"
        path, size = self.places.root / claim.name, claim.signature.size
        return Guest(claim.id, claim.name, path, claim, digest, size, fault, still)

    def enter(self, guests: Iterable[Guest]) -> Awaitable[None]:
        """Write arrivals down. They are held from now on, and known after any crash once this is awaited."""
        found = list(guests)
        for guest in found:
            self.hold(guest)
        if found:
            self._around.step("claim.unwritten")
        return self._entered(
            self._around.arrivals.all_claimed([self._row(guest) for guest in found]) if found else None
        )

    async def _entered(self, written: Awaitable[None] | None) -> None:
        if written is not None:
            await written
            self._around.step("claim.journaled")

    def hold(self, guest: Guest) -> None:
        self.held[guest.id] = guest
        self.taken += 1
        if guest.judgement is None:
            self._busy.add(guest.name)
        else:
            self._pass_on(guest, guest.judgement)

    def _pass_on(self, guest: Guest, judged: Judgement) -> None:
        """A verdict of a life before, which ended before anybody could rely on having heard it."""
        name = f"{self.places.shown.rstrip('/')}/{guest.name}"
        self._around.health.judged(name, judged.verdict, judged.run_id, judged.reason)

    def _row(self, guest: Guest) -> Arrival:
        return Arrival(
            id=guest.id,
            watcher=self._around.watcher,
            path=guest.path,
            bytes_path=guest.claim.path,
            sha256=guest.sha256,
            size=guest.size,
            state=ArrivalState.CLAIMED,
            arrived_at=self._clock.now(),
        )

    def _hand_out(self, guests: Sequence[Guest]) -> None:
        """Good files begin their run; hopeless ones are judged at once and cost nothing."""
        hopeless = [guest for guest in guests if guest.fault]
        good = [guest for guest in guests if not guest.fault]
        if hopeless:
            self.placing.judge_hopeless(hopeless)
        if good:
            self._around.begin(Batch(self, good))

    def hand_out_again(self, guests: Sequence[Guest]) -> None:
        """Claimed by a life before, and in no run yet. Of several with one name, each waits for the one before."""
        own = {guest.id for guest in guests}
        names = {guest.name for guest in self.held.values() if guest.judgement is None and guest.id not in own}
        first = []
        for guest in guests:
            if guest.name in names:
                self._twins.setdefault(guest.name, []).append(guest)
            else:
                names.add(guest.name)
                first.append(guest)
        most = 1 if self.single else self.watch.batch.max_files
        for start in range(0, len(first), most):
            self._hand_out(first[start : start + most])

    # --- verdicts ---

    async def judge(self, batch: Batch, judgements: Mapping[str, Judgement]) -> None:
        """The verdicts on a whole batch, in one transaction, before its run is closed."""
        await self.placing.judge(batch.guests, judgements)

    def verdict_known(self, guest: Guest) -> None:
        twins = self._twins.pop(guest.name, [])
        if twins:
            self.hand_out_again(twins)
            return
        self._busy.discard(guest.name)
        self.inbox.waiting.freed(guest.name, self._clock.monotonic())
        self._awake.set()

    def leave(self, guest: Guest) -> None:
        """It is in its last place, and has left room for others."""
        self.held.pop(guest.id, None)
        for folder in self._around.folders:
            folder.wake()

    async def close(self) -> None:
        await self.inbox.close()
        await self.placing.close()
        if not self.held:
            await asyncio.to_thread(self.claims.close)


def _bad_name(name: str) -> str:
    """What is wrong with a name that neither the service nor a report could show."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has a name that is not valid UTF-8; rename it and move it back"
    return ""
