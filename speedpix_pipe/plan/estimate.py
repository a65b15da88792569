"""What a run would do, found out by walking it without doing anything.

Cached tasks count as done, and their outputs let the planning go on below them; a task that would run leaves
its followers for later (`when_known`). Whoever drives this says what a ready task would come to (`Judge`); no
service, store or clock is known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Any

from speedpix_pipe.errors import AbsentError, ExpressionError, TaskError
from speedpix_pipe.model import Json, StepKind, TaskStatus
from speedpix_pipe.plan.fanout import Fanout
from speedpix_pipe.plan.graph import Node, Role
from speedpix_pipe.plan.inner import inner_files, inner_output, inner_params
from speedpix_pipe.plan.scopes import Scopes, visible
from speedpix_pipe.plan.tasks import Born, Command, Decide, Ended, Expand, Run, Task, Unit
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.expressions import evaluate


class Outlook(StrEnum):
    """What a ready task would come to."""

    RUN = "run"
    CACHED = "cached"
    JOIN = "join"  # paid for already: waited for, or fetched again
    UNKNOWN = "unknown"  # a submission whose outcome nobody knows stands in its way


@dataclass(frozen=True, slots=True)
class Judgement:
    """`output` and `files` where they are known: what followers see. A twin is cached, and known to nobody yet."""

    outlook: Outlook
    known: bool = False
    output: Any = None
    files: Sequence[Any] = ()


Judge = Callable[[Task], Judgement]


@dataclass(slots=True)
class StepEstimate:
    """The tasks of one step. `total` is None where only a run can tell."""

    step: str
    kind: StepKind
    total: int | None = 0
    counts: dict[Outlook, int] = field(default_factory=lambda: dict.fromkeys(Outlook, 0))
    when_known: int = 0  # tasks that wait for the output of another
    skipped: int = 0
    failed: int = 0
    price: float | None = None
    conditional: bool = False  # a `when` that looks at outputs may still say no

    @property
    def possible(self) -> int:
        """At most so many of the known tasks would run."""
        return self.counts[Outlook.RUN] + self.when_known

    def to_json(self) -> dict[str, Json]:
        counts = {outlook.value: self.counts[outlook] for outlook in Outlook}
        return {"step": self.step, "total": self.total, **counts, "when_known": self.when_known}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would do. Null is what cannot be known yet."""

    steps: tuple[StepEstimate, ...]
    upload_bytes: int | None
    seconds: float | None
    cost: float | None

    @property
    def submissions(self) -> int:
        """Predictions that would be paid for in any case."""
        return sum(step.counts[Outlook.RUN] for step in self.steps if step.kind is StepKind.WORKFLOW)

    @property
    def possible_submissions(self) -> int:
        return sum(step.possible for step in self.steps if step.kind is StepKind.WORKFLOW)

    @property
    def sure_cost(self) -> float:
        """What those would cost, as far as prices are known."""
        return sum(step.counts[Outlook.RUN] * (step.price or 0.0) for step in self.steps)

    @property
    def priced(self) -> bool:
        return any(step.price is not None and step.possible for step in self.steps)

    def to_json(self) -> dict[str, Json]:
        return {
            "steps": [step.to_json() for step in self.steps],
            "upload_bytes": self.upload_bytes,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "cost": None if self.cost is None else round(self.cost, 6),
        }


class Forecast:
    """Drives a walk as a run would, as far as that goes without running anything."""

    def __init__(
        self,
        walk: Walk,
        scopes: Scopes,
        judge: Judge,
        *,
        on_static_error: Callable[[Unit | Task, ExpressionError], None] | None = None,
        check_born: Callable[[Task], None] | None = None,
        most: int | None = None,
    ) -> None:
        """`most` cuts lists short, for who only looks at the beginning of each."""
        self.walk = walk
        self.scopes = scopes
        self._judge = judge
        self._check_born = check_born
        self._on_static_error = on_static_error
        self._fanout = Fanout(scopes, on_static_error, most)
        self._judged: dict[Task, Outlook] = {}
        self._ready: list[Task] = []

    def begin(self) -> None:
        """Births first, as a run has them, so that everything wrong is found before anything is looked up."""
        self._carry_out(self.walk.start())
        if self._check_born is not None:
            # Not at their birth: a task that is skipped in any case renders nothing.
            for task in self.walk.every_task():
                self._check_born(task)
        self._on_static_error = None

    def look_ahead(self) -> None:
        """All that can be known: what every ready task would come to, and what follows from those that are cached."""
        while self._ready:
            ready, self._ready = self._ready, []
            for task in ready:
                self._carry_out(self._look(task))

    def waiting(self) -> list[Task]:
        """Tasks that would come to their turn later in the run."""
        return [
            task
            for tasks in self.walk.keys
            for task in tasks.values()
            if task.status is None and task.demanded and task not in self._judged
        ]

    def steps(self, nodes: set[int] | None = None) -> tuple[StepEstimate, ...]:
        """The figures of every step, in the order of the graph."""
        shown = [n for n in self.walk.graph if visible(n) and (nodes is None or n.index in nodes)]
        return tuple(self._step(node) for node in shown)

    def _step(self, node: Node) -> StepEstimate:
        step = StepEstimate(node.name, node.step.kind, price=node.step.price, conditional=bool(node.when_links))
        tasks = [task for task in self.walk.keys[node.index].values() if task.demanded]
        for task in tasks:
            outlook = self._judged.get(task)
            if outlook is not None:
                step.counts[outlook] += 1
            elif task.status is None:
                step.when_known += 1
            elif task.status is TaskStatus.FAILED:
                step.failed += 1
            else:
                step.skipped += 1
        step.total = len(tasks) if self.walk.closed(node.index) else None
        return step

    # --- commands ---

    def _carry_out(self, commands: Sequence[Command]) -> None:
        todo = deque(commands)
        while todo:
            todo.extend(self._one(todo.popleft()))

    def _one(self, command: Command) -> list[Command]:
        match command:
            case Expand(unit):
                return self.walk.expanded(unit, self._fanout.expand(unit))
            case Decide(task):
                return self._decide(task)
            case Run(task) if task.node.role is not Role.STEP:
                return self._through(task)
            case Run(task):
                self._ready.append(task)
                return []
            case Born() | Ended():
                return []

    def _decide(self, task: Task) -> list[Command]:
        assert task.node.step.when is not None
        try:
            value = evaluate(task.node.step.when, self.scopes.of_task(task))
        except ExpressionError as error:
            return self._without(task, error)
        if not isinstance(value, bool):
            return self.walk.ended(task, TaskStatus.FAILED, reason="`when` must be true or false")
        return self.walk.decided(task, run=value)

    def _look(self, task: Task) -> list[Command]:
        try:
            judged = self._judge(task)
        except (ExpressionError, TaskError) as error:
            return self._without(task, error)
        self._judged[task] = judged.outlook
        if judged.outlook is Outlook.UNKNOWN:
            return self.walk.ended(task, TaskStatus.UNKNOWN)
        if not judged.known:
            return []
        task.output, task.files = judged.output, judged.files
        return self.walk.ended(task, TaskStatus.CACHED)

    def _through(self, task: Task) -> list[Command]:
        """In and out of a sub-pipeline, whose inner tasks are all known."""
        try:
            if task.node.role is Role.ENTER:
                task.output = inner_params(task, self.scopes)
                return self.walk.ended(task, TaskStatus.SUCCEEDED)
            task.output = inner_output(task, self.scopes)
        except ExpressionError as error:
            return self._without(task, error)
        task.files = list(inner_files(task, task.output, self.walk).values())
        self._judged[task] = Outlook.CACHED
        return self.walk.ended(task, TaskStatus.SUCCEEDED)

    def _without(self, task: Task, error: ExpressionError | TaskError) -> list[Command]:
        absent = isinstance(error, AbsentError)
        if self._on_static_error is not None and isinstance(error, ExpressionError) and not absent:
            self._on_static_error(task, error)
        status = TaskStatus.SKIPPED if absent else TaskStatus.FAILED
        return self.walk.ended(task, status, reason=str(error))


def cost_of(steps: Sequence[StepEstimate]) -> float | None:
    """In the unit of `price`; what would follow counts too. None where a price or a number cannot be known."""
    paid = [step for step in steps if step.kind is StepKind.WORKFLOW]
    priced = [step for step in paid if step.price is not None]
    if not any(step.possible or step.total is None for step in paid):
        return 0.0
    if not priced or any(step.total is None or (step.conditional and step.when_known) for step in priced):
        return None
    return sum(step.possible * (step.price or 0.0) for step in priced)


def seconds_of(
    steps: Sequence[StepEstimate], needs: Mapping[str, set[str]], mean: Mapping[str, float], concurrency: int
) -> float | None:
    """From how long tasks of these steps took before: the work shared by all slots, at least the longest chain."""
    busy = [step for step in steps if step.kind is not StepKind.PIPELINE and (step.possible or step.total is None)]
    if any(step.total is None or step.step not in mean for step in busy):
        return None
    work = sum(step.possible * mean[step.step] for step in busy)
    longest: dict[str, float] = {}
    for step in steps:  # in the order of the graph: what a step needs stands before it
        before = max((longest.get(name, 0.0) for name in needs.get(step.step, ())), default=0.0)
        longest[step.step] = before + (mean[step.step] if step in busy else 0.0)
    return max(work / max(1, concurrency), max(longest.values(), default=0.0))
