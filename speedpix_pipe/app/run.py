"""The use case `run`: from a request to a summary. Enter at the top, walk down once."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from speedpix_pipe import __version__
from speedpix_pipe.app.connection import Connection, to_emulator, to_service
from speedpix_pipe.app.keeper import RunKeeper
from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.resolved import resolved_spec
from speedpix_pipe.app.selection import Selection, select
from speedpix_pipe.app.specs import Loaded, require, surroundings
from speedpix_pipe.clock import Clock
from speedpix_pipe.engine.bus import Bus, Subscriber
from speedpix_pipe.engine.drive import LOOKAHEAD, Driver
from speedpix_pipe.engine.lanes import Lanes, Stop
from speedpix_pipe.engine.life import Lives
from speedpix_pipe.engine.saving import Saver
from speedpix_pipe.errors import SpecError
from speedpix_pipe.events import RunFinished, RunResumed, RunStarted, Warned
from speedpix_pipe.executors import open_executor
from speedpix_pipe.model import RunStatus, StepKind, TaskStatus
from speedpix_pipe.plan.checks import StaticChecks
from speedpix_pipe.plan.scopes import Scopes, shown_graph
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.steps.base import Kit
from speedpix_pipe.steps.rendered import shown
from speedpix_pipe.steps.service import Service
from speedpix_pipe.store import RunRow, Store
from speedpix_pipe.summary import RunSummary, Tally

CANCEL_LOOK_SECONDS = 0.5
Subscribe = Callable[[Tally, Loaded], Sequence[Subscriber]]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run came to, and what the commands need to speak of it."""

    summary: RunSummary
    exit_code: int
    state_folder: Path


def new_run_id(clock: Clock) -> str:
    """Sorts by time, and its beginning is enough to name it."""
    return f"{clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


async def run(request: RunRequest, subscribe: Subscribe) -> RunOutcome:
    """Carry out a pipeline. Raises PipeError where nothing was begun."""
    spec = request.spec
    folder = (spec.cwd / spec.spec).resolve().parent
    state_folder = spec.settings.state_folder(folder)
    with ExitStack() as stack:
        loaded = require(spec)
        store = stack.enter_context(Store.open(state_folder, now=request.clock.now))
        loaded = require(spec, digests=store.digests)  # the params again, with digests that are remembered
        resumed = _resumable(request, loaded, store)
        run_id = resumed.id if resumed else new_run_id(request.clock)
        stack.enter_context(store.lock(loaded.pipeline.path, run_id=run_id))
        notes: list[str] = []
        connection = _connect(request, loaded, notes, stack)
        return await _Run(request, loaded, store, connection, run_id, resumed, notes).carry_out(subscribe)


def _connect(request: RunRequest, loaded: Loaded, notes: list[str], stack: ExitStack) -> Connection:
    if request.local:
        return stack.enter_context(to_emulator(loaded.pipeline, notes.append, latency=request.latency))
    needs_service = any(node.step.kind is StepKind.WORKFLOW for node in loaded.graph)
    if needs_service:
        return to_service(loaded.settings)
    return Connection("image", "image|none", _no_service, upload_account="image|none")


def _no_service() -> Any:
    raise AssertionError("this pipeline has no workflow step")


def _resumable(request: RunRequest, loaded: Loaded, store: Store) -> RunRow | None:
    """The unfinished run to go on with, if it was asked for and means the same."""
    if not request.resume:
        return None
    row = store.journal.last_unfinished(loaded.pipeline.path)
    if row is None or row.spec_digest != loaded.pipeline.digest or row.arguments != _arguments(request):
        return None
    return row


def _arguments(request: RunRequest) -> dict[str, Any]:
    """What a resume must repeat to be the same run."""
    return {
        "params": {name: list(texts) for name, texts in request.spec.params.items()},
        "params_file": str(request.spec.params_file) if request.spec.params_file else None,
        "local": request.local,
        "only": list(request.only),
        "from": list(request.start_from),
    }


class _Run:
    """One run on its way."""

    def __init__(
        self,
        request: RunRequest,
        loaded: Loaded,
        store: Store,
        connection: Connection,
        run_id: str,
        resumed: RunRow | None,
        notes: list[str],
    ) -> None:
        self.request = request
        self.loaded = loaded
        self.store = store
        self.connection = connection
        self.run_id = run_id
        self.resumed = resumed
        self.clock = request.clock
        first = store.journal.last_seq(run_id) + 1 if resumed else 1
        self.bus = Bus(run_id, self.clock, store.journal.record, first=first)
        self.tally = Tally()
        self.notes = notes
        self.began = self.clock.monotonic()
        self.selection: Selection = select(loaded.graph, request.only, request.start_from)
        self._build()

    def _build(self) -> None:
        store, loaded, bus = self.store, self.loaded, self.bus
        keeper = RunKeeper(store.blobs, self.run_id)
        self.executor = open_executor(self.request.executor)
        self.service = Service(
            self.connection.connect,
            name=self.connection.name,
            account=self.connection.account,
            upload_account=self.connection.upload_account,
            urls_outlive_us=not self.connection.local,
            uploads=store.uploads,
            keeper=keeper,
            clock=self.clock,
            emit=bus.emit,
        )
        kit = Kit(
            run_id=self.run_id,
            folder=loaded.pipeline.folder,
            no_cache=self.request.no_cache,
            service=self.service,
            ledger=store.ledger,
            keeper=keeper,
            executor=self.executor,
            clock=self.clock,
            random=random.random,
        )
        limits = loaded.pipeline.limits
        if self.request.concurrency is not None:
            limits = replace(limits, concurrency=self.request.concurrency)
        spent = store.ledger.spent(self.run_id) if self.resumed else (0, 0.0)
        self.lanes = Lanes(limits, self.clock, random.random, spent=spent, room=store.free_space_ok)
        walk = Walk(loaded.graph, nodes=self.selection.nodes, demand=self.selection.demand)
        now = self.clock.now().astimezone()
        names = {"id": self.run_id, "date": now.date().isoformat(), "time": now.strftime("%H:%M:%S")}
        scopes = Scopes(walk, surroundings(loaded, run=names, digests=store.digests))
        saver = Saver(scopes, store.outputs, keeper, self.run_id, bus.emit)
        self.lives = Lives(kit, scopes, saver, self.lanes, store.ledger, keeper, bus.emit, self.clock)
        self.checks = StaticChecks(scopes, self.lives.claim)
        cores = os.cpu_count() or 2
        self.driver = Driver(
            walk=walk,
            scopes=scopes,
            lives=self.lives,
            lanes=self.lanes,
            keeper=keeper,
            clock=self.clock,
            emit=bus.emit,
            remember=lambda result: self.service.remember(result.files, result.received_at),
            widths={StepKind.WORKFLOW: limits.concurrency + LOOKAHEAD, StepKind.IMAGE: 2 * cores},
            on_static_error=self.checks.unit,
            check_born=self.checks.task,
        )
        self.selection.attach(walk)

    async def carry_out(self, subscribe: Subscribe) -> RunOutcome:
        await self.driver.prepare()
        if self.checks.problems:
            raise SpecError([*self.checks.problems, *self.loaded.warnings])
        self.bus.subscribe(self.tally)
        subscribers = subscribe(self.tally, self.loaded)
        for subscriber in subscribers:
            self.bus.subscribe(subscriber)
        try:
            await self._begin()
            with self._signals():
                async with self._watch_for_cancel():
                    await self.driver.run()
            return await self._finish()
        finally:
            await self.lives.aclose()
            await self.executor.aclose()
            await self.service.aclose()
            self.bus.close()

    async def _begin(self) -> None:
        loaded, journal = self.loaded, self.store.journal
        if self.connection.local:
            await self.store.ledger.forget_open(self.connection.account)
        if self.resumed is not None:
            event = self.bus.stamp(RunResumed(reason="--resume"))
            await journal.resume_run(event)
            self.tally.add(journal.started(self.run_id))
            self.bus.show(event)
        else:
            started = self.bus.stamp(
                RunStarted(
                    pipeline=loaded.pipeline.name,
                    spec_path=str(loaded.pipeline.path),
                    spec_digest=loaded.pipeline.digest,
                    state_folder=str(self.store.folder),
                    service=self.connection.name,
                    params=shown(dict(loaded.params)),
                    steps=tuple(node.name for node in shown_graph(loaded.graph)),
                    commit=loaded.git.commit if loaded.git else None,
                    dirty=loaded.git.dirty if loaded.git else False,
                    version=__version__,
                    resolved_spec=resolved_spec(loaded.pipeline),
                    arguments=_arguments(self.request),
                )
            )
            await journal.begin_run(started)
            self.bus.show(started)
        self.bus.release()
        for note in self.notes:
            self.bus.emit(Warned(code="emulator.contract", message=note))
        for warning in loaded.warnings:
            self.bus.emit(Warned(code=warning.code, message=str(warning)))
        if self.request.resume and self.resumed is None:
            message = "nothing of this spec with these params is left to resume: this is a new run"
            self.bus.emit(Warned(code="run.nothing-to-resume", message=message))

    async def _finish(self) -> RunOutcome:
        await self.lives.aclose()
        left = self.driver.cancel_rest()
        stop = self.lanes.stop
        self.tally_outputs = self.driver.outputs()
        status = self._status(stop, left)
        finished = self.bus.stamp(
            RunFinished(
                status=status,
                resumable=stop is not None and stop.resumable,
                seconds=self.clock.monotonic() - self.began,
                outputs=self.tally_outputs,
                reason=stop.reason if stop else "",
            )
        )
        counts = {status.value: self.tally.count(status) for status in TaskStatus}
        await self.store.journal.finish_run(finished, counts=counts)
        self.bus.show(finished)
        summary = self.tally.summary()
        code = self._exit_code(summary)
        return RunOutcome(summary, code, self.store.folder)

    def _status(self, stop: Stop | None, left: int) -> RunStatus:
        if stop is not None:
            cancelled = stop.interrupted or not (stop.drain or stop.resumable)
            return RunStatus.CANCELLED if cancelled else RunStatus.FAILED
        failed = self.tally.count(TaskStatus.FAILED) - sum(f.ignored for f in self.tally.failures)
        return RunStatus.FAILED if failed or self.tally.count(TaskStatus.UNKNOWN) or left else RunStatus.SUCCEEDED

    def _exit_code(self, summary: RunSummary) -> int:
        from speedpix_pipe.summary import exit_code

        if self.driver.access_error is not None:
            return self.driver.access_error.exit_code
        return exit_code(summary)

    # --- being stopped ---

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """First signal: take no new work, finish what must be finished. Second: leave now."""
        loop = asyncio.get_running_loop()
        stopping: list[asyncio.Task[None]] = []

        def caught() -> None:
            if stopping:
                self.driver.leave()
                return
            self.lanes.halt(Stop("interrupted", resumable=True, drain=False, interrupted=True))
            stopping.append(asyncio.ensure_future(self.driver.interrupt(self.request.grace_seconds)))

        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        installed = []
        for number in signals:
            try:
                loop.add_signal_handler(number, caught)
                installed.append(number)
            except (ValueError, RuntimeError, NotImplementedError):
                break  # not the main thread: whoever started us there stops us otherwise
        try:
            yield
        finally:
            for number in installed:
                loop.remove_signal_handler(number)
            for task in stopping:
                task.cancel()

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
