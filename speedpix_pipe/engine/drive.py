"""The driver of a run: carries out the commands of the walk, and feeds back what happened.

One loop. Commands that need no waiting (births, lists, conditions, cached tasks) are carried out at once; tasks
that wait for the world live in asyncio tasks of their own and hand their ending to one inbox. Endings are journalled,
shown, and applied to the walk. A success is told when it is on disk; what follows it need not wait for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from speedpix_pipe.clock import Clock
from speedpix_pipe.engine import telling
from speedpix_pipe.engine.lanes import Lanes, Stop
from speedpix_pipe.engine.life import Ending, Failed, Finished, InDoubt, Lives, Skipped, ending_of, output_of
from speedpix_pipe.engine.ready import Ready
from speedpix_pipe.engine.saving import Address
from speedpix_pipe.errors import (
    AbsentError,
    AccessError,
    ExecutorError,
    ExpressionError,
    PipeError,
    StoreError,
    TaskError,
)
from speedpix_pipe.events import Event, ItemFound, TaskCancelled, TaskFailed, TaskSkipped, TaskSucceeded
from speedpix_pipe.files import FileValue
from speedpix_pipe.files.objects import LookFirstError
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.model import Json, OnError, Result, StepKind, TaskStatus
from speedpix_pipe.plan.fanout import Fanout
from speedpix_pipe.plan.graph import Role
from speedpix_pipe.plan.inner import inner_files, inner_output, inner_params
from speedpix_pipe.plan.scopes import Scopes, visible
from speedpix_pipe.plan.tasks import Born, Command, Decide, Ended, Expand, Run, Task, Unit
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.expressions import evaluate, render
from speedpix_pipe.steps.base import Keeper, StoppedError, UnknownOutcomeError
from speedpix_pipe.steps.rendered import shown, with_files

Life = asyncio.Task[tuple[Ending, float] | None]
LOG = logging.getLogger("speedpix_pipe")
OTHERS = 32  # tasks under way of a kind that nobody said a width for
TOGETHER = 64  # tasks that are looked up at once before they start
SLICE_SECONDS = 0.02  # how long commands are carried out before the loop may breathe


@dataclass(slots=True)
class Driver:
    """Drives one walk to its end."""

    walk: Walk
    scopes: Scopes
    lives: Lives
    lanes: Lanes
    keeper: Keeper
    clock: Clock
    emit: Callable[[Event], None]
    remember: Callable[[Result], None]  # result URLs of this run
    widths: Mapping[StepKind, int]  # how many tasks of a kind may be under way, of those that want no slot
    on_static_error: Callable[[Unit | Task, ExpressionError], None] | None = None
    check_born: Callable[[Task], None] | None = None  # static checks, while nothing has been paid for
    paid_before: set[str] = field(default_factory=set)  # predictions of this run before it was resumed
    access_error: AccessError | None = None
    _ready: dict[StepKind, Ready] = field(default_factory=dict)
    _under_way: dict[Life, Task] = field(default_factory=dict)
    _running: dict[StepKind, int] = field(default_factory=dict)
    _endings: deque[tuple[Task, Ending, float, Life]] = field(default_factory=deque)
    _untold: set[asyncio.Future[None]] = field(default_factory=set)  # of successes that are not on disk yet
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _fanout: Fanout = field(init=False)
    _fatal: PipeError | None = None
    _claiming: bool = True

    def __post_init__(self) -> None:
        self._fanout = Fanout(self.scopes, self._list_failed)
        self.lanes.moved = self._wake.set

    def _list_failed(self, unit: Unit | Task, error: ExpressionError) -> None:
        """A list, a condition or the input of a sub-pipeline that cannot be evaluated: known before the run?"""
        if self._claiming and self.on_static_error is not None:
            self.on_static_error(unit, error)

    # --- the run ---

    async def prepare(self) -> None:
        """Everything that is known without any task's output: births, keys, paths. Nothing is paid for."""
        await self._carry_out(self.walk.start())
        if self.check_born is not None:
            # Not at their birth: a task that its `when` skips, or that is skipped with its origin, renders nothing.
            until = self.clock.monotonic() + SLICE_SECONDS
            for task in self.walk.every_task():
                self.check_born(task)
                if self.clock.monotonic() > until:
                    await self.clock.sleep(0)
                    until = self.clock.monotonic() + SLICE_SECONDS
        self._claiming = False

    async def run(self) -> None:
        """Until nothing is left to do, or the run takes no new work and what is in flight has ended."""
        while True:
            await self._launch()
            if self._fatal is not None:
                await self._abandon()
                raise self._fatal
            if not self._under_way and not self._endings and not self._untold:
                break
            await self._wake.wait()
            self._wake.clear()
            while self._endings:
                task, ending, seconds, life = self._endings.popleft()
                await self._end(task, ending, seconds)
                self.lanes.weighed(life)

    def cancel_rest(self) -> int:
        """What did not end is cancelled. Returns how many tasks that are."""
        left = 0
        for task in self.walk.cancel_rest():
            if visible(task.node) and task.demanded:
                left += 1
                self.emit(TaskCancelled(step=task.node.name, key=task.key))
        return left

    async def interrupt(self, grace_seconds: float) -> None:
        """Give what is in flight so long to finish what cannot be left; then leave everything else."""
        if self._under_way:
            grace = asyncio.ensure_future(self.clock.sleep(grace_seconds))
            flying = asyncio.ensure_future(asyncio.wait(set(self._under_way)))
            await asyncio.wait({grace, flying}, return_when=asyncio.FIRST_COMPLETED)
            grace.cancel()
            flying.cancel()
        self.leave()

    def leave(self) -> None:
        """End every wait now. Predictions go on at the service; a submission without an answer is unknown."""
        for life in self._under_way:
            if not self.lanes.in_window(life):
                life.cancel()
        self.lives.leave()

    async def _abandon(self) -> None:
        self.leave()
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    # --- commands ---

    async def _carry_out(self, commands: Iterable[Command]) -> None:
        todo = deque(commands)
        until = self.clock.monotonic() + SLICE_SECONDS
        while todo:
            command = todo.popleft()
            try:
                todo.extend(self._one(command))
            except LookFirstError as first:
                await in_thread(first.look)
                todo.appendleft(command)
            if self.clock.monotonic() > until:
                await self.clock.sleep(0)
                until = self.clock.monotonic() + SLICE_SECONDS

    def _one(self, command: Command) -> list[Command]:
        match command:
            case Born(task):
                self._born(task)
                return []
            case Expand(unit):
                return self.walk.expanded(unit, self._fanout.expand(unit))
            case Decide(task):
                return self._decide(task)
            case Run(task):
                return self._make_ready(task)
            case Ended(task):
                self._tell_ended(task)
                return []

    def _born(self, task: Task) -> None:
        if not visible(task.node):
            return
        self.emit(
            ItemFound(
                step=task.node.name,
                key=task.key,
                index=task.index,
                item=shown(task.item) if task.has_item else None,
                matrix=shown(task.matrix) if task.matrix else None,
                order=task.order,
            )
        )

    def _decide(self, task: Task) -> list[Command]:
        assert task.node.step.when is not None
        try:
            value = evaluate(task.node.step.when, self.scopes.of_task(task))
        except AbsentError as error:
            return self._skip(task, str(error))
        except ExpressionError as error:
            self._list_failed(task, error)
            return self._fail(task, Failed("input", error.code, str(error)), 0.0)
        if not isinstance(value, bool):
            message = f"{task.node.step.when.mark}: `when` must be true or false, not {value!r:.60}"
            return self._fail(task, Failed("input", "task.when", message), 0.0)
        return self.walk.decided(task, run=value)

    def _make_ready(self, task: Task) -> list[Command]:
        if task.node.role is not Role.STEP:
            commands = self._through(task)
            if commands is not None:
                return commands
        ready = self._ready.get(task.node.step.kind)
        if ready is None:
            ready = self._ready[task.node.step.kind] = Ready()
        ready.push(task)
        return []

    def _through(self, task: Task) -> list[Command] | None:
        """In and out of a sub-pipeline: params rendered, outputs gathered. None where files are still to be saved."""
        try:
            if task.node.role is Role.ENTER:
                return self._enter(task)
            task.output = inner_output(task, self.scopes)
        except AbsentError as error:
            return self._skip(task, str(error))
        except ExpressionError as error:
            self._list_failed(task, error)
            return self._fail(task, Failed("input", error.code, str(error)), 0.0)
        task.files = list(inner_files(task, task.output, self.walk).values())
        if task.node.step.save or task.node.step.expect:
            return None
        self.emit(TaskSucceeded(step=task.node.name, key=task.key, seconds=0.0, output=shown(task.output)))
        return self.walk.ended(task, TaskStatus.SUCCEEDED)

    def _enter(self, task: Task) -> list[Command]:
        task.output = inner_params(task, self.scopes)
        return self.walk.ended(task, TaskStatus.SUCCEEDED)

    # --- starting ---

    async def _launch(self) -> None:
        """Start what may start. Cached tasks end here and now, and may make others ready."""
        again, until = True, self.clock.monotonic() + SLICE_SECONDS
        while again and self.lanes.stop is None and self._fatal is None:
            again = False
            for kind, ready in tuple(self._ready.items()):
                while ready and (free := self._free(kind)) > 0 and self.lanes.stop is None:
                    self.lives.look_ahead(ready.ahead(min(free, TOGETHER)))
                    ended = await self._start(ready.pop())
                    if self.clock.monotonic() > until:  # signals and lives want their turn, too
                        await self.clock.sleep(0)
                        until = self.clock.monotonic() + SLICE_SECONDS
                    if ended:
                        again = True
                        break  # other kinds may have something to do

    def _free(self, kind: StepKind) -> int:
        """How many more tasks of a kind may be under way."""
        under_way = self._running.get(kind, 0)
        if kind is StepKind.WORKFLOW:
            return self.lanes.may_start(under_way)
        return self.widths.get(kind, OTHERS) - under_way

    async def _start(self, task: Task) -> bool:
        """Whether the task ended at once."""
        try:
            finished = self.lives.from_cache(task)
        except (ExpressionError, TaskError) as error:
            await self._end(task, ending_of(error), 0.0)
            return True
        if finished is not None:
            await self._end(task, finished, 0.0)
            return True
        kind = task.node.step.kind
        self._running[kind] = self._running.get(kind, 0) + 1
        life = asyncio.create_task(self._live(task))
        self._under_way[life] = task
        life.add_done_callback(self._landed)
        return False

    def _landed(self, life: Life) -> None:
        task = self._under_way.pop(life)
        self._running[task.node.step.kind] -= 1
        ending = None if life.cancelled() else life.result()
        if ending is None:
            self.lanes.weighed(life)
        else:
            self._endings.append((task, *ending, life))
        self._wake.set()

    async def _live(self, task: Task) -> tuple[Ending, float] | None:
        """The boundary of a task: whatever goes wrong in it ends here."""
        began = self.clock.monotonic()
        try:
            ending = await self.lives.live(task)
        except (StoppedError, asyncio.CancelledError):
            return None  # it stays as it is, and is cancelled with the run
        except UnknownOutcomeError as error:
            ending = InDoubt(str(error), error.submission)
        except (ExpressionError, TaskError) as error:
            ending = ending_of(error)
        except AccessError as error:
            self.access_error = self.access_error or error
            self.lanes.halt(Stop(error.message, resumable=False, drain=True))
            ending = Failed("access", error.code, error.message)
        except ExecutorError as error:
            ending = Failed("task", error.code, error.message)
        except StoreError as error:
            self._fatal = self._fatal or error
            return None
        except Exception as error:
            LOG.exception("a bug in %s", task.name)
            ending = Failed("internal", "task.bug", f"{type(error).__name__}: {error}")
        return ending, self.clock.monotonic() - began

    # --- endings ---

    async def _end(self, task: Task, ending: Ending, seconds: float) -> None:
        match ending:
            case Finished():
                commands = self._finish(task, ending, seconds)
            case Failed():
                commands = self._fail(task, ending, seconds)
            case Skipped(reason):
                commands = self._skip(task, reason)
            case InDoubt():
                commands = self._doubt(task, ending)
        await self._carry_out(commands)

    def _finish(self, task: Task, ending: Finished, seconds: float) -> list[Command]:
        result = ending.result
        files = self._file_values(task, result, ending.saved)
        if task.node.role is Role.STEP:
            task.files = list(files.values())
            task.output = output_of(result, files)
            self.remember(result)
        elif ending.saved and task.source is not None:
            outside = self._file_values(task.source, result, ending.saved)
            task.output = with_files(task.output, {file: file for file in outside.values()})
            task.files = list(outside.values())
        if ending.cached is not None:
            self.emit(telling.cached(task, ending, self._source_of(ending.cached, result)))
        else:
            self._tell_when(ending.written, telling.succeeded(task, ending, seconds))
        return self.walk.ended(task, TaskStatus.SUCCEEDED if ending.cached is None else TaskStatus.CACHED)

    def _tell_when(self, written: asyncio.Future[None] | None, succeeded: TaskSucceeded) -> None:
        if written is None:
            self.emit(succeeded)
            return

        def tell(written: asyncio.Future[None]) -> None:
            self._untold.discard(written)
            self._wake.set()
            try:
                written.result()
                self.emit(succeeded)
            except StoreError as error:
                self._fatal = self._fatal or error

        self._untold.add(written)
        written.add_done_callback(tell)

    def _source_of(self, cached: str, result: Result) -> str:
        """The first task that gets what this run has paid for before is no saving; equal ones after it are."""
        if cached == "cache" and result.prediction_id in self.paid_before:
            self.paid_before.discard(result.prediction_id)
            return "resumed"
        return cached

    def _file_values(self, task: Task, result: Result, saved: Mapping[str, Address]) -> dict[str, FileValue]:
        folder = task.node.space.pipeline.folder
        return {
            kept.place: FileValue.kept(kept, self.keeper.path(kept.sha256), saved.get(kept.place), folder)
            for kept in result.files
        }

    def _fail(self, task: Task, ending: Failed, seconds: float) -> list[Command]:
        self.emit(telling.failed(task, ending, seconds))
        self._weigh(task, ending.message)
        return self.walk.ended(task, TaskStatus.FAILED, reason=ending.message)

    def _weigh(self, task: Task, message: str) -> None:
        """What a failure means to the run as a whole."""
        if task.node.on_error is not OnError.IGNORE:
            self.lanes.failed(task.name, message)
        if task.node.on_error is OnError.STOP:
            reason = f"{task.name} failed, and its step says on_error: stop"
            self.lanes.halt(Stop(reason, resumable=True, drain=True))

    def _skip(self, task: Task, reason: str) -> list[Command]:
        if visible(task.node):
            self.emit(TaskSkipped(step=task.node.name, key=task.key, reason=reason))
        return self.walk.ended(task, TaskStatus.SKIPPED, reason=reason)

    def _doubt(self, task: Task, ending: InDoubt) -> list[Command]:
        self.emit(telling.doubted(task, ending))
        self.lanes.failed(task.name, ending.message)
        return self.walk.ended(task, TaskStatus.UNKNOWN, reason=ending.message)

    def _tell_ended(self, task: Task) -> None:
        """Tasks that the walk itself ended."""
        event = telling.ended(task)
        if event is not None:
            self.emit(event)
        if isinstance(event, TaskFailed):
            self._weigh(task, task.reason)

    # --- the end ---

    def outputs(self) -> tuple[dict[str, Json], list[str]]:
        """The pipeline's own `outputs`, null where a task they need has no output; and why any other is null."""
        template = self.walk.graph.pipeline.outputs
        found: dict[str, Json] = {}
        wrong: list[str] = []
        for entry in template.entries if template else ():
            scope, steps = self.scopes.of_output()
            try:
                found[entry.name] = shown(render(entry.value, scope))
            except ExpressionError as error:
                found[entry.name] = None
                if not steps.lacking:
                    wrong.append(f"{error.message}: outputs.{entry.name} is null")
        return found, wrong
