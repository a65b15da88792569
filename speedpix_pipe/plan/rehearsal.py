"""A walk as far as it goes before anything is sent: lists, conditions, and the ways into sub-pipelines.

What is found wrong on the way goes to the static checks, and so does each task once the walk has come to rest.
"""

from __future__ import annotations

from collections import deque

from speedpix_pipe.errors import AbsentError, ExpressionError
from speedpix_pipe.model import TaskStatus
from speedpix_pipe.plan.checks import StaticChecks
from speedpix_pipe.plan.fanout import Fanout
from speedpix_pipe.plan.graph import Role
from speedpix_pipe.plan.inner import inner_params
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Born, Command, Decide, Ended, Expand, Run, Task
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.spec.expressions import evaluate


def rehearse(walk: Walk, scopes: Scopes, checks: StaticChecks) -> None:
    """Everything that depends on no task's output. What needs a value that is not known stays open."""
    rehearsal = _Rehearsal(walk, scopes, checks)
    todo = deque(walk.start())
    while todo:
        command = todo.popleft()
        try:
            todo.extend(rehearsal.carry_out(command))
        except checks.unknown:
            continue  # nothing that hangs on it is born, decided or entered
    for task in walk.every_task():
        checks.task(task)


class _Rehearsal:
    def __init__(self, walk: Walk, scopes: Scopes, checks: StaticChecks) -> None:
        self._walk = walk
        self._scopes = scopes
        self._checks = checks
        self._fanout = Fanout(scopes, checks.unit)

    def carry_out(self, command: Command) -> list[Command]:
        match command:
            case Expand(unit):
                return self._walk.expanded(unit, self._fanout.expand(unit))
            case Decide(task):
                return self._decide(task)
            case Run(task) if task.node.role is Role.ENTER:
                return self._enter(task)
            case Born() | Run() | Ended():
                return []

    def _decide(self, task: Task) -> list[Command]:
        assert task.node.step.when is not None
        try:
            value = evaluate(task.node.step.when, self._scopes.of_task(task))
        except ExpressionError as error:
            return self._without(task, error)
        if not isinstance(value, bool):
            return self._walk.ended(task, TaskStatus.FAILED, reason="`when` must be true or false")
        return self._walk.decided(task, run=value)

    def _enter(self, task: Task) -> list[Command]:
        try:
            task.output = inner_params(task, self._scopes)
        except ExpressionError as error:
            return self._without(task, error)
        return self._walk.ended(task, TaskStatus.SUCCEEDED)

    def _without(self, task: Task, error: ExpressionError) -> list[Command]:
        if isinstance(error, AbsentError):
            return self._walk.ended(task, TaskStatus.SKIPPED, reason=str(error))
        self._checks.unit(task, error)
        return self._walk.ended(task, TaskStatus.FAILED, reason=str(error))
