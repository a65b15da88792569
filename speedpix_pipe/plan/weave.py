"""From a Pipeline to its Graph, or to every problem that lies between steps.

`spec` has made sure that each step is well formed by itself; here come the names of other steps, cycles,
shapes, and the agreement rule: which tasks of X a task of S may mean.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import islice

from speedpix_pipe.errors import Problem
from speedpix_pipe.model import Mark, OnError, Pipeline, Reference, Step, StepKind
from speedpix_pipe.plan.advice import advise
from speedpix_pipe.plan.graph import (
    Dim,
    Graph,
    Grows,
    Link,
    Node,
    Role,
    Space,
    make_link,
    missing_dims,
    references_in,
    step_edges,
)
from speedpix_pipe.plan.names import check_names, problem_at, whole_place
from speedpix_pipe.plan.results import check_results
from speedpix_pipe.spec.nearest import did_you_mean, listed
from speedpix_pipe.spec.schema import MAX_PROBLEMS

MOST_GUESSES = 20  # of what a name was meant to be: each looks at all names
PLURAL = {"output": "outputs", "file": "files"}


def weave(pipeline: Pipeline) -> tuple[Graph, list[Problem]]:
    """The graph of a pipeline, and all problems found. With problems of severity error it must not be used."""
    weaver = _Weaver(pipeline)
    space = weaver.add_space(pipeline, prefix="", enter=None)
    weaver.graph.output_links = weaver.links_of_outputs(space, ())
    weaver.problems += islice(check_results(pipeline), MAX_PROBLEMS)
    if not weaver.problems:
        weaver.problems += islice(advise(weaver.graph), MAX_PROBLEMS)
    return weaver.graph, list(dict.fromkeys(weaver.problems))


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
        if len(self.problems) < MAX_PROBLEMS:  # a file that is wrong all over is not explained to its end
            self.problems.append(problem_at(pipeline, mark, code, message, hint=hint, width=width))

    # --- spaces and order ---

    def add_space(self, pipeline: Pipeline, *, prefix: str, enter: int | None) -> Space:
        space = Space(pipeline, prefix, enter)
        if enter is not None:
            space.above, space.on_error = len(self.nodes[enter].dims), self.nodes[enter].on_error
        self.graph.spaces.append(space)
        for step in self.order(pipeline):
            if step.kind is StepKind.PIPELINE and step.pipeline is not None:
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
        chain = references_in(step.for_each) if step.chained_from is not None else ()
        for reference in (*chain, *[r for group in step_edges(step).values() for r in group]):
            if self.known(pipeline, reference.step, reference.mark, width=reference.width):
                found.add(reference.step)
        for other, mark in step.needs.items():
            if self.known(pipeline, other, mark, width=len(other)):
                found.add(other)
        return found

    def known(self, pipeline: Pipeline, name: str, mark: Mark, *, width: int) -> bool:
        if name in pipeline.steps:
            return True
        if len(self.problems) >= MAX_PROBLEMS:
            return False
        near = did_you_mean(name, pipeline.steps) if len(self.problems) < MOST_GUESSES else None
        hint = near or (f"the steps are: {listed(pipeline.steps)}" if pipeline.steps else "there is no step at all")
        self.problem(pipeline, mark, "spec.unknown-step", f'no step "{name}"', hint=hint, width=width)
        return False

    def report_cycle(self, pipeline: Pipeline, needs: dict[str, set[str]], left: set[str]) -> None:
        """Follow needs among what could not be ordered until a name comes again."""
        number = {name: position for position, name in enumerate(pipeline.steps)}
        following = min(left, key=number.__getitem__)
        path: dict[str, None] = {}
        while following not in path:
            path[following] = None
            following = min(needs[following] & left, key=number.__getitem__)
        ring = list(path)[list(path).index(following) :]
        first = min(ring, key=number.__getitem__)
        turn = ring.index(first)
        shown = " -> ".join([*ring[turn:], *ring[:turn], first])
        self.problem(pipeline, pipeline.steps[first].mark, "spec.cycle", f"cycle: {shown}", width=len(first))

    # --- nodes ---

    def add_pipeline(self, space: Space, step: Step) -> None:
        enter = self.add_node(space, step, Role.ENTER)
        assert step.pipeline is not None
        inner = self.add_space(step.pipeline, prefix=f"{enter.name}.", enter=enter.index)
        leave = Node(len(self.nodes), enter.name, step, Role.LEAVE, inner, Grows.CHAIN, source=enter.index)
        leave.has_item = enter.has_item
        leave.dims, leave.inherited, leave.depth = enter.dims, len(enter.dims), enter.depth + 1
        leave.on_error = enter.on_error
        links = [make_link(self.nodes, leave.dims, n, many=True, needs=True) for n in inner.nodes.values()]
        leave.run_links = _unique([*links, *self.links_of_outputs(inner, leave.dims)])
        enter.followers.append(leave.index)
        self.nodes.append(leave)
        space.nodes[step.name] = leave.index

    def add_node(self, space: Space, step: Step, role: Role) -> Node:
        node = Node(len(self.nodes), space.prefix + step.name, step, role, space)
        node.on_error = space.on_error if step.on_error is OnError.CONTINUE else step.on_error
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
        self.problems += check_names(node)
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
        # Chained from a step that does not exist, it would have an item: that is no second mistake.
        node.has_item = step.chained_from is not None and (source is None or source.has_item)
        if node.grows in {Grows.LIST, Grows.FLAT}:
            node.element, node.has_item = node.inherited, True
            shown = step.for_each_normal
            node.dims += (Dim(f"{space.prefix}for {shown}", _shown(shown)),)
        for axis in step.matrix:
            if any(dim.axis == axis.name for dim in node.dims[space.above : node.inherited]):
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
                mark, width = whole_place(space.pipeline, reference)
                self.problem(space.pipeline, mark, "spec.two-origins", message, hint=hint, width=width)
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
        asker = "outputs" if self.at_outputs else self.nodes[-1].step.name
        names = " and ".join(f"`{dim.shown}`" for dim in lacking)
        plural = PLURAL.get(reference.name, "tasks")
        many_of_them = "all of them" if plural != "tasks" else "all its tasks"
        message = (
            f"steps.{reference.step}.{reference.name}: {reference.step} runs for each of {names}, "
            f"which {asker} does not share; use steps.{reference.step}.{plural} for {many_of_them}"
        )
        if not self.at_outputs:
            message += f", or chain {asker} with `for_each: ${{{{ steps.{reference.step} }}}}`"
        mark, width = whole_place(space.pipeline, reference)
        self.problem(space.pipeline, mark, "spec.lacks-fan-out", message, width=width)

    at_outputs = False  # whose references are being resolved, for messages: those of `outputs`, or the last node's

    def links_of_outputs(self, space: Space, dims: tuple[Dim, ...]) -> tuple[Link, ...]:
        """What the `outputs` of a pipeline refer to; `dims` are the fan-outs around it."""
        self.at_outputs = True
        known = [
            reference
            for reference in references_in(space.pipeline.outputs)
            if self.known(space.pipeline, reference.step, reference.mark, width=reference.width)
        ]
        links = self.links(space, dims, known)
        self.at_outputs = False
        return _unique(links)


def _shown(normal: str) -> str:
    return normal if len(normal) <= 60 else normal[:57] + "..."


def _unique(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(dict.fromkeys(links))
