"""`steps.X.NAME`: what expressions see of other steps' tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.scope import ABSENT, MISSING, StepsView, TaskView
from speedpix_pipe.spec.values import Undefined

ONE = ("output", "file", "item", "index", "matrix", "key")
MANY = ("outputs", "files", "tasks")


def task_name(step: str, name: str) -> Callable[[Evaluation], Any]:
    """A closure for `steps.STEP.NAME`."""
    return _many(step, name) if name in MANY else _one(step, name)


def _steps(ev: Evaluation, step: str, name: str) -> StepsView:
    if ev.scope.steps is None:
        raise _not_yet(step, name)
    return ev.scope.steps


def _not_yet(step: str, name: str) -> ExpressionError:
    return ExpressionError(f"steps.{step}.{name} is not known before the run", code="expression.not-yet")


def _one(step: str, name: str) -> Callable[[Evaluation], Any]:
    pick = _PICK[name]

    def one(ev: Evaluation) -> Any:
        task = _steps(ev, step, name).one(step)
        if task is None:
            raise _not_yet(step, name)
        return pick(task, step)

    return one


def _output(task: TaskView, step: str) -> Any:
    return _absent(task, step) if task.output is ABSENT else task.output


def _file(task: TaskView, step: str) -> Any:
    if task.output is ABSENT:
        return _absent(task, step)
    return task.files[0] if task.files else Undefined(f"the output of `{step}` has no file")


def _absent(task: TaskView, step: str) -> Undefined:
    label = f"{step}@{task.key}" if task.key else step
    return Undefined(f"{label} has no output", "give `| default(...)` if it need not have one", absent=True)


def _item(task: TaskView, step: str) -> Any:
    return Undefined(f"`{step}` has no `for_each`, so no `item`") if task.item is MISSING else task.item


def _index(task: TaskView, step: str) -> Any:
    return Undefined(f"`{step}` has no `for_each`, so no `index`") if task.index is MISSING else task.index


_PICK: dict[str, Callable[[TaskView, str], Any]] = {
    "output": _output,
    "file": _file,
    "item": _item,
    "index": _index,
    "matrix": lambda task, _step: task.matrix,
    "key": lambda task, _step: task.key,
}


def _many(step: str, name: str) -> Callable[[Evaluation], Any]:
    def many(ev: Evaluation) -> list[Any]:
        tasks = [task for task in _steps(ev, step, name).many(step) if task.output is not ABSENT]
        ev.elements(len(tasks))
        if name == "outputs":
            return [task.output for task in tasks]
        if name == "files":
            return [file for task in tasks for file in task.files]
        return [task.to_json() for task in tasks]

    return many
