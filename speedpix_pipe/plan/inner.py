"""What goes into a sub-pipeline, its params from the `input` of the step that calls it, and what comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.params import given_params


def inner_params(task: Task, scopes: Scopes) -> dict[str, Any]:
    """Rendered values, checked against the inner pipeline's params; its defaults for the rest."""
    step = task.node.step
    assert step.pipeline is not None
    scope = scopes.of_task(task)
    values = {entry.name: render(entry.value, scope) for entry in step.input.entries} if step.input else {}
    given = {name: value for name, value in values.items() if value is not None}
    params, wrong = given_params(step.pipeline, given, files=scopes.param_files)
    if wrong:
        mark = step.input.mark if step.input else step.mark
        raise ExpressionError("; ".join(wrong), code="spec.param", where=str(mark))
    return params


def inner_files(leave: Task, output: Mapping[str, Any], walk: Walk) -> list[FileValue]:
    """The files of a sub-pipeline's output, in its order: file values, and the URLs of files that its tasks got."""
    known: dict[str, FileValue] = {}
    for link in leave.node.run_links:
        for task in walk.many(leave, link) if link.many else ():
            known.update((file.url, file) for file in task.files if file.url)
    found: list[FileValue] = []
    todo: deque[Any] = deque([output])
    while todo:
        match todo.popleft():
            case FileValue() as file:
                found.append(file)
            case str() as text if text in known:
                found.append(known[text])
            case Mapping() as members:
                todo.extendleft(reversed([value for name, value in members.items() if name != "preview"]))
            case list() as items:
                todo.extendleft(reversed(items))
            case _:
                pass
    return found
