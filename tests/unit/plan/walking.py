"""Walks without a service: specs from texts, outcomes from a rule, endings in any order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import AbsentError, ExpressionError, Problem, Severity
from speedpix_pipe.files import FileValue, FolderFiles
from speedpix_pipe.model import TaskStatus
from speedpix_pipe.plan.fanout import Fanout
from speedpix_pipe.plan.graph import Graph, Role
from speedpix_pipe.plan.inner import inner_files, inner_output, inner_params
from speedpix_pipe.plan.scopes import Scopes, Surroundings
from speedpix_pipe.plan.tasks import Born, Command, Decide, Ended, Expand, Run, Task
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.plan.weave import weave
from speedpix_pipe.spec.build import load_pipeline
from speedpix_pipe.spec.expressions import evaluate, render

HEAD = "apiVersion: speedpix-pipe/v1\nname: case\n"
Outcome = Callable[[Task], Any]  # the output of a task, or an Exception for a failure
Pick = Callable[[int], int]  # which of so many tasks that are ready ends next


def woven(text: str, **others: str) -> tuple[Graph, list[Problem]]:
    """The graph of a spec without its first two lines, and all problems but warnings."""
    graph, problems = woven_with_warnings(text, **others)
    return graph, [problem for problem in problems if problem.severity is Severity.ERROR]


def woven_with_warnings(text: str, **others: str) -> tuple[Graph, list[Problem]]:
    """`others` are the texts of sub-pipelines, by their names without `.yaml`."""
    texts = {"p.yaml": HEAD + text, **{f"{name}.yaml": HEAD + other for name, other in others.items()}}
    pipeline, problems = load_pipeline(
        Path("/nowhere/p.yaml"), shown="p.yaml", source=lambda path: texts[path.name].encode(), check_files=False
    )
    assert pipeline is not None, problems
    graph, found = weave(pipeline)
    return graph, [*problems, *found]


class NoFiles:
    """No params of these walks are files."""

    def glob(self, pattern: str, folder: Path) -> Sequence[FileValue]:
        raise AssertionError(pattern)

    def file(self, path: Path, folder: Path) -> FileValue:
        raise AssertionError(path)


@dataclass
class Play:
    """One walk to its end."""

    graph: Graph
    params: dict[str, Any]
    outcome: Outcome
    pick: Pick = lambda _count: 0
    nodes: set[int] | None = None
    demand: set[int] | None = None
    ready: list[Task] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    born: int = 0
    told: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.walk = Walk(self.graph, nodes=self.nodes, demand=self.demand)
        files = {number: FolderFiles(Path("/nowhere")) for number, _ in enumerate(self.graph.spaces)}
        around = Surroundings(self.params, {}, {}, {}, files, NoFiles())
        self.scopes = Scopes(self.walk, around)
        self.fanout = Fanout(self.scopes)

    def run(self) -> Play:
        self.carry_out(self.walk.start())
        while self.ready:
            task = self.ready.pop(self.pick(len(self.ready)))
            self.carry_out(self.end(task))
        return self

    def carry_out(self, commands: Sequence[Command]) -> None:
        todo = deque(commands)
        while todo:
            match todo.popleft():
                case Born():
                    self.born += 1
                case Expand(unit):
                    todo.extend(self.walk.expanded(unit, self.fanout.expand(unit)))
                case Decide(task):
                    todo.extend(self.decide(task))
                case Run(task):
                    if task.node.role is Role.STEP:
                        self.ready.append(task)
                    else:
                        todo.extend(self.end(task))
                case Ended(task):
                    self.told.append(task)

    def decide(self, task: Task) -> list[Command]:
        assert task.node.step.when is not None
        try:
            value = evaluate(task.node.step.when, self.scopes.of_task(task))
        except AbsentError as error:
            return self.walk.ended(task, TaskStatus.SKIPPED, reason=str(error))
        except ExpressionError as error:
            return self.walk.ended(task, TaskStatus.FAILED, reason=str(error))
        if not isinstance(value, bool):
            return self.walk.ended(task, TaskStatus.FAILED, reason="not a boolean")
        return self.walk.decided(task, run=value)

    def end(self, task: Task) -> list[Command]:
        try:
            match task.node.role:
                case Role.ENTER:
                    task.output = inner_params(task, self.scopes)
                    return self.walk.ended(task, TaskStatus.SUCCEEDED)
                case Role.LEAVE:
                    task.output = inner_output(task, self.scopes)
                    task.files = list(inner_files(task, task.output, self.walk).values())
                    return self.walk.ended(task, TaskStatus.SUCCEEDED)
                case Role.STEP:
                    pass
            step = task.node.step
            self.inputs[task.name] = render(step.input, self.scopes.of_task(task)) if step.input else {}
        except AbsentError as error:
            return self.walk.ended(task, TaskStatus.SKIPPED, reason=str(error))
        except ExpressionError as error:
            return self.walk.ended(task, TaskStatus.FAILED, reason=str(error))
        output = self.outcome(task)
        if isinstance(output, Exception):
            return self.walk.ended(task, TaskStatus.FAILED, reason=str(output))
        task.output = output
        return self.walk.ended(task, TaskStatus.SUCCEEDED)

    @property
    def finals(self) -> dict[str, str | None]:
        return {
            task.name: task.status.value if task.status else None
            for task in self.walk.every_task()
            if task.node.role is not Role.ENTER
        }
