"""The use case `watch`: hot folders of a spec as a service, a run per batch, all in this process.

`triggers` finds, claims, judges and moves files; here each batch becomes a run on one station, and the verdicts are
read off the run before it counts as over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from speedpix_pipe.app.batches import Batches
from speedpix_pipe.app.buckets import buckets_of, look_for
from speedpix_pipe.app.budget import DayBudget
from speedpix_pipe.app.one_run import Subscribe
from speedpix_pipe.app.reload import Reloader, Stats, stats_of
from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.specs import Loaded, required
from speedpix_pipe.app.station import Station, limits_of, open_station
from speedpix_pipe.app.stopping import signals
from speedpix_pipe.engine.lanes import lookahead
from speedpix_pipe.errors import ExecutorError, SpecError, UsageError
from speedpix_pipe.files import LateDigests
from speedpix_pipe.files.objects import Objects
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.model import Watch
from speedpix_pipe.records import dataclass
from speedpix_pipe.store import Store
from speedpix_pipe.summary import RunSummary
from speedpix_pipe.triggers.base import Surroundings
from speedpix_pipe.triggers.claims import Step, no_step
from speedpix_pipe.triggers.health import Health, plain
from speedpix_pipe.triggers.hotfolder import HotFolder
from speedpix_pipe.triggers.places import Places, matched, problems_of, trees_of
from speedpix_pipe.triggers.preparing import prepare, watcher_id
from speedpix_pipe.triggers.scan import Tree
from speedpix_pipe.triggers.settle import ignore_lease_signals
from speedpix_pipe.triggers.verdicts import gathers

HEALTH_SECONDS = 1.0
HANG_SECONDS = 30.0
ONCE_PATIENCE_SECONDS = 60.0
OTHERS_SECONDS = 3600.0  # after which claims of another watcher are spoken of
OTHERS_LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """`run` is what each batch's run asks for; its params are without those that the folders fill."""

    run: RunRequest
    once: bool = False
    health: Path | None = None
    take_over: str | None = None
    step: Step = no_step  # told of each step of claims, verdicts and moves, for tests that crash there


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    exit_code: int
    done: int
    failed: int
    left: int  # still in the folder, after --once


async def watch(
    request: WatchRequest,
    *,
    subscribe: Subscribe,
    tell: Callable[[str], None],
    on_run: Callable[[RunSummary], None] = lambda _: None,
) -> WatchOutcome:
    """Watch until stopped, or with `once` until all that was there has its verdict. Raises PipeError."""
    spec = request.run.spec
    folder = (spec.cwd / spec.spec).resolve().parent
    ignore_lease_signals()
    with ExitStack() as stack:
        digests = LateDigests()
        loaded = await required(spec, Objects(digests), skip_watched=True)
        stats = stats_of(loaded.pipeline)
        if not loaded.pipeline.watch:
            raise UsageError(
                f"{loaded.pipeline.shown} has no `watch` section", code="watch.none", hint="say which folder to watch"
            )
        _refuse_bad_places(loaded)
        buckets = buckets_of(loaded)
        if buckets:
            await in_thread(partial(look_for, buckets))
        store = stack.enter_context(Store.open(spec.settings.state_folder(folder), now=request.run.clock.now))
        digests.store = store.digests
        loaded.objects.begun = True  # from here on a store's trouble is a task's
        watcher = watcher_id(store.folder, loaded.pipeline.path)
        stack.enter_context(store.lock(loaded.pipeline.path, run_id=f"watch {watcher}"))
        notes: list[str] = []
        station = open_station(request.run, loaded, store, notes, stack)
        for note in notes:
            tell(note)
        try:
            await station.begin()
            if station.connection.local:
                await store.ledger.forget_open(station.connection.account)
            watcher_of = Watcher(request, loaded, stats, station, watcher, subscribe, tell, on_run)
            return await watcher_of.carry_out()
        finally:
            await station.aclose()


class Watcher:
    """One process that watches."""

    def __init__(
        self,
        request: WatchRequest,
        loaded: Loaded,
        stats: Stats,
        station: Station,
        watcher: str,
        subscribe: Subscribe,
        tell: Callable[[str], None],
        on_run: Callable[[RunSummary], None],
    ) -> None:
        self.request = request
        self.station = station
        self.store = station.store
        self.clock = station.clock
        self.watcher = watcher
        self.health = Health(request.health, self.clock.now, tell)
        self._tell = tell
        self._reloader = Reloader(
            request.run.spec, loaded, self.store.digests, self.health, self.clock, self._respecified, stats=stats
        )
        self._budget = DayBudget(self.store.ledger, self.clock)
        self._batches = Batches(
            station,
            request.run,
            self._reloader,
            subscribe=subscribe,
            on_run=on_run,
            fail=self._fail,
            trouble=self.health.trouble,
            watch_over=self._watch_over,
            forbidden=self._forbidden,
            step=request.step,
            tireless=not request.once,
        )
        self._over = asyncio.Event()
        self._stopping = False
        self._error: BaseException | None = None
        self._interrupted = False
        self._paused = False  # nothing is taken now, whatever lies there
        self._losing: asyncio.Future[None] | None = None
        self.folders: list[HotFolder] = []
        for watch, tree in zip(loaded.pipeline.watch, self._trees(loaded), strict=True):
            self.folders.append(self._folder(watch, tree))

    @property
    def loaded(self) -> Loaded:
        return self._reloader.loaded

    def _folder(self, watch: Watch, tree: Tree) -> HotFolder:
        around = Surroundings(
            watcher=self.watcher,
            arrivals=self.store.arrivals,
            clock=self.clock,
            random=secrets.token_bytes,
            verify=lambda path: self.station.executor.pixels("verify", path),
            health=self.health,
            begin=self._batches.begin,
            room=self._room,
            watch_over=self._watch_over,
            folders=self.folders,
            step=self.request.step,
            language=self.request.run.spec.settings.language,
        )
        places = Places.of(watch, self.loaded.pipeline.folder)
        return HotFolder(watch, places, tree, around, **_shape(self.loaded, watch))

    def _trees(self, loaded: Loaded) -> list[Tree]:
        request = self.request
        given = request.run.spec.params_file
        params_file = [] if given is None else [request.run.spec.cwd / given]
        health = [] if request.health is None else [request.health]
        return trees_of(loaded.pipeline, [self.store.folder, *params_file, *health])

    def _respecified(self, loaded: Loaded) -> str | None:
        """The spec was edited and is sound: the folders follow it from now on. Or why that takes a restart."""
        pipeline = loaded.pipeline
        bad = next(problems_of(pipeline), None)
        if bad is not None:
            return bad.message
        trees = self._trees(loaded)
        found = matched([folder.watch for folder in self.folders], pipeline.watch)
        for folder, at in zip(self.folders, found, strict=True):
            if at is None:
                return f"{folder.watch.folder} is not watched in it any more, which takes a restart"
        for folder, at in zip(self.folders, found, strict=True):
            assert at is not None
            watch = pipeline.watch[at]
            folder.configure(watch, Places.of(watch, pipeline.folder), trees[at], **_shape(loaded, watch))
        self.station.connection.learn(pipeline)
        for index, watch in enumerate(pipeline.watch):
            if index not in found:
                self._tell(f"restart to have {watch.folder} watched for {watch.param}, too")
        before = self.loaded.pipeline.limits
        for name in ("concurrency", "submitting", "rate_per_second"):  # lanes that are in use keep their width
            if getattr(before, name) != getattr(pipeline.limits, name):
                self._tell(f"restart to have the new limits.{name.removesuffix('_per_second')} count")
        return None

    # --- how much may be taken ---

    def _room(self) -> int:
        """How many more files may be claimed: what the lanes can use, within the budget of the day."""
        if self._stopping or self._error is not None:
            return 0
        limits = limits_of(self.request.run, self.loaded)
        held = sum(len(folder.held) for folder in self.folders)
        widest = max(folder.watch.batch.max_files for folder in self.folders)
        room = max(widest, 2 * limits.concurrency + lookahead(limits.concurrency)) - held
        if self.station.roads.slots.crowded and held >= widest:
            room = min(room, 0)
        reaching = sum(folder.reaching for folder in self.folders)
        taken = reaching + sum(folder.taken for folder in self.folders)
        allowed, why = self._budget.allows(self.loaded, held=held + reaching, taken=taken)
        self.health.trouble("budget", why)
        full = None if self.store.free_space_ok() else "the disk is nearly full: nothing is taken until there is space"
        self.health.trouble("disk", full)
        self._paused = bool(why or full)
        return 0 if full else min(room, allowed)

    def _forbidden(self, path: Path) -> str | None:
        """Results in a watched folder would be taken for arrivals."""
        for folder in self.folders:
            root = folder.places.root
            real = Path(os.path.realpath(path.parent), path.name)
            if folder.inbox.tree.would_take(str(path)) or _inside(real, root, folder):
                return f"lies in the watched folder {folder.watch.folder}, and would be taken for a new file"
        return None

    # --- the whole ---

    async def carry_out(self) -> WatchOutcome:
        with signals(self._stop, self._batches.leave):
            await prepare(self.folders, take_over=self.request.take_over, must_exist=self.request.once)
            self._say_hello()
            await self._watch()
        if self._error is not None:
            raise self._error
        return self._outcome()

    async def _watch(self) -> None:
        loops = [asyncio.create_task(folder.run()) for folder in self.folders]
        works = (self._beat(), self._look_at_the_spec(), self._look_for_others())
        beside = [asyncio.create_task(work) for work in works]
        for task in (*loops, *beside):
            task.add_done_callback(self._watch_over)
        warm = asyncio.create_task(self._warm_up())
        with self.station.executor.telling(self._executor_lost):
            try:
                if self.request.once:
                    await self._drain(loops)
                else:
                    await self._over.wait()
            finally:
                for loop in loops:
                    loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)
                await self._close()
                for task in (*beside, warm):
                    task.cancel()
                for folder in self.folders:
                    folder.inbox.health.claimed = len(folder.held)
                    folder.inbox.health.waiting = len(folder.inbox.waiting.files)
                self.health.write(alive=False)

    async def _warm_up(self) -> None:
        """Start the processes that decode pictures, so that the first arrival does not wait for them."""
        with contextlib.suppress(ExecutorError):
            await self.station.executor.pixels("verify", os.devnull)

    def _say_hello(self) -> None:
        for folder in self.folders:
            watch = folder.watch
            self._tell(f"watching {watch.folder} for {', '.join(watch.patterns)} as {self.watcher}")
        roots = [folder.places.root for folder in self.folders]
        for row in self.store.arrivals.open(self.watcher):
            if not any(row.path.is_relative_to(root) for root in roots):
                self._tell(f"{plain(str(row.path))} was being worked on, and its folder is not watched any more")

    def _watch_over(self, task: asyncio.Task[None]) -> None:
        """What ends a task unforeseen ends the watcher: its files would wait for ever, and nobody would know."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._stopping = True
        self._over.set()

    async def _close(self) -> None:
        """Batches first, then moves as far as they can be made now, then the folders."""
        self._stopping = True
        self._batches.interrupt()
        await self._batches.ended()
        grace = asyncio.ensure_future(self.clock.sleep(min(self.request.run.grace_seconds, 5.0)))
        moving = asyncio.ensure_future(asyncio.wait([asyncio.ensure_future(f.placing.drained()) for f in self.folders]))
        await asyncio.wait({grace, moving}, return_when=asyncio.FIRST_COMPLETED)
        grace.cancel()
        moving.cancel()
        for folder in self.folders:
            await folder.close()

    async def _beat(self) -> None:
        """Nothing here may wait for a watched disk: a fresh health file is how one sees that the watcher lives."""
        while True:
            self.health.write()
            for folder in self.folders:
                self.health.trouble("hang", folder.hangs(HANG_SECONDS), of=folder.inbox.health)
            await self.clock.sleep(HEALTH_SECONDS)

    async def _look_at_the_spec(self) -> None:
        """An edit may be what makes a file count that lies there already."""
        while True:
            await self.clock.sleep(HEALTH_SECONDS)
            await self._reloader.look_calmly()

    async def _look_for_others(self) -> None:
        """Claims of other watchers are never taken, but spoken of once when they are old."""
        spoken: set[tuple[str, str]] = set()
        while True:
            for folder in self.folders:
                for name, since in (await asyncio.to_thread(folder.claims.others)).items():
                    old = self.clock.now().timestamp() - since > OTHERS_SECONDS
                    if old and (folder.watch.folder, name) not in spoken:
                        spoken.add((folder.watch.folder, name))
                        self._tell(
                            f"{folder.watch.folder} holds files that watcher {name} claimed over an hour ago; "
                            f"if it is gone for good, adopt them with --take-over {name}"
                        )
            await self.clock.sleep(OTHERS_LOOK_SECONDS)

    # --- stopping ---

    async def _stop(self) -> None:
        """No new claims, no new submissions; what is on its way is finished within the grace."""
        self._stopping = True
        self._tell("stopping: files on their way are finished, the rest waits for the next start")
        self._batches.interrupt()
        self._over.set()
        self._interrupted = True

    def _executor_lost(self, reason: str) -> None:
        self._tell(reason)
        self._losing = asyncio.ensure_future(self._stop())

    # --- once ---

    async def _drain(self, loops: Sequence[asyncio.Future[None]]) -> None:
        """Until all that was there at the start has its verdict, or has kept changing for too long."""
        began = self.clock.monotonic()
        await self._looked()
        while not self._over.is_set():
            now = self.clock.monotonic()
            if all(self._drained(folder, now - began) for folder in self.folders) and not self._batches.busy:
                return
            if all(loop.done() for loop in loops):
                return
            await self.clock.sleep(0.02)

    async def _looked(self) -> None:
        """Until it has been seen what there is, or nobody looks any more."""
        looks = asyncio.create_task(self._first_looks())
        looks.add_done_callback(self._watch_over)
        over = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({looks, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            looks.cancel()
            over.cancel()

    async def _first_looks(self) -> None:
        for folder in self.folders:
            await folder.first_look()

    def _drained(self, folder: HotFolder, seconds: float) -> bool:
        """Whether nothing more will become of what lies there, or has been claimed, in this life."""
        patience = max(ONCE_PATIENCE_SECONDS, 10 * folder.watch.settle_seconds)
        if folder.claiming or not folder.placing.at_rest or (folder.stranded and seconds <= patience):
            return False
        waiting = folder.still_waiting()
        return not waiting or self._paused or (seconds > patience and not folder.any_ready())

    def _outcome(self) -> WatchOutcome:
        left = sum(len(f.still_waiting()) + len(f.held) + f.stranded for f in self.folders)
        code = 0
        if self._interrupted:
            code = 130
        elif self.request.once and (left or self.health.failed or not all(f.inbox.present for f in self.folders)):
            code = 1
        return WatchOutcome(code, self.health.done, self.health.failed, left)


def _refuse_bad_places(loaded: Loaded) -> None:
    bad = list(problems_of(loaded.pipeline))
    if bad:
        raise SpecError([*bad, *loaded.warnings])


def _shape(loaded: Loaded, watch: Watch) -> dict[str, bool]:
    """What a folder must know of the pipeline: does a run take one file, and do files of a batch meet in it."""
    single = loaded.pipeline.params[watch.param].type == "file"
    return {"single": single, "gathers": not single and gathers(loaded.graph, watch.param)}


def _inside(real: Path, root: Path, folder: HotFolder) -> bool:
    """Whether a path leads into a root by way of a link."""
    base = os.path.realpath(root)
    try:
        inside = real.relative_to(base)
    except ValueError:
        return False
    return folder.inbox.tree.would_take(str(root / inside))
