"""Batches of a hot folder as runs: begun, carried out, judged before they count as over, and taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from speedpix_pipe.app.arrived import arguments_of_batch, empty_params
from speedpix_pipe.app.one_run import OneRun, Subscribe, new_run_id
from speedpix_pipe.app.reload import Reloader
from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.resuming import arguments_of
from speedpix_pipe.app.station import Station
from speedpix_pipe.engine.lanes import Stop
from speedpix_pipe.errors import AccessError, StoreError, UsageError
from speedpix_pipe.files import FileValue
from speedpix_pipe.files.objects import Objects
from speedpix_pipe.store import RunRow, Verdict
from speedpix_pipe.summary import RunSummary
from speedpix_pipe.triggers.base import Batch, Judgement
from speedpix_pipe.triggers.claims import Step
from speedpix_pipe.triggers.verdicts import Judge

_UNREADABLE = frozenset({"task.file", "task.picture"})
POSTPONED_SECONDS = 30.0  # until a run that could not go on for want of disk is tried again


class Batches:
    """The runs of one watcher.

    `fail` hears what no run can go on after, `trouble` what keeps them from going on for now (and when it is over),
    `forbidden` says where no result may go. What cannot go on for now is tried again, if `tireless`.
    """

    def __init__(
        self,
        station: Station,
        request: RunRequest,
        reloader: Reloader,
        *,
        subscribe: Subscribe,
        on_run: Callable[[RunSummary], None],
        fail: Callable[[BaseException], None],
        trouble: Callable[[str, str | None], None],
        watch_over: Callable[[asyncio.Task[None]], None],
        forbidden: Callable[[Path], str | None],
        step: Step,
        tireless: bool,
    ) -> None:
        self._station = station
        self._store = station.store
        self._clock = station.clock
        self._request = request
        self._reloader = reloader
        self._subscribe = subscribe
        self._on_run = on_run
        self._fail = fail
        self._trouble = trouble
        self._watch_over = watch_over
        self._tireless = tireless
        self._forbidden = forbidden
        self._step = step
        self._runs: dict[OneRun, asyncio.Future[None] | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    def begin(self, batch: Batch) -> None:
        task = asyncio.create_task(self._carry(batch))
        self._tasks.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._watch_over(task)

    def interrupt(self) -> None:
        """No new submissions; what is on its way is finished within the grace."""
        self._over.set()
        for run, stopping in list(self._runs.items()):
            if stopping is None:
                self._runs[run] = asyncio.ensure_future(run.interrupt())

    def leave(self) -> None:
        for run in self._runs:
            run.driver.leave()

    async def ended(self) -> None:
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _carry(self, batch: Batch) -> None:
        while not self._over.is_set():
            if await self._try(batch):
                return
            await self._pause(batch)

    async def _pause(self, batch: Batch) -> None:
        """Until it may be worth another try: some time has gone by, or the root that it waits for is back."""
        until = self._clock.monotonic() + POSTPONED_SECONDS
        over = asyncio.ensure_future(self._over.wait())
        while not over.done() and self._clock.monotonic() < until:
            if batch.rootless and await asyncio.to_thread(batch.folder.is_here):
                break
            sleeping = asyncio.ensure_future(self._clock.sleep(1.0))
            await asyncio.wait({over, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            sleeping.cancel()
        over.cancel()

    def _divide(self, batch: Batch) -> None:
        """The spec may have been edited since the batch was made, and now take one file at a time."""
        if batch.folder.single and len(batch.guests) > 1:
            for guest in batch.guests[1:]:
                self.begin(Batch(batch.folder, [guest]))
            del batch.guests[1:]

    async def _try(self, batch: Batch) -> bool:
        """One run for the batch; False if it must be taken up again later."""
        await self._reloader.look()
        if self._over.is_set():
            return False
        resumed = self._earlier(batch)
        if resumed is not None and resumed.given_up:
            await self._end(batch, resumed)
            return True
        self._divide(batch)
        objects = Objects(self._store.digests)  # each batch looks for itself
        objects.begun = True
        loaded = replace(self._reloader.loaded, params=self._params(batch), warnings=[], objects=objects)
        if batch.run_id is None:
            batch.run_id = new_run_id(self._clock)
        # Queued before the run's first row, so that it is on disk before or with it, at the price of one sync.
        written = self._store.arrivals.running([guest.id for guest in batch.guests], batch.run_id)
        run = OneRun(
            self._station,
            self._request,
            loaded,
            batch.run_id,
            arguments={**arguments_of(self._request), **arguments_of_batch(batch.folder.watch)},
            resumed=resumed,
            strict=False,
            before_end=lambda ended: self._judge(batch, ended),
        )
        run.saver.forbidden = self._forbidden
        self._runs[run] = None
        marked = asyncio.ensure_future(self._marked(written))
        try:
            await run.prepare()
            outcome = await run.carry_out(self._subscribe)
        finally:
            del self._runs[run]
            await asyncio.gather(marked, return_exceptions=True)
        judged = [guest for guest in batch.guests if guest.judgement is not None]
        self._heed(run.driver.access_error)
        over = bool(judged) or self._over.is_set() or not self._tireless
        if over:
            self._on_run(outcome.summary)
        if judged:
            batch.folder.placing.place(judged)
        return over

    async def _marked(self, written: Awaitable[None]) -> None:
        await written
        self._step("batch.journaled")

    def _earlier(self, batch: Batch) -> RunRow | None:
        if batch.run_id is None:
            return None
        try:
            return self._store.journal.run(batch.run_id)
        except (UsageError, StoreError):
            return None  # it died before its first event

    async def _end(self, batch: Batch, run: RunRow) -> None:
        """`runs cancel` came while nobody carried it out: no more is paid for its files."""
        judged = Judgement(Verdict.FAILED, run.reason, run_id=run.id)
        await batch.folder.judge(batch, {guest.id: judged for guest in batch.guests})
        batch.folder.placing.place(batch.guests)

    def _params(self, batch: Batch) -> dict[str, Any]:
        """The batch as its param; params of the other folders are empty, not whatever lies there."""
        pipeline = self._reloader.loaded.pipeline
        params = {**self._reloader.loaded.params, **empty_params(pipeline)}
        files = list(self._values(batch).values())
        param = pipeline.params[batch.folder.watch.param]
        params[param.name] = files if param.type == "files" else files[0]
        return params

    def _values(self, batch: Batch) -> dict[str, FileValue]:
        return batch.values(self._reloader.loaded.pipeline.folder)

    async def _judge(self, batch: Batch, run: OneRun) -> None:
        """The verdicts, on disk before the run is over. None where the files are not to blame."""
        stop = run.lanes.stop
        if (stop is not None and stop.interrupted) or run.driver.access_error is not None:
            return
        judge = Judge(run.walk, run.scopes, self._values(batch))
        if stop is not None and stop.resumable and not self._store.free_space_ok():
            return  # the disk is full: the run goes on when there is room
        blamed = judge.failed()
        batch.rootless = _missed_bytes(run) and not await asyncio.to_thread(batch.folder.is_here)
        if batch.rootless:
            return  # that is no fault of theirs: the run goes on when the root is back
        verdicts = {}
        for guest in batch.guests:
            blame = blamed.get(guest.id)
            if blame is None:
                verdicts[guest.id] = Judgement(Verdict.DONE, run_id=run.run_id)
            else:
                task = f"{blame.step}@{blame.key}" if blame.key else blame.step
                verdicts[guest.id] = Judgement(Verdict.FAILED, _reason(blame.reason, stop), task, run.run_id)
        await batch.folder.judge(batch, verdicts)

    def _heed(self, error: AccessError | None) -> None:
        """A key that is refused is for somebody to mend; a service that cannot be reached may be back in a while."""
        away = error is not None and error.code == "access.unreachable" and self._tireless
        if error is not None and not away:
            self._fail(error)
        if away:
            self._trouble("service", f"{error}; files wait")
        elif self._station.service.answered:
            self._trouble("service", None)


def _missed_bytes(run: OneRun) -> bool:
    """Whether a task failed because a file could not be read."""
    return any(failure.code in _UNREADABLE for failure in run.tally.failures)


def _reason(reason: str, stop: Stop | None) -> str:
    return f"{reason}: {stop.reason}" if stop is not None and stop.reason and stop.reason not in reason else reason
