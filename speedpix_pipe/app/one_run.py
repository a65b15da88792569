"""One run on its way: built on a station, carried out, brought to its end. Who asked for it is not known here."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import field
from functools import partial
from pathlib import Path

from speedpix_pipe import __version__
from speedpix_pipe.app.buckets import buckets_of, look_for
from speedpix_pipe.app.judging import judge
from speedpix_pipe.app.keeper import RunKeeper
from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.resolved import resolved_spec
from speedpix_pipe.app.selection import Selection, select
from speedpix_pipe.app.specs import Loaded, reads_of, surroundings
from speedpix_pipe.app.station import Station, limits_of
from speedpix_pipe.clock import Clock
from speedpix_pipe.engine.bus import Bus, Subscriber
from speedpix_pipe.engine.drive import Driver
from speedpix_pipe.engine.lanes import Lanes, Spent, Stop
from speedpix_pipe.engine.life import Lives
from speedpix_pipe.engine.saving import Saver
from speedpix_pipe.events import RunFinished, RunResumed, RunStarted, Warned
from speedpix_pipe.files.objects import seen
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.model import Json, RunStatus, StepKind, TaskStatus
from speedpix_pipe.plan.checks import StaticChecks
from speedpix_pipe.plan.scopes import Scopes, shown_graph
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.base import Kit
from speedpix_pipe.steps.rendered import shown
from speedpix_pipe.steps.seeds import Seeds
from speedpix_pipe.steps.together import together
from speedpix_pipe.store import RunRow
from speedpix_pipe.summary import RunSummary, Tally, exit_code

CANCEL_LOOK_SECONDS = 0.5
LOOKS_AT_ONCE = 500
Subscribe = Callable[[Tally, Loaded], Sequence[Subscriber]]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run came to, and what the commands need to speak of it."""

    summary: RunSummary = field(repr=False)  # long: `signal.signal` writes out what asyncio's handler holds, this too
    exit_code: int
    state_folder: Path


def new_run_id(clock: Clock) -> str:
    """Sorts by time, and its beginning is enough to name it."""
    return f"{clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class OneRun:
    """One run on its way.

    `arguments` is what a resume must repeat. With `strict`, whatever can be found wrong beforehand refuses the whole
    run; otherwise each such task fails by itself, because a hot folder's files are not each other's business.
    """

    def __init__(
        self,
        station: Station,
        request: RunRequest,
        loaded: Loaded,
        run_id: str,
        *,
        arguments: Json,
        resumed: RunRow | None = None,
        origin: str | None = None,
        notes: Sequence[str] = (),
        strict: bool = True,
        before_end: Callable[[OneRun], Awaitable[None]] | None = None,
        selection: Selection | None = None,
    ) -> None:
        self.station = station
        self.request = request
        self.loaded = loaded
        self.store = station.store
        self.run_id = run_id
        self.resumed = resumed
        self.clock = station.clock
        ledger = self.store.ledger
        self.spent = Spent(*ledger.spent(run_id), ledger.failed(run_id)) if resumed else Spent()
        self.tally = Tally(submitted=self.spent.predictions, spent=self.spent.cost)
        self._arguments = arguments
        self._origin = origin  # the run that a redo goes back to
        self._notes = notes
        self._strict = strict
        self._before_end = before_end  # what must be on disk before the run counts as over
        first = self.store.journal.last_seq(run_id) + 1 if resumed else 1
        self.bus = Bus(run_id, self.clock, self.store.journal.record, first=first)
        self._began = self.clock.monotonic()
        self._selection = selection or select(loaded.graph, request.only, request.start_from)
        self._build()

    def _build(self) -> None:
        store, loaded, bus, station = self.store, self.loaded, self.bus, self.station
        keeper = RunKeeper(store.blobs, self.run_id)
        service = station.service.for_run(bus.emit)
        account = station.connection.account
        self.seeds = Seeds(
            store.seeds,
            sent=lambda fingerprint: store.ledger.was_sent(account, fingerprint),
            random=random.random,
            run_id=self.run_id,
        )
        kit = Kit(
            run_id=self.run_id,
            folder=loaded.pipeline.folder,
            no_cache=self.request.no_cache,
            service=service,
            ledger=store.ledger,
            keeper=keeper,
            executor=station.executor,
            clock=self.clock,
            random=random.random,
            seeds=self.seeds,
        )
        limits = limits_of(self.request, loaded)
        room, roads = store.free_space_ok, station.roads
        self.lanes = Lanes(limits, self.clock, random.random, spent=self.spent, room=room, roads=roads)
        self.walk = Walk(loaded.graph, nodes=self._selection.nodes, demand=self._selection.demand)
        now = self.clock.now().astimezone()
        names = {"id": self.run_id, "date": now.date().isoformat(), "time": now.strftime("%H:%M:%S")}
        reads = reads_of(loaded, self.request.spec)
        self.scopes = scopes = Scopes(self.walk, surroundings(loaded, run=names, digests=store.digests, reads=reads))
        self.saver = Saver(scopes, store.outputs, keeper, self.run_id, bus.emit, reads)
        self.lives = Lives(
            kit, scopes, self.saver, self.lanes, store.ledger, keeper, bus.emit, self.clock, store.digests
        )
        self._checks = StaticChecks(scopes, self.lives.claim, warnings=loaded.warnings, judge=judge)
        self.driver = Driver(
            walk=self.walk,
            scopes=scopes,
            lives=self.lives,
            lanes=self.lanes,
            keeper=keeper,
            clock=self.clock,
            emit=bus.emit,
            remember=lambda result: service.remember(result.files, result.received_at),
            widths={StepKind.IMAGE: station.executor.width},
            on_static_error=self._checks.unit if self._strict else None,
            check_born=self._checks.task if self._strict else None,
            paid_before=store.ledger.paid(self.run_id) if self.resumed else set(),
        )
        self._selection.attach(self.walk)

    async def prepare(self) -> None:
        """All tasks that are known beforehand. SpecError where that already shows that something is wrong."""
        buckets = buckets_of(self.loaded) if self._strict else []
        if buckets:
            await in_thread(partial(look_for, buckets))
        await self.driver.prepare()
        await self._look_at_objects()
        self._selection.check()
        self._checks.refuse()

    async def _look_at_objects(self) -> None:
        """Checks that take requests, many at a time."""
        while later := self._checks.later[:LOOKS_AT_ONCE]:
            del self._checks.later[:LOOKS_AT_ONCE]
            await together([in_thread(first.look) for first, _ in later])
            for _, again in later:
                again()

    async def carry_out(self, subscribe: Subscribe) -> RunOutcome:
        """From the first event to the last. `prepare` comes before."""
        self.loaded.objects.begun = True
        self.bus.subscribe(self.tally)
        for subscriber in subscribe(self.tally, self.loaded):
            self.bus.subscribe(subscriber)
        try:
            await self._begin()
            async with self._watch_for_cancel():
                with self.station.executor.telling(self._executor_lost):
                    await self.driver.run()
            return await self._finish()
        finally:
            await self.lives.aclose()
            self.bus.close()

    async def _begin(self) -> None:
        journal, bus = self.store.journal, self.bus
        if self.resumed is not None:
            resumed = bus.stamp(RunResumed(reason="--resume"))
            await journal.resume_run(resumed)
            self.tally.add(journal.started(self.run_id))
            self.tally.submitted = self.store.ledger.posted(self.run_id)
            self.tally.spent = self.store.ledger.spent(self.run_id)[1]
            bus.show(resumed)
        else:
            started = bus.stamp(self._started())
            await journal.begin_run(started, origin=self._origin)
            bus.show(started)
        bus.release()
        for note in self._notes:
            bus.emit(Warned(code="emulator.contract", message=note))
        for warning in self.loaded.warnings:
            bus.emit(Warned(code=warning.code, message=str(warning)))
        if self.request.resume and self.resumed is None:
            message = "nothing of this spec with these params is left to resume: this is a new run"
            bus.emit(Warned(code="run.nothing-to-resume", message=message))

    def _started(self) -> RunStarted:
        loaded = self.loaded
        return RunStarted(
            pipeline=loaded.pipeline.name,
            spec_path=str(loaded.pipeline.path),
            spec_digest=loaded.pipeline.digest,
            state_folder=str(self.store.folder),
            service=self.station.connection.name,
            params=shown(dict(loaded.params)),
            steps=tuple(node.name for node in shown_graph(loaded.graph)),
            commit=loaded.git.commit if loaded.git else None,
            dirty=loaded.git.dirty if loaded.git else False,
            version=__version__,
            resolved_spec=resolved_spec(loaded.pipeline),
            arguments=self._arguments,
        )

    async def _finish(self) -> RunOutcome:
        await self.lives.aclose()
        left = self.driver.cancel_rest()
        if self._before_end is not None:
            await self._before_end(self)
        stop = self.lanes.stop
        outputs, wrong = await seen(self.driver.outputs)
        for message in wrong:
            self.bus.emit(Warned(code="output.null", message=message))
        finished = self.bus.stamp(
            RunFinished(
                status=self._status(stop, left),
                resumable=stop is not None and stop.resumable,
                seconds=self.clock.monotonic() - self._began,
                outputs=outputs,
                reason=stop.reason if stop else "",
            )
        )
        counts = {status.value: self.tally.count(status) for status in TaskStatus}
        await self._tidy()
        await self.store.journal.finish_run(finished, counts=counts)
        self.bus.show(finished)
        summary = self.tally.summary()
        refused = self.driver.access_error
        return RunOutcome(summary, refused.exit_code if refused else exit_code(summary), self.store.folder)

    async def _tidy(self) -> None:
        """What only a crash would have to find again. A watcher's runs are many, and so would this be."""
        self.store.outputs.forget(self.run_id)
        await asyncio.to_thread(self.store.blobs.clear, self.run_id)

    def _status(self, stop: Stop | None, left: int) -> RunStatus:
        if stop is not None:
            cancelled = stop.interrupted or not (stop.drain or stop.resumable)
            return RunStatus.CANCELLED if cancelled else RunStatus.FAILED
        failed = self.tally.count(TaskStatus.FAILED) - sum(f.ignored for f in self.tally.failures)
        return RunStatus.FAILED if failed or self.tally.count(TaskStatus.UNKNOWN) or left else RunStatus.SUCCEEDED

    # --- being stopped ---

    async def interrupt(self) -> None:
        """Take no new work, finish what must be finished, within the grace period."""
        self.lanes.halt(Stop("interrupted", resumable=True, drain=False, interrupted=True))
        await self.driver.interrupt(self.request.grace_seconds)

    def _executor_lost(self, reason: str) -> None:
        """Nothing new is sent; what is paid for is fetched all the same. Going on later costs nothing twice."""
        self.lanes.halt(Stop(f"{reason}: go on with --resume", resumable=True, drain=True, interrupted=True))

    @asynccontextmanager
    async def _watch_for_cancel(self) -> AsyncIterator[None]:
        """`runs cancel` from another terminal leaves a note in the journal."""

        async def watch() -> None:
            while True:
                await self.clock.sleep(CANCEL_LOOK_SECONDS)
                if self.store.journal.cancel_requested(self.run_id):
                    self.lanes.halt(Stop("cancelled by `runs cancel`", resumable=False, drain=False))
                    await self.driver.interrupt(self.request.grace_seconds)
                    return

        watcher = asyncio.ensure_future(watch())
        try:
            yield
        finally:
            watcher.cancel()
