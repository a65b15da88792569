"""Counters that know when a group of tasks is complete, and who waits for that.

A group are the tasks of one step that agree in certain fan-outs. Its members appear in stages, one for each
list on the way to them; each stage has a counter, and a last counter holds the members that are not final. A
counter that stands behind zeroes only falls, so a waiter moves along the chain at most once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from speedpix_pipe.plan.graph import Graph, Link, Node
from speedpix_pipe.plan.tasks import Effect, Place, Task, Unit
from speedpix_pipe.records import dataclass

Waiter = Task | Unit
Positions = tuple[int, ...]


@dataclass(slots=True, eq=False)
class Gauge:
    """Counts what keeps groups open, by the part of the place that the group knows."""

    positions: Positions
    counts: dict[Place, int] = field(default_factory=dict)
    waiters: dict[Place, list[Waiter]] = field(default_factory=dict)

    def key(self, place: Place) -> Place:
        return tuple([place[i] for i in self.positions])

    def rise(self, place: Place) -> None:
        key = self.key(place)
        self.counts[key] = self.counts.get(key, 0) + 1

    def fall(self, place: Place) -> list[Waiter]:
        """Count down; at zero, those who waited."""
        key = self.key(place)
        left = self.counts[key] - 1
        if left:
            self.counts[key] = left
            return []
        del self.counts[key]
        return self.waiters.pop(key, [])


@dataclass(slots=True, eq=False)
class Gather:
    """The groups of one step's tasks by certain of its fan-outs."""

    open: Gauge  # members that are not final
    members: dict[Place, list[Task]] = field(default_factory=dict)
    fine: dict[Place, int] = field(default_factory=dict)  # how many have an output
    blamed: dict[Place, Task] = field(default_factory=dict)  # the first member that nobody gets past

    def note(self, task: Task) -> None:
        """A member is final."""
        key = self.open.key(task.place)
        if task.effect is Effect.OK:
            self.fine[key] = self.fine.get(key, 0) + 1
        elif task.effect is not Effect.ABSENT:
            known = self.blamed.get(key)
            if known is None or _worse(task) < _worse(known):
                self.blamed[key] = task


def _worse(task: Task) -> tuple[bool, tuple[int, ...]]:
    return task.effect is not Effect.BLAME, task.order


@dataclass(frozen=True, slots=True)
class Barrier:
    """The counter that keeps a waiter, and the part of the place under which it counts."""

    gauge: Gauge
    part: Place

    def hold(self, waiter: Waiter) -> None:
        self.gauge.waiters.setdefault(self.part, []).append(waiter)


class Groups:
    """All groups that the links of a graph ask for."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._gauges: list[dict[tuple[bool, Positions], Gauge]] = [{} for _ in graph.nodes]
        self._stages: dict[tuple[int, Positions], Sequence[Gauge]] = {}
        self._gathers: dict[tuple[int, Positions], Gather] = {}
        self._gathers_of: list[list[Gather]] = [[] for _ in graph.nodes]
        self._with_stand_ins: set[int] = set()
        for node in graph.nodes:
            for link in (*node.list_links, *node.axis_links, *node.when_links, *node.run_links):
                self._add(link)
        for link in graph.output_links:
            self._add(link)

    # --- what happens ---

    def rise(self, unit: Unit) -> None:
        """An expansion is to come."""
        for (axes, _), gauge in self._gauges[unit.node.index].items():
            if axes == (unit.element is not None):
                gauge.rise(unit.place)

    def fall(self, unit: Unit) -> Iterator[Waiter]:
        """An expansion is done, its tasks are born."""
        for (axes, _), gauge in self._gauges[unit.node.index].items():
            if axes == (unit.element is not None):
                yield from gauge.fall(unit.place)

    def born(self, task: Task) -> None:
        if None in task.place:
            self._with_stand_ins.add(task.node.index)
        for gather in self._gathers_of[task.node.index]:
            gather.open.rise(task.place)
            gather.members.setdefault(gather.open.key(task.place), []).append(task)

    def ended(self, task: Task) -> Iterator[Waiter]:
        for gather in self._gathers_of[task.node.index]:
            gather.note(task)
            yield from gather.open.fall(task.place)

    # --- what is asked ---

    def appearing(self, link: Link, key: Place) -> Barrier | None:
        """The first stage at which members of the group may still appear."""
        for gauge in self._stages[link.target, link.of_target]:
            for seen in self.seen_as(link, key):
                part = seen[: len(gauge.positions)]
                if part in gauge.counts:
                    return Barrier(gauge, part)
        return None

    def unfinished(self, link: Link, key: Place) -> Barrier | None:
        """What keeps the group open, all of whose members have appeared."""
        gauge = self.gather(link).open
        for seen in self.seen_as(link, key):
            if seen in gauge.counts:
                return Barrier(gauge, seen)
        return None

    def gather(self, link: Link) -> Gather:
        return self._gathers[link.target, link.of_target]

    def members(self, link: Link, key: Place) -> list[Task]:
        return self.gather(link).members.get(key, [])

    def blamed(self, link: Link, key: Place) -> Task | None:
        found = self.gather(link).blamed
        return next((found[seen] for seen in self.seen_as(link, key) if seen in found), None)

    def seen_as(self, link: Link, key: Place) -> Iterator[Place]:
        """A place, and those of stand-ins that cover it: a list that could not be had stands for all its elements."""
        yield key
        if link.target in self._with_stand_ins:
            for mask in range(1, 1 << len(key)):
                yield tuple([None if mask >> i & 1 else part for i, part in enumerate(key)])

    # --- building ---

    def _add(self, link: Link) -> None:
        identity = (link.target, link.of_target)
        if identity not in self._stages:
            self._stages[identity] = self._stages_to(link)
        if link.many and identity not in self._gathers:
            gather = self._gathers[identity] = Gather(Gauge(link.of_target))
            self._gathers_of[link.target].append(gather)

    def _stages_to(self, link: Link) -> list[Gauge]:
        """A counter for each expansion on the way from the start to the target's tasks."""
        path: list[Node] = []
        node: Node | None = self._graph.nodes[link.target]
        while node is not None:
            path.append(node)
            node = self._graph.nodes[node.source] if node.source is not None else None
        stages = []
        for node in reversed(path):
            if not node.expands:
                continue
            stages.append(self._gauge(node, link, axes=False, known=node.inherited))
            if node.element is not None and node.axis_links:
                stages.append(self._gauge(node, link, axes=True, known=node.inherited + 1))
        return stages

    def _gauge(self, node: Node, link: Link, *, axes: bool, known: int) -> Gauge:
        positions = tuple(p for p in link.of_target if p < known)
        return self._gauges[node.index].setdefault((axes, positions), Gauge(positions))
