"""What a whole spec is warned of, and patterns that would find the spec's own results.

Warnings: a fan-out whose value no input uses, so that its tasks would all send the same; results that go nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.model import Mark, Pipeline, Step, StepKind, Template
from speedpix_pipe.plan.covers import covered_saves
from speedpix_pipe.plan.graph import Dim, Graph, Grows, Node, Role, expressions_in, references_in, step_edges
from speedpix_pipe.plan.names import problem_at


def advise(graph: Graph) -> Iterator[Problem]:
    """For a graph without errors."""
    seen: set[int] = set()
    for space in graph.spaces:
        if id(space.pipeline) not in seen:
            seen.add(id(space.pipeline))
            yield from covered_saves(space.pipeline)
            yield from _nowhere(space.pipeline)
    for node in graph:
        if node.role is not Role.LEAVE:
            yield from _unused_fan_outs(graph, node)


# --- results that go nowhere ---


def _nowhere(pipeline: Pipeline) -> Iterator[Problem]:
    used = {reference.step for reference in references_in(pipeline.outputs)}
    for step in pipeline.steps.values():
        used.update(step.needs)
        used.update(reference.step for group in step_edges(step).values() for reference in group)
        if step.chained_from is not None:
            used.add(step.chained_from)
    for step in pipeline.steps.values():
        if step.name not in used and not _saves(step):
            yield problem_at(
                pipeline,
                step.mark,
                "spec.results-nowhere",
                f"the results of {step.name} go nowhere: it has no save, and no output or other step uses it",
                hint="add `save:`, or name it in `outputs`",
                width=len(step.name),
                severity=Severity.WARNING,
            )


def _saves(step: Step) -> bool:
    if step.save:
        return True
    return step.pipeline is not None and any(_saves(inner) for inner in step.pipeline.steps.values())


# --- fan-outs that no input uses ---


def _unused_fan_outs(graph: Graph, node: Node) -> Iterator[Problem]:
    step = node.step
    if step.randomise_seeds or (step.kind is not StepKind.PIPELINE and not step.cache.enabled):
        return  # each task draws for itself, and more of the same is what is wanted
    above = node.space.above
    if not node.dims[above:]:
        return
    templates: list[Template] = [*([step.input] if step.input else []), *[o.options for o in step.operations]]
    used = _used_dims(graph, node, templates)
    for dim in node.dims[above:]:
        if dim.id not in used:
            mark, width = _place_of(step, dim)
            what = f"matrix.{dim.axis}" if dim.axis else f"the elements of `{dim.shown}`"
            yield problem_at(
                node.space.pipeline,
                mark,
                "spec.unused-fan-out",
                f"no input of {step.name} uses {what}: tasks that differ only there send the same",
                width=width,
                severity=Severity.WARNING,
            )


def _used_dims(graph: Graph, node: Node, templates: Iterable[Template]) -> set[str]:
    used: set[str] = set()
    for template in templates:
        for expression in expressions_in(template):
            for reference in expression.references:
                target = node.space.nodes.get(reference.step)
                if target is not None:
                    used.update(dim.id for dim in graph.nodes[target].dims)
            if {"item", "index"} & expression.names:
                used.update(dim.id for dim in _dims_of_item(graph, node))
            if "matrix" in expression.names:
                named = {use.names[1:2] for use in expression.of_fan_out if use.names[0] == "matrix"}
                used.update(d.id for d in node.dims if d.axis and ((d.axis,) in named or () in named))
    return used


def _dims_of_item(graph: Graph, node: Node) -> tuple[Dim, ...]:
    """The fan-outs that an item tells apart: below a flat-map those of its origin too."""
    while node.grows is Grows.CHAIN and node.source is not None:
        node = graph.nodes[node.source]
    if node.element is None:
        return ()
    return node.dims[: node.element + 1]


def _place_of(step: Step, dim: Dim) -> tuple[Mark, int]:
    for axis in step.matrix:
        if axis.name == dim.axis:
            return axis.mark, len(axis.name)
    return (step.for_each.mark if step.for_each else step.mark), 1
