"""The verdict on each file of a batch, read off a run that has ended.

A file is *failed* if a task that failed, is unknown or was cancelled has it as ancestor. Tasks that were skipped
because of another file blame nobody; a gather that itself fails blames all it gathered. A failure that has no file
as ancestor (a background that every photo needs) would leave files without result and without reason, so it blames
the files of the tasks that were skipped because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from speedpix_pipe.errors import PipeError
from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Expression, OnError, TaskStatus, Template
from speedpix_pipe.plan.graph import Graph, Role, expressions_in, run_templates
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.expressions import render

_BAD = frozenset({TaskStatus.FAILED, TaskStatus.UNKNOWN, TaskStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Blame:
    """Why a file failed: the first task that went wrong with it."""

    step: str
    key: str
    status: TaskStatus
    reason: str


class Judge:
    """Judges the files of one batch. `files` are their values as expressions saw them, by arrival."""

    def __init__(self, walk: Walk, scopes: Scopes, files: Mapping[str, FileValue]) -> None:
        self._walk = walk
        self._scopes = scopes
        self._arrival_of = {file: arrival for arrival, file in files.items()}
        self._known: dict[Task, frozenset[str]] = {}

    def failed(self) -> dict[str, Blame]:
        """The files that failed, by arrival; all others are done."""
        blamed: dict[str, Blame] = {}
        bad = sorted(filter(_is_bad, self._tasks()), key=lambda task: (task.depth, task.order))
        homeless = []
        for task in bad:
            about = self.files_of(task)
            if not about:
                homeless.append(task)
            for arrival in about:
                blamed.setdefault(arrival, _blame(task))
        for task in homeless:
            for arrival in self._followers(task):
                blamed.setdefault(arrival, _blame(task))
        return blamed

    def unfinished(self) -> bool:
        """Whether the run was left before all its tasks had ended."""
        return any(task.status in {None, TaskStatus.CANCELLED} for task in self._tasks())

    def files_of(self, task: Task) -> frozenset[str]:
        """The files that a task has as ancestors, by arrival."""
        todo = [task]
        while todo:
            current = todo[-1]
            if current in self._known:
                todo.pop()
                continue
            above = self._above(current)
            missing = [other for other in above if other not in self._known]
            if missing:
                todo.extend(missing)
                continue
            own = self._own(current)
            self._known[current] = own.union(*[self._known[other] for other in above])
            todo.pop()
        return self._known[task]

    # --- parts ---

    def _tasks(self) -> Iterator[Task]:
        return (task for found in self._walk.tasks for task in found.values())

    def _above(self, task: Task) -> list[Task]:
        """The tasks that a task refers to."""
        node = task.node
        found = [] if task.source is None else [task.source]
        for link in (*node.list_links, *node.axis_links, *node.when_links, *node.run_links):
            if link.many:
                found.extend(self._walk.members(task, link))
            else:
                one = self._walk.one(task, link)
                if one is not None:
                    found.append(one)
        return [other for other in found if other is not task]

    def _own(self, task: Task) -> frozenset[str]:
        """Files that a task itself names: its item, and what its expressions take from the params."""
        values: list[Any] = [task.item] if task.has_item else []
        if task.stand_in:  # for a list that could not be had: all that the list might have been
            return frozenset(self._arrival_of.values()) if _uses_params(task) else frozenset()
        if task.node.role is Role.STEP and _uses_params(task, fan_out=False):
            values.append(self._rendered(task))
        return frozenset(self._arrivals_in(values))

    def _rendered(self, task: Task) -> list[Any]:
        """The input once more; where it cannot be had, everything in the params may be to blame."""
        step = task.node.step
        if step.input is None:
            return []
        try:
            scope = self._scopes.of_task(task)
            return [render(entry.value, scope) for entry in step.input.entries]
        except (PipeError, OSError):
            return list(self._arrival_of) if not task.has_item else []

    def _arrivals_in(self, values: Iterable[Any]) -> Iterator[str]:
        todo = list(values)
        while todo:
            value = todo.pop()
            match value:
                case FileValue():
                    arrival = self._arrival_of.get(value)
                    if arrival is not None:
                        yield arrival
                case Mapping():
                    todo.extend(value.values())
                case list() | tuple():
                    todo.extend(value)

    def _followers(self, cause: Task) -> Iterator[str]:
        """The files of tasks that were skipped because of a task."""
        for task in self._tasks():
            if task.status is TaskStatus.SKIPPED and _comes_from(task, cause):
                yield from self.files_of(task)


def _is_bad(task: Task) -> bool:
    ignored = task.status is TaskStatus.FAILED and task.node.step.on_error is OnError.IGNORE
    return task.status in _BAD and task.demanded and not ignored


def _comes_from(task: Task, cause: Task) -> bool:
    current: Task | None = task.cause
    while current is not None:
        if current is cause:
            return True
        current = current.cause
    return False


def _uses_params(task: Task, *, fan_out: bool = True) -> bool:
    step = task.node.step
    templates = list(run_templates(step))
    if fan_out and step.for_each is not None:
        templates.append(step.for_each)
    return any("params" in expression.names for template in templates for expression in expressions_in(template))


def gathers(graph: Graph, param: str) -> bool:
    """Whether files of one batch meet in a task, so that it matters which files are in a batch together."""
    for node in graph.nodes:
        if any(link.many for link in (*node.list_links, *node.axis_links, *node.when_links, *node.run_links)):
            return True
        templates: list[Template] = list(run_templates(node.step))
        if node.step.when is not None:
            templates.append(node.step.when)
        if any(_names_param(expression, param) for template in templates for expression in expressions_in(template)):
            return True
    return False


def _names_param(expression: Expression, param: str) -> bool:
    return "params" in expression.names and param in expression.normal


def _blame(task: Task) -> Blame:
    reason = task.reason
    if task.status is TaskStatus.CANCELLED:
        reason = reason or "the run was stopped before this step had its turn"
    return Blame(task.node.name, task.key, task.status or TaskStatus.CANCELLED, reason)
