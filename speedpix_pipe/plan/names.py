"""Whether `item`, `index` and `matrix` mean anything where a step uses them, and where in the file they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.model import Mark, NamedPlace, Pipeline, Reference, Template
from speedpix_pipe.plan.graph import Grows, Node, axis_templates, expressions_in, has_key, run_templates
from speedpix_pipe.spec.nearest import did_you_mean, listed
from speedpix_pipe.spec.places import lines_of

_OPEN = "${{"


def check_names(node: Node) -> Iterator[Problem]:
    """Everything wrong with the names of one node. Its fan-outs must be known."""
    step, pipeline = node.step, node.space.pipeline
    axes = [axis.values for axis in step.matrix]
    keys = [step.key] if step.key is not None and has_key(step) else []
    rest: list[Template] = [*run_templates(step), *([step.when] if step.when else [])]
    if step.for_each is not None:
        for asked in _uses([step.for_each], ("item", "index", "matrix")):
            name = asked.names[0]
            yield _problem(
                pipeline, asked, f"spec.no-{name}", f"there is no `{name}` inside for_each", f"use steps.X.{name} there"
            )
    if not node.has_item:
        for asked in _uses([*rest, *axis_templates(step)], ("item", "index")):
            name = asked.names[0]
            message = f"`{name}` outside a fan-out: {step.name} has no for_each"
            yield _problem(pipeline, asked, f"spec.no-{name}", message, "give the step a for_each")
    inherited = inherited_axes(node)
    own = [axis.name for axis in step.matrix]
    yield from _axes(node, axes, inherited, own, "an axis cannot use the axes beside it")
    yield from _axes(node, keys, inherited, own, "a key cannot use the step's own axes: they are part of it anyway")
    yield from _axes(node, rest, [*inherited, *own], [], "")


def _axes(
    node: Node, templates: Iterable[Template], known: Sequence[str], beside: Sequence[str], why: str
) -> Iterator[Problem]:
    """Uses of `matrix` where the axes `known` can be seen and those `beside` cannot, which `why` explains."""
    pipeline = node.space.pipeline
    for asked in _uses(templates, ("matrix",)):
        names = asked.names
        if beside and (names[1] in beside if len(names) > 1 else not known):
            yield _problem(pipeline, asked, "spec.no-matrix", why, None)
        elif not known:
            message = f"`matrix` without a matrix: {node.step.name} has none"
            yield _problem(pipeline, asked, "spec.no-matrix", message, "give the step a matrix")
        elif len(names) > 1 and names[1] not in known:
            hint = did_you_mean(names[1], known) or f"the axes are: {listed(known)}"
            yield _problem(pipeline, asked, "spec.unknown-axis", f'no axis "{names[1]}"', hint)


def inherited_axes(node: Node) -> list[str]:
    """Axes that a chained or flat-mapped step sees; those around its pipeline it does not."""
    if node.grows not in {Grows.CHAIN, Grows.FLAT}:
        return []
    return [dim.axis for dim in node.dims[node.space.above : node.inherited] if dim.axis]


# --- places ---


def whole_place(pipeline: Pipeline, reference: Reference) -> tuple[Mark, int]:
    """The `${{` of the expression that a reference stands in, or the reference itself where there is none."""
    mark = reference.mark
    line = _line(pipeline, mark) or ""
    start = line.rfind(_OPEN, 0, max(mark.column - 1, 0))
    if start < 0 or "}}" in line[start : mark.column - 1]:
        return mark, reference.width
    end = line.find("}}", mark.column - 1)
    return replace(mark, column=start + 1), (end + 2 if end >= 0 else mark.column - 1 + reference.width) - start


def problem_at(
    pipeline: Pipeline,
    mark: Mark,
    code: str,
    message: str,
    *,
    hint: str | None = None,
    width: int = 1,
    severity: Severity = Severity.ERROR,
) -> Problem:
    """A problem with the line that it stands in."""
    snippet = _line(pipeline, mark)
    return Problem(
        mark.path, mark.line, mark.column, code, message, hint=hint, severity=severity, snippet=snippet, width=width
    )


def _line(pipeline: Pipeline, mark: Mark) -> str | None:
    return lines_of(pipeline.text).line(mark.line)


def _uses(templates: Iterable[Template], names: Sequence[str]) -> Iterator[NamedPlace]:
    for template in templates:
        for expression in expressions_in(template):
            for use in expression.of_fan_out:
                if use.names[0] in names:
                    yield use


def _problem(pipeline: Pipeline, asked: NamedPlace, code: str, message: str, hint: str | None) -> Problem:
    return problem_at(pipeline, asked.mark, code, message, hint=hint, width=asked.width)
