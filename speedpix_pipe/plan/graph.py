"""The step graph: which fan-outs each step has, and which tasks of other steps its tasks refer to.

Everything here is known before the first task exists. A step's *shape* is the ordered tuple of its fan-outs
(`Dim`); two steps agree in the fan-outs that both shapes hold. From that follow the meaning of every
`steps.X...`, all errors about it, and the projections by which `plan.walk` finds the agreeing tasks.
Sub-pipelines are woven in: their steps stand here as `outer.inner`, below the fan-outs of `outer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum

from speedpix_pipe.model import Expression, FileText, ListOf, MapOf, OnError, Pipeline, Reference, Step, Template, Text
from speedpix_pipe.records import dataclass

ONE_NAMES = frozenset({"output", "file", "item", "index", "matrix", "key"})


class Grows(StrEnum):
    """How a step comes by its tasks."""

    SINGLE = "single"  # one, for each task of its source if it has one
    LIST = "list"  # one per element
    CHAIN = "chain"  # one per task of its source, inheriting item, index and matrix
    FLAT = "flat"  # one per element of a list that each task of its source gives


class Role(StrEnum):
    """What a node does. A sub-pipeline is two nodes around those of its steps."""

    STEP = "step"
    ENTER = "enter"  # renders the input of a `pipeline:` step; its output are the inner params
    LEAVE = "leave"  # the `pipeline:` step itself: evaluates the inner `outputs`


@dataclass(frozen=True, slots=True)
class Dim:
    """One fan-out. Two steps share it if the ids are equal."""

    id: str
    shown: str
    axis: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One resolved reference of a node: the agreeing task (`many` false) or all agreeing tasks of `target`.

    `of_asker` and `of_target` are the positions of the shared fan-outs in the two shapes.
    """

    target: int
    many: bool
    of_asker: tuple[int, ...]
    of_target: tuple[int, ...]
    may_be_empty: bool = False  # `needs`: none at all is fine


@dataclass(slots=True)
class Node:
    """A step in the graph."""

    index: int
    name: str
    step: Step
    role: Role
    space: Space
    grows: Grows = Grows.SINGLE
    source: int | None = None
    dims: tuple[Dim, ...] = ()
    inherited: int = 0  # how many of `dims` come from the source
    element: int | None = None  # position in `dims` of its own list, if it has one
    has_item: bool = False  # whether its tasks have `item` and `index`, of its own list or inherited
    list_links: tuple[Link, ...] = ()  # what `for_each` needs, apart from the source
    axis_links: tuple[Link, ...] = ()  # what `matrix` and `key` need
    when_links: tuple[Link, ...] = ()
    run_links: tuple[Link, ...] = ()
    followers: list[int] = field(default_factory=list)  # nodes whose source this is
    depth: int = 0
    on_error: OnError = OnError.CONTINUE  # what a failure of its tasks means to the run

    @property
    def expands(self) -> bool:
        """Whether tasks of the node appear only after an evaluation."""
        if self.role is Role.LEAVE:
            return False
        step = self.step
        return self.grows in {Grows.LIST, Grows.FLAT} or bool(step.matrix) or has_key(step)


@dataclass(slots=True)
class Space:
    """One pipeline within the graph: the spec whose names its steps see."""

    pipeline: Pipeline
    prefix: str = ""
    enter: int | None = None  # the node whose output are the params here
    nodes: dict[str, int] = field(default_factory=dict)  # step name -> what `steps.X` means
    above: int = 0  # how many fan-outs of its shapes belong to the pipelines around it
    on_error: OnError = OnError.CONTINUE  # of the `pipeline:` steps around it, the nearest that says something


@dataclass(slots=True)
class Graph:
    pipeline: Pipeline
    nodes: list[Node]  # every source before its followers, every step after what it refers to
    spaces: list[Space]
    output_links: tuple[Link, ...] = ()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def node(self, name: str) -> Node | None:
        return next((n for n in self.nodes if n.name == name and n.role is not Role.ENTER), None)

    def ancestors(self, name: str) -> set[int]:
        """The node and all that it needs, directly or not."""
        start = self.node(name)
        return self.ancestors_of(start.index) if start else set()

    def ancestors_of(self, index: int) -> set[int]:
        """The same by number."""
        seen: set[int] = set()
        todo = [index]
        while todo:
            current = todo.pop()
            if current not in seen:
                seen.add(current)
                todo.extend(self.needs_of(self.nodes[current]))
        return seen

    def needs_of(self, node: Node) -> set[int]:
        links = (*node.list_links, *node.axis_links, *node.when_links, *node.run_links)
        found = {link.target for link in links}
        if node.source is not None:
            found.add(node.source)
        return found


def expressions_in(template: Template | None) -> Iterator[Expression]:
    """Every expression of a template, in the order of the text."""
    match template:
        case Expression():
            yield template
        case Text():
            for part in template.parts:
                if isinstance(part, Expression):
                    yield part
        case FileText():
            yield from expressions_in(template.value)
        case ListOf():
            for item in template.items:
                yield from expressions_in(item)
        case MapOf():
            for entry in template.entries:
                yield from expressions_in(entry.value)
        case _:
            return


def references_in(template: Template | None) -> Iterator[Reference]:
    for expression in expressions_in(template):
        yield from expression.references


def run_templates(step: Step) -> Iterator[Template]:
    """The templates that are rendered when a task of the step is about to run."""
    if step.input is not None:
        yield step.input
    for rule in step.save:
        yield rule.target
    for operation in step.operations:
        yield operation.options
    yield from step.expect.values()


def has_key(step: Step) -> bool:
    """Whether `key:` counts: without `for_each` it is not used."""
    return step.key is not None and step.for_each is not None


def axis_templates(step: Step) -> Iterator[Template]:
    for axis in step.matrix:
        yield axis.values
    if step.key is not None and has_key(step):
        yield step.key


def links_between(asker: tuple[Dim, ...], target: tuple[Dim, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Positions of the shared fan-outs in both shapes, in the order of the target's."""
    where = {dim.id: position for position, dim in enumerate(asker)}
    shared = [(where[dim.id], position) for position, dim in enumerate(target) if dim.id in where]
    return tuple(a for a, _ in shared), tuple(t for _, t in shared)


def missing_dims(asker: tuple[Dim, ...], target: tuple[Dim, ...]) -> list[Dim]:
    """Fan-outs of `target` that `asker` lacks: with any, the singular has no meaning."""
    own = {dim.id for dim in asker}
    return [dim for dim in target if dim.id not in own]


def make_link(nodes: list[Node], asker: tuple[Dim, ...], target: int, *, many: bool, needs: bool = False) -> Link:
    of_asker, of_target = links_between(asker, nodes[target].dims)
    return Link(target, many, of_asker, of_target, may_be_empty=needs)


def step_edges(step: Step) -> Mapping[str, list[Reference]]:
    """Every reference of a step by the part of it that needs it."""
    return {
        "list": list(references_in(step.for_each)) if step.chained_from is None else [],
        "axes": [r for t in axis_templates(step) for r in references_in(t)],
        "when": list(step.when.references) if step.when else [],
        "run": [r for t in run_templates(step) for r in references_in(t)],
    }
