"""A pipeline written out again with everything that is in force: kept with every run, printed by `plan --resolved`.

What comes out is itself a spec: saved to a file it means the same, whatever the built-in values are by then. The
sub-pipelines stand beside it under `x-pipelines`, by the path that names them.
"""

from __future__ import annotations

from os.path import relpath
from pathlib import PurePath

from speedpix_pipe.model import Field, Json, Limits, Param, Pipeline, SaveRule, Step, StepKind, Watch, Workflow
from speedpix_pipe.plan.written import template_text

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def resolved_spec(pipeline: Pipeline) -> dict[str, Json]:
    """Every field with its value in force, expressions as text. No paths of this machine."""
    spec: dict[str, Json] = {"apiVersion": "speedpix-pipe/v1", "name": pipeline.name}
    parts: dict[str, Json] = {
        "description": pipeline.description,
        "params": {name: _param(param) for name, param in pipeline.params.items()},
        "env": list(pipeline.env),
        "workflows": {name: _workflow(workflow) for name, workflow in pipeline.workflows.items()},
        "limits": _limits(pipeline.limits),
        "steps": {name: _step(step, pipeline) for name, step in pipeline.steps.items()},
        "outputs": template_text(pipeline.outputs) if pipeline.outputs else None,
        "watch": [_watch(watch) for watch in pipeline.watch],
        "x-pipelines": {_path(inner, pipeline): resolved_spec(inner) for inner in _called_pipelines(pipeline)},
    }
    return spec | _filled(parts)


def _called_pipelines(pipeline: Pipeline) -> list[Pipeline]:
    return [step.pipeline for step in pipeline.steps.values() if step.pipeline is not None]


def _path(inner: Pipeline, outer: Pipeline) -> str:
    path = PurePath(relpath(inner.path, outer.folder)).as_posix()
    return path if path.startswith("../") else f"./{path}"


def _filled(parts: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in parts.items() if value not in (None, {}, [])}


def _param(param: Param) -> dict[str, Json]:
    written = {"type": param.type, **_filled({"description": param.description}), **param.schema}
    if param.allow_empty:
        written["allow_empty"] = True
    if not param.required:
        written["default"] = param.default
    return written


def _workflow(workflow: Workflow) -> dict[str, Json]:
    return {"id": workflow.id, **_pin(workflow)} | _filled(
        {
            "description": workflow.description,
            "input": {name: _field(field) for name, field in (workflow.input or {}).items()},
            "output": {name: _field(field) for name, field in (workflow.output or {}).items()},
        }
    )


def _pin(workflow: Workflow) -> dict[str, Json]:
    pin: dict[str, Json] = {"version": workflow.version} if workflow.version else {"alias": workflow.alias or "main"}
    return pin if workflow.price is None else {**pin, "price": workflow.price}


def _field(field: Field) -> dict[str, Json]:
    required = {"required": True} if field.required else {}
    return {**_filled({"type": field.type}), **required, **field.schema}


def _limits(limits: Limits) -> dict[str, Json]:
    return _filled(
        {
            "concurrency": limits.concurrency,
            "submitting": limits.submitting,
            "rate": _rate(limits.rate_per_second),
            "max_failures": limits.max_failures,
            "max_predictions": limits.max_predictions,
            "max_cost": limits.max_cost,
            "per_day": limits.per_day,
        }
    )


def _step(step: Step, pipeline: Pipeline) -> dict[str, Json]:
    written = _filled({"description": step.description}) | _called(step, pipeline)
    written |= _filled(
        {
            "needs": list(step.needs),
            "for_each": template_text(step.for_each) if step.for_each else None,
            "matrix": {axis.name: template_text(axis.values) for axis in step.matrix},
            "key": template_text(step.key) if step.key else None,
            "when": template_text(step.when) if step.when else None,
            "input": template_text(step.input) if step.input else None,
            "save": _save(step.save),
            "expect": {path: template_text(template) for path, template in step.expect.items()},
        }
    )
    written |= {
        "on_error": step.on_error.value,
        "on_unknown_submit": step.on_unknown_submit.value,
        "cache": step.cache.enabled,
        "timeout": duration_text(step.timeout_seconds),
        "retry": {
            "attempts": step.retry.attempts,
            "backoff": duration_text(step.retry.backoff_seconds),
            "max_backoff": duration_text(step.retry.max_backoff_seconds),
            "failed_task": step.retry.failed_task,
        },
    }
    if step.cache.max_age_seconds is not None:
        written["cache"] = {"max_age": duration_text(step.cache.max_age_seconds)}
    return written


def _called(step: Step, pipeline: Pipeline) -> dict[str, Json]:
    if step.kind is StepKind.IMAGE:
        return {"image": [{one.name: template_text(one.options)} for one in step.operations]}
    if step.pipeline is not None:
        return {"pipeline": _path(step.pipeline, pipeline)}
    assert step.workflow is not None
    called: dict[str, Json] = {"workflow": step.workflow.name}
    if step.workflow.name not in pipeline.workflows:
        called |= _pin(step.workflow)
    return called | _filled(
        {
            "resource_config": list(step.resource_config),
            "randomise_seeds": step.randomise_seeds,
            "return_temp_files": step.return_temp_files,
        }
    )


def _save(rules: tuple[SaveRule, ...]) -> Json:
    if len(rules) == 1 and rules[0].path is None:
        return template_text(rules[0].target)
    return {rule.path: template_text(rule.target) for rule in rules}


def _watch(watch: Watch) -> dict[str, Json]:
    moves = {"on_success": watch.on_success, "on_failure": watch.on_failure}
    return _filled(
        {
            "folder": watch.folder,
            "patterns": list(watch.patterns),
            "ignore": list(watch.ignore),
            "param": watch.param,
            "settle": duration_text(watch.settle_seconds),
            "batch": {"max_files": watch.batch.max_files, "max_wait": duration_text(watch.batch.max_wait_seconds)},
            **{name: {"move": folder} for name, folder in moves.items() if folder is not None},
        }
    )


def duration_text(seconds: float) -> str:
    """`1m30s`: what a spec would say."""
    left = round(seconds * 1000)
    text = ""
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _rate(per_second: float | None) -> str | None:
    """In the smallest unit of time that makes a whole number of it."""
    if per_second is None:
        return None
    for unit, seconds in (("s", 1), ("m", 60), ("h", 3600)):
        count = per_second * seconds
        if abs(count - round(count)) < 1e-9:
            return f"{round(count)}/{unit}"
    return f"{per_second:.9f}/s"
