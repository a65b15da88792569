"""What a spec says about the results of its steps, held against what is known of them before any run.

Known are the outputs that a contract lists, those of a sub-pipeline, and that of an `image:` step. A workflow may give
more than its contract says, but who builds on that should say so there: `is defined` and `default` are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from speedpix_pipe.errors import Problem
from speedpix_pipe.files import FILE_NAMES
from speedpix_pipe.model import Expression, Field, Mark, Pipeline, Reference, Step, Template
from speedpix_pipe.plan.graph import axis_templates, expressions_in, run_templates
from speedpix_pipe.plan.names import problem_at
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.contracts import kind_in_words
from speedpix_pipe.spec.inputs import FITS, params_as_fields
from speedpix_pipe.spec.nearest import did_you_mean, listed
from speedpix_pipe.spec.results import results_of

_Path = Sequence[tuple[str | None, int]]

_OF_EACH = {"outputs": "output", "files": "file", "tasks": "task"}
_TASK_NAMES = ("key", "item", "index", "matrix", "output", "files")
_PLAIN_KINDS = frozenset({"string", "integer", "number", "boolean"})
_LISTS = frozenset({"array", "files"})
_KIND_OF = {"outputs": "array", "tasks": "array", "file": "file", "files": "files"} | {
    "key": "string",
    "index": "integer",
}


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What is wrong with a name of a reference's path, and where that name stands in it."""

    at: int
    code: str
    message: str
    hint: str | None = None


def check_results(pipeline: Pipeline) -> Iterator[Problem]:
    """For one file; its sub-pipelines are looked at by themselves."""
    outputs = [pipeline.outputs] if pipeline.outputs is not None else []
    for template in [*(t for step in pipeline.steps.values() for t in _templates_of(step)), *outputs]:
        for expression in expressions_in(template):
            for reference in expression.references:
                yield from _missing(pipeline, reference)
    for step in pipeline.steps.values():
        yield from _misfits(pipeline, step)


def _templates_of(step: Step) -> Iterator[Template]:
    for template in (step.for_each, step.when):
        if template is not None:
            yield template
    yield from axis_templates(step)
    yield from run_templates(step)


# --- names that no result has ---


def _missing(pipeline: Pipeline, reference: Reference) -> Iterator[Problem]:
    step = pipeline.steps.get(reference.step)
    wrong = _wrong_in(step, reference.name, reference.path) if step is not None and reference.path else None
    if wrong is None or reference.tolerated:
        return
    name, shift = reference.path[wrong.at]
    mark = Mark(reference.mark.path, reference.mark.line, reference.mark.column + shift)
    yield problem_at(pipeline, mark, wrong.code, wrong.message, hint=wrong.hint, width=len(name or ""))


def _wrong_in(step: Step, name: str, path: _Path) -> _Wrong | None:
    first = path[0][0]
    if name in _OF_EACH:
        return _wrong_in_list(step, name, path)
    if name == "output":
        return _wrong_in_output(step, path, 0)
    if name == "file" and first is not None:
        return _no_file_name(first, 0)
    if name in {"key", "index"} and first is not None:
        return _Wrong(0, "expression.undefined", f"{name} is {kind_in_words(_KIND_OF[name])}, which has no `{first}`")
    return None


def _wrong_in_list(step: Step, name: str, path: _Path) -> _Wrong | None:
    first = path[0][0]
    if first is not None:
        hint = f"take one of them, steps.{step.name}.{name}[0], or of each `| map(attribute='{first}')`"
        return _Wrong(0, "expression.undefined", f"{name} is a list, which has no `{first}`", hint)
    second = path[1][0] if len(path) > 1 else None
    if second is None:
        return None
    if name == "outputs":
        return _wrong_in_output(step, path, 1)
    if name == "files":
        return _no_file_name(second, 1)
    if second not in _TASK_NAMES:
        hint = did_you_mean(second, _TASK_NAMES) or f"a task has {listed(_TASK_NAMES)}"
        return _Wrong(1, "expression.undefined", f"a task has no `{second}`", hint)
    return _wrong_in_output(step, path, 2) if second == "output" and len(path) > 2 else None


def _wrong_in_output(step: Step, path: _Path, at: int) -> _Wrong | None:
    """`at` is the position of the output's own field in the path."""
    fields, name = results_of(step.workflow, step.pipeline, step.kind), path[at][0]
    if fields is None or name is None:
        return None
    if name not in fields:
        hint = did_you_mean(name, fields) or (f"its outputs: {listed(fields)}" if fields else "it promises no output")
        return _Wrong(at, "spec.unknown-output", f'{_owner(step)} has no output "{name}"', hint)
    field, inner = fields[name], path[at + 1][0] if len(path) > at + 1 else None
    return None if field is None or inner is None else _wrong_in_field(field, inner, at + 1)


def _wrong_in_field(field: Field, inner: str, at: int) -> _Wrong | None:
    if field.type in _PLAIN_KINDS:
        return _Wrong(
            at, "expression.undefined", f"{field.name} is {kind_in_words(field.type)}, which has no `{inner}`"
        )
    if field.type == "array":
        hint = f"take one of its elements, {field.name}[0], or of each `| map(attribute='{inner}')`"
        return _Wrong(at, "expression.undefined", f"{field.name} is a list, which has no `{inner}`", hint)
    properties = field.schema.get("properties")
    closed = field.type == "object" and field.schema.get("additionalProperties") is False
    if closed and isinstance(properties, Mapping) and inner not in properties:
        hint = did_you_mean(inner, properties) or f"it has {listed(properties)}"
        return _Wrong(at, "expression.undefined", f"{field.name} has no `{inner}`", hint)
    return None


def _no_file_name(name: str, at: int) -> _Wrong | None:
    if name in FILE_NAMES:
        return None
    hint = did_you_mean(name, FILE_NAMES) or f"it has {', '.join(FILE_NAMES)}"
    return _Wrong(at, "expression.undefined", f"a file has no `{name}`", hint)


def _owner(step: Step) -> str:
    if step.workflow is not None:
        return step.workflow.name
    return step.pipeline.name if step.pipeline is not None else "an image step"


# --- results of one kind where another is wanted ---


def _misfits(pipeline: Pipeline, step: Step) -> Iterator[Problem]:
    """Values that are one result of a step and nothing else."""
    wanted: list[tuple[str, Template | None, str, str]] = [("for_each", step.for_each, "array", "")]
    wanted += [(f"matrix.{axis.name}", axis.values, "array", "") for axis in step.matrix]
    wanted.append(("when", step.when, "boolean", ""))
    contract = params_as_fields(step.pipeline) if step.pipeline is not None else (step.workflow and step.workflow.input)
    for entry in step.input.entries if step.input is not None else ():
        field = contract.get(entry.name) if contract else None
        if field is not None and field.type is not None:
            wanted.append((entry.name, entry.value, field.type, f"{_owner(step)}: "))
    for what, template, kind, before in wanted:
        given = _kind_of(pipeline, template) if isinstance(template, Expression) else None
        if given is None or kind in FITS[given[0]] or (kind == "array" and given[0] == "files" and not before):
            continue
        message = f"{before}{what} must be {kind_in_words(kind)}; {given[1]} is {kind_in_words(given[0])}"
        assert isinstance(template, Expression)
        reference = template.references[0]
        width = len(template.normal)
        yield problem_at(pipeline, reference.mark, "spec.result-kind", message, width=width)


def _kind_of(pipeline: Pipeline, expression: Expression) -> tuple[str, str] | None:
    """The declared kind of an expression that is one result and nothing else, and the result as it is written."""
    if len(expression.references) != 1:
        return None
    reference = expression.references[0]
    names = [name or "" for name, _ in reference.path]
    written = ".".join(["steps", reference.step, reference.name, *names])
    step = pipeline.steps.get(reference.step)
    if step is None or expression.normal != written:
        return None
    if not names:
        kind = _KIND_OF.get(reference.name)
    elif reference.name == "output" and len(names) == 1:
        field = (results_of(step.workflow, step.pipeline, step.kind) or {}).get(names[0])
        kind = field.type if field is not None else None
    else:
        kind = None
    return (kind, written) if kind is not None else None
