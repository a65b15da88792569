"""One task's life: rendered, looked up, run by its kind, saved.

What may happen at once is decided in `lanes`, when a life begins in `drive`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from speedpix_pipe.clock import Clock
from speedpix_pipe.engine.foresight import Digests, Foresight, Results, Sight
from speedpix_pipe.engine.measuring import Measuring
from speedpix_pipe.engine.saving import Address, Saver
from speedpix_pipe.errors import AbsentError, ExpressionError, StoreError, TaskError, TaskErrorKind
from speedpix_pipe.events import TaskStarted
from speedpix_pipe.files import FileValue
from speedpix_pipe.files.objects import seen
from speedpix_pipe.model import Json, OnError, Result, StepKind, Submission
from speedpix_pipe.plan.graph import Role
from speedpix_pipe.plan.inner import inner_files, inner_result
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.targets import Target
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.steps import open_kind
from speedpix_pipe.steps.base import Again, Emit, FinalError, Gates, Job, Keeper, Kit, Prepared, StoppedError
from speedpix_pipe.steps.base import StepKind as Kind
from speedpix_pipe.steps.expect import ExpectedFile, InputFile, check_expect
from speedpix_pipe.steps.rendered import files_in, shown
from speedpix_pipe.steps.service import ChangedError
from speedpix_pipe.steps.together import unheard

CHANGES = 2  # how often a task starts over because a file changed meanwhile


@dataclass(frozen=True, slots=True)
class Finished:
    """A task with a result, its own or a cached one."""

    result: Result
    prepared: Prepared
    saved: Mapping[str, Address]
    cached: str | None = None  # `cache` or `twin`
    attempts: int = 1
    began: bool = True  # whether `TaskStarted` was told
    written: asyncio.Future[None] | None = None  # done when its result is on disk; nobody need wait but who tells of it


@dataclass(frozen=True, slots=True)
class Failed:
    kind: TaskErrorKind | str
    code: str
    message: str
    attempts: int = 1
    prediction_id: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    reason: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    message: str
    submission: Submission


Ending = Finished | Failed | Skipped | InDoubt


class Lives:
    """Carries tasks of a run through their lives."""

    def __init__(
        self,
        kit: Kit,
        scopes: Scopes,
        saver: Saver,
        gates: Gates,
        results: Results,
        keeper: Keeper,
        emit: Emit,
        clock: Clock,
        digests: Digests,
    ) -> None:
        self._kit = kit
        self._scopes = scopes
        self._saver = saver
        self._gates = gates
        self._results = results
        self._keeper = keeper
        self._emit = emit
        self._clock = clock
        self.again: Callable[[Task], Again] = lambda _: Again.NO  # what somebody asked to have once more
        self._made: set[str] = set()  # fingerprints that were, and need not be once again
        self._kinds: dict[StepKind, Kind] = {}
        self._twins: dict[str, asyncio.Future[Result]] = {}
        self._foresight = Foresight(self, results, saver, digests, kit.service.to_upload)
        self._sights: dict[Task, Sight] = {}  # of tasks whose life begins
        self._measuring = Measuring(kit.executor.hash)

    def kind(self, name: StepKind) -> Kind:
        found = self._kinds.get(name)
        if found is None:
            found = self._kinds[name] = open_kind(name.value, self._kit)
        return found

    async def aclose(self) -> None:
        self._measuring.close()
        for kind in self._kinds.values():
            await kind.aclose()

    def leave(self) -> None:
        """Wait for nothing any more, not even for the answer to a submission."""
        for kind in self._kinds.values():
            kind.leave()

    def claim(self, task: Task) -> None:
        """Claim the task's paths now; later ones find them taken."""
        self._saver.claim(task)

    # --- the quick way: nothing to wait for ---

    def look_ahead(self, tasks: Sequence[Task]) -> None:
        """These tasks are about to start."""
        if tasks:
            self._foresight.look(tasks)

    def from_cache(self, task: Task) -> Finished | None:
        """A task whose result is kept and whose files stand: no waiting, no thread, no task of asyncio's."""
        sight = self._sights.pop(task, None) or self._foresight.take(task)
        if sight is None:
            return None
        if sight.error is not None:
            raise sight.error
        if sight.saved is None or sight.result is None or sight.prepared is None:
            self._sights[task] = sight  # its life goes on from here
            return None
        self._saver.tell_standing(task, sight.result, sight.saved)
        for file in sight.files:
            file.rest()
        return Finished(sight.result, sight.prepared, sight.saved, cached="cache", began=False)

    def render(self, task: Task) -> dict[str, Any]:
        """The input as it is now (`foresight.Looks`)."""
        try:
            return self._render(task, fresh=True)
        except OSError as error:
            raise _unreadable(error) from error

    def prepare(self, task: Task, rendered: Mapping[str, Any]) -> Prepared:
        """What will be asked; a file that cannot be read is the task's error."""
        try:
            return self._prepare(task, rendered)
        except OSError as error:
            raise _unreadable(error) from error

    def wants_kept(self, task: Task, prepared: Prepared) -> bool:
        """Whether a kept result would do, without a look at pixels."""
        return (
            prepared.fingerprint is not None and not prepared.expect and self._again(task, prepared) is not Again.ANEW
        )

    def good(self, task: Task, result: Result) -> bool:
        """Whether a kept result is whole, young enough, and still what its contract says."""
        step = task.node.step
        return self._usable(task, result) and not self.kind(step.kind).broken(step, result)

    # --- the whole way ---

    async def live(self, task: Task) -> Ending:
        if task.node.role is Role.LEAVE:
            return await self._leave(task)
        changes = 0
        while True:
            try:
                return await self._live(task)
            except ChangedError as error:
                changes += 1
                if changes > CHANGES:
                    return Failed(TaskErrorKind.INPUT, "task.file-changing", str(error))

    async def _live(self, task: Task) -> Ending:
        prepared = await self._prepared(task)
        targets = await seen(lambda: self._spared(task))
        self._started(task, prepared)
        kind = self.kind(task.node.step.kind)
        job = self._job(task, prepared)
        try:
            result, cached, written = await self._result(task, prepared, kind, job)
            faults = await kind.faults(task.node.step, prepared, result)
            if faults and cached == "cache" and job.again is Again.FAILED:
                # A mended spec would have made it good for nothing. An equal task may have paid for another meanwhile.
                job.again = Again.NO if prepared.fingerprint in self._made else Again.ANEW
                result, cached, written = await self._result(task, prepared, kind, job)
                faults = await kind.faults(task.node.step, prepared, result)
            if faults:
                message = "; ".join(faults)
                return Failed(TaskErrorKind.TASK, "task.contract", message, job.attempts, result.prediction_id)
            try:
                saved, recorded = await self._saver.save(task, targets, result, verify=cached == "cache")
            except StoreError as error:
                if error.code != "store.spoiled":
                    raise
                # No longer kept: fetched again.
                result, cached, written = await self._result(task, prepared, kind, job)
                saved, recorded = await self._saver.save(task, targets, result)
        except TaskError as error:
            return ending_of(error, job.attempts)
        finally:
            _rest(prepared.input)
        return Finished(result, prepared, saved, cached, job.attempts, written=recorded or written)

    async def _leave(self, task: Task) -> Ending:
        """The end of a sub-pipeline whose files are to be looked at or saved. Nothing is run."""
        entered = task.source  # its step's expressions stand outside, where the way in was
        assert entered is not None
        files = inner_files(task, task.output, self._scopes.walk)
        result = inner_result(task.output, files)
        rendered = await seen(lambda: self._render(entered))
        scope = self._scopes.of_task(entered)
        expect = await seen(lambda: {path: render(wanted, scope) for path, wanted in task.node.step.expect.items()})
        inputs = await seen(lambda: [InputFile(file.sha256, file.place) for _, file in files_in(rendered)])
        looked_at = [ExpectedFile(kept, self._keeper.path(kept.sha256)) for kept in result.files]
        faults = await check_expect(expect, result.output, looked_at, inputs, self._kit.executor) if expect else []
        if faults:
            return Failed(TaskErrorKind.TASK, "task.contract", "; ".join(faults))
        saved, recorded = await self._saver.save(entered, await seen(lambda: self._saver.claim(entered)), result)
        return Finished(result, Prepared(None, rendered, shown(rendered)), saved, written=recorded)

    async def _prepared(self, task: Task) -> Prepared:
        """The task rendered, with digests of its files as they are now, or were a moment ago."""
        sight = self._sights.pop(task, None)
        rendered: dict[str, Any] = {} if sight is None else sight.rendered
        try:
            if sight is None:
                rendered = await seen(lambda: self._render(task, fresh=True))
            elif sight.unknown:
                with self._gates.waiting(paid=False), self._foresight.reading(task, sight):
                    await self._measuring.sight(sight, to_send=_is_sent(task))
                if sight.error is not None:
                    raise sight.error
            if sight is not None and sight.prepared is not None:
                return sight.prepared
            # While a file was read, a task that begins with it, too, may have asked for a new look.
            while unknown := [file for _, file in files_in(rendered) if not file.known]:
                with self._gates.waiting(paid=False):
                    await self._measuring.files(unknown, to_send=_is_sent(task))
            return await seen(lambda: self._prepare(task, rendered))
        except OSError as error:
            raise _unreadable(error) from error
        except TaskError:
            _rest(rendered)
            raise

    async def _result(
        self, task: Task, prepared: Prepared, kind: Kind, job: Job
    ) -> tuple[Result, str | None, asyncio.Future[None] | None]:
        """The result, where it was found if it was not made, and when it is on disk."""
        fingerprint = prepared.fingerprint
        if fingerprint is None:
            return await kind.run(job), None, None
        kept = self._kept(task, prepared, job.again)
        if kept is not None:
            return kept, "cache", None
        twin = self._twins.get(fingerprint)
        if twin is not None:
            return await self._from_twin(twin), "twin", None
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        unheard(future)
        self._twins[fingerprint] = future
        try:
            result, written = await self._made_by(kind, job, fingerprint)
        except BaseException as error:
            if not isinstance(error, FinalError):  # that one holds for every equal task still to come
                del self._twins[fingerprint]
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)
            raise
        future.set_result(result)
        written.add_done_callback(lambda _: self._on_disk(fingerprint, job.again))
        return result, None, written

    def _on_disk(self, fingerprint: str, again: Again) -> None:
        """From now on equal tasks find the result among those kept. Before, they would have found the last one."""
        if again is not Again.NO:
            self._made.add(fingerprint)
        self._twins.pop(fingerprint, None)

    async def _made_by(self, kind: Kind, job: Job, fingerprint: str) -> tuple[Result, asyncio.Future[None]]:
        """A result that is about to be on disk. A crash in between finds the row open, and fetches again."""
        result = await kind.run(job)
        written = self._results.keep_result(fingerprint, kind.service, result, kind=job.step.kind.value)
        kind.accept(job)  # queued behind it, so both usually go in one commit
        return result, written

    async def _from_twin(self, twin: asyncio.Future[Result]) -> Result:
        if not twin.done():
            with self._gates.waiting(), self._gates.aside():
                await asyncio.wait({twin})
        if twin.cancelled():
            raise StoppedError
        return twin.result()

    # --- parts ---

    def _render(self, task: Task, *, fresh: bool = False) -> dict[str, Any]:
        """The input, nulls left out. `fresh`: files are looked at anew."""
        step = task.node.step
        if step.input is None:
            return {}
        scope = self._scopes.of_task(task)
        rendered = {}
        for entry in step.input.entries:
            value = render(entry.value, scope)
            if value is not None:
                rendered[entry.name] = value
        for _, file in files_in(rendered):
            if file.origin is None:
                if fresh:
                    file.forget()
                self._saver.reads.add(file.address)
        return rendered

    def _prepare(self, task: Task, rendered: Mapping[str, Any]) -> Prepared:
        step = task.node.step
        return self.kind(step.kind).prepare(step, task.name, rendered, self._scopes.of_task(task))

    def _spared(self, task: Task) -> list[Target]:
        targets = self._saver.claim(task)
        self._saver.spare_inputs(task, targets)
        return targets

    def _kept(self, task: Task, prepared: Prepared, again: Again) -> Result | None:
        """The kept result for this fingerprint, whole and young enough."""
        if prepared.fingerprint is None or again is Again.ANEW:
            return None
        result = self._results.result(prepared.fingerprint)
        return result if result is not None and self._usable(task, result) else None

    def _usable(self, task: Task, result: Result) -> bool:
        whole = all(self._keeper.has(kept.sha256, kept.size) for kept in result.files)
        return whole and not self._too_old(task, result)

    def _too_old(self, task: Task, result: Result) -> bool:
        age = task.node.step.cache.max_age_seconds
        if age is None or result.received_at is None:
            return False
        return (self._clock.now() - result.received_at).total_seconds() > age

    def _job(self, task: Task, prepared: Prepared) -> Job:
        stale = None
        if prepared.fingerprint is not None and task.node.step.cache.max_age_seconds is not None:
            old = self._results.result(prepared.fingerprint)
            if old is not None and self._too_old(task, old):
                stale = old.received_at
        return Job(
            run_id=self._kit.run_id,
            step=task.node.step,
            node=task.node.name,
            key=task.key,
            order=(-task.depth, *task.order),
            prepared=prepared,
            gates=self._gates,
            emit=self._emit,
            price=task.node.step.price,
            stops=task.node.on_error is OnError.STOP,
            stale=stale,
            again=self._again(task, prepared),
        )

    def _again(self, task: Task, prepared: Prepared) -> Again:
        """An equal task of this run may have done already what was asked of this one, too."""
        return Again.NO if prepared.fingerprint in self._made else self.again(task)

    def _started(self, task: Task, prepared: Prepared) -> None:
        self._emit(
            TaskStarted(
                step=task.node.name,
                key=task.key,
                fingerprint=prepared.fingerprint,
                input=prepared.shown,
                input_files=prepared.files,
            )
        )


def _rest(rendered: Mapping[str, Any]) -> None:
    """Let files rest whose task is over, those that are held and were not sent after all included."""
    for _, file in files_in(rendered):
        file.rest()


def _is_sent(task: Task) -> bool:
    return task.node.step.kind is StepKind.WORKFLOW


def _unreadable(error: OSError) -> TaskError:
    message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return TaskError(message, kind=TaskErrorKind.INPUT, code="task.file", hint=getattr(error, "hint", None))


def ending_of(error: ExpressionError | TaskError, attempts: int = 1) -> Failed | Skipped:
    """How a task ends that met this error."""
    if isinstance(error, AbsentError):
        return Skipped(str(error))
    message = f"{error} ({error.hint})" if error.hint else str(error)
    if isinstance(error, TaskError):
        return Failed(error.kind, error.code, message, attempts, error.prediction_id)
    return Failed("input", error.code, message)


def output_of(result: Result, files: Mapping[str, FileValue]) -> Json:
    """The output as expressions see it: an `image:` step's file is a file value."""
    if isinstance(result.output, dict) and set(result.output) == {"image"} and "image" in files:
        return {"image": files["image"]}
    return result.output
