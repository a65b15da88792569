"""From a Pipeline to its Graph, or to every problem that lies between steps.

`spec` has made sure that each step is well formed by itself; here come the names of other steps, cycles,
shapes, and the agreement rule: which tasks of X a task of S may mean.
"""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterable, Sequence

from speedpix_pipe.errors import Problem
from speedpix_pipe.model import Expression, Mark, Pipeline, Reference, Step, StepKind, Template
from speedpix_pipe.plan.graph import (
    Dim,
    Graph,
    Grows,
    Link,
    Node,
    Role,
    Space,
    axis_templates,
    expressions_in,
    make_link,
    missing_dims,
    references_in,
    run_templates,
    step_edges,
)

PLURAL = {"output": "outputs", "file": "files"}


def weave(pipeline: Pipeline) -> tuple[Graph, list[Problem]]:
    """The graph of a pipeline, and all problems found. With problems of severity error it must not be used."""
    weaver = _Weaver(pipeline)
    weaver.add_space(pipeline, prefix="", enter=None)
    weaver.check_outputs()
    return weaver.graph, weaver.problems


class _Weaver:
    def __init__(self, pipeline: Pipeline) -> None:
        self.problems: list[Problem] = []
        self.graph = Graph(pipeline, [], [])

    @property
    def nodes(self) -> list[Node]:
        return self.graph.nodes

    def problem(
        self, pipeline: Pipeline, mark: Mark, code: str, message: str, *, hint: str | None = None, width: int = 1
    ) -> None:
        lines = pipeline.text.splitlines()
        snippet = lines[mark.line - 1] if 0 < mark.line <= len(lines) else None
        self.problems.append(
            Problem(mark.path, mark.line, mark.column, code, message, hint=hint, snippet=snippet, width=width)
        )

    # --- spaces and order ---

    def add_space(self, pipeline: Pipeline, *, prefix: str, enter: int | None) -> Space:
        space = Space(pipeline, prefix, enter)
        self.graph.spaces.append(space)
        for step in self.order(pipeline):
            if step.kind is StepKind.PIPELINE:
                self.add_pipeline(space, step)
            else:
                self.add_node(space, step, Role.STEP)
        return space

    def order(self, pipeline: Pipeline) -> list[Step]:
        """Steps so that each follows what it refers to; among free ones the order of the file."""
        position = {name: number for number, name in enumerate(pipeline.steps)}
        needs = {name: self.named(pipeline, step) for name, step in pipeline.steps.items()}
        users: dict[str, list[str]] = {name: [] for name in position}
        missing = {name: len(found) for name, found in needs.items()}
        for name, found in needs.items():
            for other in found:
                users[other].append(name)
        free = [position[name] for name, count in missing.items() if count == 0]
        heapq.heapify(free)
        names = list(position)
        done: list[Step] = []
        while free:
            name = names[heapq.heappop(free)]
            done.append(pipeline.steps[name])
            for user in users[name]:
                missing[user] -= 1
                if missing[user] == 0:
                    heapq.heappush(free, position[user])
        if len(done) < len(names):
            self.report_cycle(pipeline, needs, {name for name, count in missing.items() if count})
        return done

    def named(self, pipeline: Pipeline, step: Step) -> set[str]:
        """Names of existing steps that this one refers to; unknown ones become problems."""
        found: set[str] = set()
        for group in step_edges(step).values():
            for reference in group:
                if self.known(pipeline, reference.step, reference.mark, width=reference.width):
                    found.add(reference.step)
        for other in (*step.needs, *([step.chained_from] if step.chained_from else [])):
            mark = step.for_each.mark if other == step.chained_from and step.for_each else step.mark
            if self.known(pipeline, other, mark, width=len(other)):
                found.add(other)
        return found

    def known(self, pipeline: Pipeline, name: str, mark: Mark, *, width: int) -> bool:
        if name in pipeline.steps:
            return True
        near = difflib.get_close_matches(name, pipeline.steps, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"the steps are: {', '.join(pipeline.steps)}"
        self.problem(pipeline, mark, "spec.unknown-step", f'no step "{name}"', hint=hint, width=width)
        return False

    def report_cycle(self, pipeline: Pipeline, needs: dict[str, set[str]], left: set[str]) -> None:
        """Follow needs among what could not be ordered until a name comes again."""
        path = [min(left, key=list(pipeline.steps).index)]
        while True:
            following = [n for n in pipeline.steps if n in needs[path[-1]] and n in left]
            if following[0] in path:
                cycle = [*path[path.index(following[0]) :], following[0]]
                break
            path.append(following[0])
        first = min(cycle, key=list(pipeline.steps).index)
        ring = cycle[:-1]
        turn = ring.index(first)
        shown = " -> ".join([*ring[turn:], *ring[:turn], first])
        self.problem(pipeline, pipeline.steps[first].mark, "spec.cycle", f"cycle: {shown}", width=len(first))

    # --- nodes ---

    def add_pipeline(self, space: Space, step: Step) -> None:
        enter = self.add_node(space, step, Role.ENTER)
        assert step.pipeline is not None
        inner = self.add_space(step.pipeline, prefix=f"{enter.name}.", enter=enter.index)
        leave = Node(len(self.nodes), enter.name, step, Role.LEAVE, inner, Grows.CHAIN, source=enter.index)
        leave.dims, leave.inherited, leave.depth = enter.dims, len(enter.dims), enter.depth + 1
        links = [make_link(self.nodes, leave.dims, n, many=True, needs=True) for n in inner.nodes.values()]
        links += self.links(inner, leave.dims, references_in(step.pipeline.outputs))
        leave.run_links = _unique(links)
        enter.followers.append(leave.index)
        self.nodes.append(leave)
        space.nodes[step.name] = leave.index

    def add_node(self, space: Space, step: Step, role: Role) -> Node:
        node = Node(len(self.nodes), space.prefix + step.name, step, role, space)
        self.nodes.append(node)
        space.nodes[step.name] = node.index
        self.shape(space, node)
        if node.source is not None:
            self.nodes[node.source].followers.append(node.index)
            node.depth = self.nodes[node.source].depth + 1
        edges = step_edges(step)
        own = node.dims
        element_dims = own[: node.inherited + (node.element is not None)]
        node.axis_links = _unique(self.links(space, element_dims, edges["axes"]))
        node.when_links = _unique(self.links(space, own, edges["when"]))
        needs = [
            make_link(self.nodes, own, space.nodes[name], many=True, needs=True)
            for name in step.needs
            if name in space.nodes
        ]
        node.run_links = _unique([*needs, *self.links(space, own, edges["run"])])
        for target in self.graph.needs_of(node):
            node.depth = max(node.depth, self.nodes[target].depth + 1)
        self.check_names(space, node)
        return node

    def shape(self, space: Space, node: Node) -> None:
        """Find out how the node grows, and its fan-outs."""
        step = node.step
        base = self.nodes[space.enter] if space.enter is not None else None
        if step.chained_from is not None:
            if step.chained_from in space.nodes:
                node.grows, node.source = Grows.CHAIN, space.nodes[step.chained_from]
        elif step.for_each is None:
            node.source = base.index if base else None
        else:
            self.shape_of_list(space, node, base)
        source = self.nodes[node.source] if node.source is not None else None
        node.dims = source.dims if source else ()
        node.inherited = len(node.dims)
        if node.grows in {Grows.LIST, Grows.FLAT}:
            node.element = node.inherited
            shown = step.for_each_normal
            node.dims += (Dim(f"{space.prefix}for {shown}", _shown(shown)),)
        for axis in step.matrix:
            if any(dim.axis == axis.name for dim in node.dims[: node.inherited]):
                message = f'axis "{axis.name}" is already inherited from {source.name if source else "?"}'
                hint = "give this one another name"
                self.problem(space.pipeline, axis.mark, "spec.axis-again", message, hint=hint, width=len(axis.name))
            node.dims += (Dim(f"{space.prefix}axis {axis.name} {axis.normal}", axis.name, axis.name),)

    def shape_of_list(self, space: Space, node: Node, base: Node | None) -> None:
        references = [r for r in references_in(node.step.for_each) if r.step in space.nodes and r.name]
        singular = [r for r in references if not r.many]
        if not singular:
            node.grows, node.source = Grows.LIST, base.index if base else None
            dims = base.dims if base else ()
            node.list_links = _unique(self.links(space, dims, references))
            return
        targets = [self.nodes[space.nodes[r.step]] for r in singular]
        origin = max(targets, key=lambda t: len(t.dims))
        node.grows, node.source = Grows.FLAT, origin.index
        for reference, target in zip(singular, targets, strict=True):
            if missing_dims(origin.dims, target.dims):
                message = (
                    f"for_each refers to one task of {origin.step.name} and to one of {reference.step}, "
                    f"but {origin.step.name} does not have all fan-outs of {reference.step}"
                )
                hint = f"use steps.{reference.step}.{PLURAL.get(reference.name, 'tasks')}"
                self.problem(
                    space.pipeline, reference.mark, "spec.two-origins", message, hint=hint, width=reference.width
                )
        rest = [r for r in references if r.many or self.nodes[space.nodes[r.step]] is not origin]
        node.list_links = _unique(self.links(space, origin.dims, rest, check=False))

    def links(
        self, space: Space, dims: tuple[Dim, ...], references: Iterable[Reference], *, check: bool = True
    ) -> list[Link]:
        """Resolve references seen from a shape; a singular that the shape cannot choose becomes a problem."""
        found = []
        for reference in references:
            target = space.nodes.get(reference.step)
            if target is None or not reference.name:
                continue
            lacking = [] if reference.many else missing_dims(dims, self.nodes[target].dims)
            if lacking and check:
                self.report_lacking(space, reference, lacking)
            if not lacking:
                found.append(make_link(self.nodes, dims, target, many=reference.many))
        return found

    def report_lacking(self, space: Space, reference: Reference, lacking: list[Dim]) -> None:
        asker = self.asker_name
        names = " and ".join(f"`{dim.shown}`" for dim in lacking)
        plural = PLURAL.get(reference.name, "tasks")
        many_of_them = "all of them" if plural != "tasks" else "all its tasks"
        message = (
            f"steps.{reference.step}.{reference.name}: {reference.step} runs for each of {names}, "
            f"which {asker} does not share; use steps.{reference.step}.{plural} for {many_of_them}"
        )
        if not self.at_outputs:
            message += f", or chain {asker} with `for_each: ${{{{ steps.{reference.step} }}}}`"
        self.problem(space.pipeline, reference.mark, "spec.lacks-fan-out", message, width=reference.width)

    # The step whose references are being resolved, for messages: the last node, or the outputs.

    @property
    def asker_name(self) -> str:
        return "outputs" if self.at_outputs else self.nodes[-1].step.name

    at_outputs = False

    # --- names ---

    def check_names(self, space: Space, node: Node) -> None:
        """`item`, `index` and `matrix` exist only where a fan-out provides them."""
        step = node.step
        if step.for_each is not None:
            for name in ("item", "index", "matrix"):
                hint = "inside for_each use steps.X." + name
                self.refuse(space, [step.for_each], name, f"there is no `{name}` inside for_each", hint)
        inherited = [d.axis for d in node.dims[: node.inherited] if d.axis]
        keeps_axes = node.grows in {Grows.CHAIN, Grows.FLAT}
        if not (keeps_axes and inherited):
            message = "an axis cannot use the axes beside it"
            self.refuse(space, list(axis_templates(step))[: len(step.matrix)], "matrix", message, None)
        rest: list[Template] = [*run_templates(step), *([step.when] if step.when else [])]
        if not _has_item(self.nodes, node):
            hint = "give the step a for_each"
            for name in ("item", "index"):
                message = f"`{name}` outside a fan-out: {step.name} has no for_each"
                self.refuse(space, [*rest, *axis_templates(step)], name, message, hint)
        if not step.matrix and not (keeps_axes and inherited):
            message = f"`matrix` without a matrix: {step.name} has none"
            self.refuse(space, rest, "matrix", message, "give the step a matrix")

    def refuse(self, space: Space, templates: Sequence[Template], name: str, message: str, hint: str | None) -> None:
        for template in templates:
            for expression in expressions_in(template):
                if name in expression.names:
                    mark = place_of(expression, name)
                    self.problem(space.pipeline, mark, f"spec.no-{name}", message, hint=hint, width=len(name))

    def check_outputs(self) -> None:
        self.at_outputs = True
        pipeline = self.graph.pipeline
        space = self.graph.spaces[0]
        links: list[Link] = []
        for reference in references_in(pipeline.outputs):
            if self.known(pipeline, reference.step, reference.mark, width=reference.width):
                links.extend(self.links(space, (), [reference]))
        self.graph.output_links = _unique(links)


def place_of(expression: Expression, name: str) -> Mark:
    """Where a top-level name first stands in an expression's source."""
    found = re.search(rf"(?<![\w.]){re.escape(name)}\b", expression.source)
    if not found or "\n" in expression.source[: found.start()]:
        return expression.mark
    mark = expression.mark
    return Mark(mark.path, mark.line, mark.column + found.start())


def _has_item(nodes: list[Node], node: Node) -> bool:
    while node.grows is Grows.CHAIN and node.source is not None:
        node = nodes[node.source]
    return node.grows in {Grows.LIST, Grows.FLAT}


def _shown(normal: str) -> str:
    return normal if len(normal) <= 60 else normal[:57] + "..."


def _unique(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(dict.fromkeys(links))
