"""The params of a sub-pipeline, from the `input` of the step that calls it."""

from __future__ import annotations

from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Task
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
