"""What waits for what: tasks are born, wait, become ready and end. Pure: signals in, commands out.

The walk knows nothing of the service, of time or of values beyond items. Each signal costs the same with ten
tasks or a million: whoever waits stands in the one queue that holds it up, and is asked again only when that
queue opens. Three kinds of queue exist:

* a task that is not final yet (`Task.waiters`),
* a task that is not born yet (`Walk._unborn`),
* a group of agreeing tasks: a chain of `Gauge` counters, one for each stage at which further members may still
  appear, and one for members that are not final. A waiter stands at the first counter that is not zero.
  A counter that stands behind zeroes only falls, so a waiter moves along the chain at most once.

`engine` drives a walk for a run; `plan.estimate` drives one to see what a run would do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from speedpix_pipe.model import OnError, TaskStatus
from speedpix_pipe.plan.gauges import Gather, Gauge
from speedpix_pipe.plan.graph import Graph, Grows, Link, Node, Role
from speedpix_pipe.plan.keys import coordinate, cut, join_axes, key_text
from speedpix_pipe.plan.tasks import (
    Born,
    Command,
    Decide,
    Effect,
    Element,
    Ended,
    Expand,
    Hole,
    Phase,
    Place,
    Run,
    Task,
    Unit,
)


def expands(node: Node) -> bool:
    """Whether tasks of the node appear only after an evaluation."""
    step = node.step
    if node.role is Role.LEAVE:
        return False
    return (
        node.grows in {Grows.LIST, Grows.FLAT}
        or bool(step.matrix)
        or (step.key is not None and step.for_each is not None)
    )


class Walk:
    """The state of one run's tasks. Feed it signals, carry out its commands."""

    def __init__(self, graph: Graph, *, nodes: set[int] | None = None, demand: Iterable[int] | None = None) -> None:
        """`nodes` limits the walk to those steps; with `demand`, only tasks of those steps start unasked."""
        self.graph = graph
        self.tasks: list[dict[Place, Task]] = [{} for _ in graph.nodes]
        self.keys: list[dict[str, Task]] = [{} for _ in graph.nodes]
        self.open_units = [0] * len(graph.nodes)  # expansions to come, per node
        self.unfinished = 0  # tasks that are not final
        self._nodes = nodes
        self._demand = set(demand) if demand is not None else None
        self._unborn: dict[tuple[int, Place], list[Task | Unit]] = {}
        self._gathers: dict[tuple[int, tuple[int, ...]], Gather] = {}
        self._gathers_of: list[list[Gather]] = [[] for _ in graph.nodes]
        self._gauges: list[dict[tuple[bool, tuple[int, ...]], Gauge]] = [{} for _ in graph.nodes]
        self._todo: deque[Task | Unit] = deque()
        self._commands: list[Command] = []
        self.wanted: Callable[[Task], bool] = lambda _: True  # which tasks of `demand` start unasked
        for node in graph.nodes:
            for link in (*node.list_links, *node.axis_links, *node.when_links, *node.run_links):
                if link.many:
                    self._gather_for(link)
        for link in graph.output_links:
            if link.many:
                self._gather_for(link)

    # --- signals ---

    def start(self) -> list[Command]:
        for node in self.graph.nodes:
            if node.source is None and self._takes(node):
                self._spawn(node, None)
        return self._advance_all()

    def expanded(self, unit: Unit, elements: Iterable[Element]) -> list[Command]:
        """The list of a unit is known, or the axes of its element."""
        node = unit.node
        axes_first = not unit.for_axes and bool(node.axis_links)
        for element in elements:
            place = unit.place
            if node.element is not None and unit.element is None:
                place = (*place, None if element.hole else element.position)
            if axes_first and element.hole is None:
                self._rise(node, Unit(node, unit.source, place, element))
            else:
                self._birth_all(unit, element, place)
        self._fall(unit)
        return self._advance_all()

    def decided(self, task: Task, *, run: bool) -> list[Command]:
        """`when` has been asked."""
        if run:
            task.phase, task.link = Phase.INPUT, 0
            self._todo.append(task)
        else:
            self._end(task, TaskStatus.SKIPPED, Effect.ABSENT, reason="`when` is false")
        return self._advance_all()

    def ended(self, task: Task, status: TaskStatus, *, reason: str = "", by_failure: bool = False) -> list[Command]:
        """The task is final. `by_failure` matters for skips."""
        self._final(task, status, reason=reason, by_failure=by_failure)
        return self._advance_all()

    def cancel_rest(self) -> list[Task]:
        """Every task that is not final becomes cancelled. The run is over."""
        rest = [task for found in self.tasks for task in found.values() if task.status is None]
        for task in rest:
            task.status, task.effect, task.phase = TaskStatus.CANCELLED, Effect.CANCELLED, Phase.DONE
        self.unfinished = 0
        return rest

    # --- views, for rendering ---

    def one(self, asker: Task | Unit, link: Link) -> Task | None:
        return self.tasks[link.target].get(self._place(asker, link))

    def many(self, asker: Task | Unit, link: Link) -> list[Task]:
        """The agreeing tasks that have an output, in order."""
        gather = self._gathers[link.target, link.of_target]
        found = gather.members.get(self._place(asker, link), [])
        return sorted((t for t in found if t.effect is Effect.OK), key=lambda t: t.order)

    def all_members(self, asker: Task | Unit, link: Link) -> list[Task]:
        return self._gathers[link.target, link.of_target].members.get(self._place(asker, link), [])

    def closed(self, index: int) -> bool:
        """Whether no further task of the node can appear."""
        node: Node | None = self.graph.nodes[index]
        while node is not None:
            if self.open_units[node.index]:
                return False
            node = self.graph.nodes[node.source] if node.source is not None else None
        return True

    # --- births ---

    def _takes(self, node: Node) -> bool:
        return self._nodes is None or node.index in self._nodes

    def _spawn(self, node: Node, source: Task | None) -> None:
        """A source task (or the start) gives the node an expansion, or at once a task."""
        place = source.place if source else ()
        if expands(node):
            self._rise(node, Unit(node, source, place))
        else:
            self._birth(node, source, place, source.order if source else (), Element(), {})

    def _rise(self, node: Node, unit: Unit) -> None:
        self.open_units[node.index] += 1
        for (axes, _), gauge in self._gauges[node.index].items():
            if axes == (unit.element is not None):
                gauge.rise(unit.place)
        self._todo.append(unit)

    def _fall(self, unit: Unit) -> None:
        self.open_units[unit.node.index] -= 1
        for (axes, _), gauge in self._gauges[unit.node.index].items():
            if axes == (unit.element is not None):
                self._todo.extend(gauge.fall(unit.place))

    def _birth_all(self, unit: Unit, element: Element, place: Place) -> None:
        """A task per combination of axis values; the first axis turns slowest."""
        node, source = unit.node, unit.source
        known = unit.element or element
        order = source.order if source else ()
        if node.element is not None:
            order = (*order, known.position)
        base = Element(
            known.item, known.part if known.part is not None else element.part, (), known.position, element.hole
        )
        axes = node.step.matrix
        if not axes:
            self._birth(node, source, place, order, base, {})
            return
        values = element.axes
        if values is None:  # the axes cannot be had: one stand-in
            self._birth(node, source, (*place, *[None] * len(axes)), (*order, *[0] * len(axes)), base, {})
            return
        names = [axis.name for axis in axes]
        for combination in product(*[list(enumerate(v)) for v in values]):
            chosen = {name: value for name, (_, value) in zip(names, combination, strict=True)}
            self._birth(
                node,
                source,
                (*place, *[coordinate(value) for _, value in combination]),
                (*order, *[position for position, _ in combination]),
                base,
                chosen,
            )

    def _birth(
        self,
        node: Node,
        source: Task | None,
        place: Place,
        order: tuple[int, ...],
        element: Element,
        chosen: dict[str, Any],
    ) -> None:
        task = self._make(node, source, place, order, element, chosen)
        twin = self.keys[node.index].get(task.key)
        hole = element.hole
        if twin is not None:
            hole = Hole(
                TaskStatus.FAILED, f'two tasks of {node.name} have the key "{task.key}"; give the step a `key:`'
            )
            task.key = cut(f"{task.key}~{len(self.tasks[node.index])}")
        self.keys[node.index][task.key] = task
        self.tasks[node.index].setdefault(place, task)
        self.unfinished += 1
        if self._demand is not None:
            task.demanded = node.index in self._demand and self.wanted(task)
        for gather in self._gathers_of[node.index]:
            gather.open.rise(place)
            gather.members.setdefault(gather.open.key(place), []).append(task)
        self._commands.append(Born(task))
        for follower in node.followers:
            if self._takes(self.graph.nodes[follower]):
                self._spawn(self.graph.nodes[follower], task)
        self._todo.extend(self._unborn.pop((node.index, place), ()))
        if hole is not None:
            self._end_hole(task, hole)
        else:
            self._todo.append(task)

    def _make(
        self,
        node: Node,
        source: Task | None,
        place: Place,
        order: tuple[int, ...],
        element: Element,
        chosen: dict[str, Any],
    ) -> Task:
        axes = tuple([(name, key_text(value) or "") for name, value in chosen.items()])
        inherits = node.grows is Grows.CHAIN
        item, index, matrix, has_item = element.item, None, chosen, node.element is not None
        if node.element is not None:
            index = element.position
            has_item = element.hole is None
        stem = element.part or ""
        if source is not None:
            if inherits:
                item, index, has_item = source.item, source.index, source.has_item
                stem = source.stem
                if element.part is not None:
                    stem = _replace_own(element.part, source)
                axes = (*source.axes, *axes)
                matrix = {**source.matrix, **chosen} if chosen else source.matrix
            else:
                whole = join_axes(source.stem, source.axes)
                stem = f"{whole}/{element.part}" if whole and element.part else whole or stem
                if node.grows is Grows.FLAT:
                    matrix = {**source.matrix, **chosen} if chosen else source.matrix
        key = cut(join_axes(stem, axes))
        stand_in = element.hole is not None
        return Task(
            node, place, order, key, stem, axes, item, index, matrix, source, has_item=has_item, stand_in=stand_in
        )

    # --- waiting ---

    def _advance_all(self) -> list[Command]:
        todo = self._todo
        while todo:
            waiter = todo.popleft()
            if isinstance(waiter, Unit):
                self._advance_unit(waiter)
            elif waiter.status is None and waiter.demanded:
                self._advance(waiter)
        commands, self._commands = self._commands, []
        return commands

    def _advance_unit(self, unit: Unit) -> None:
        node = unit.node
        if not unit.for_axes:
            if unit.source is not None and self._waits_for_task(unit.source, unit):
                return
            if not self._pass_links(unit, node.list_links):
                return
            unit.hole = self._source_hole(unit) or self._verdict(unit, node.list_links)
        else:
            if not self._pass_links(unit, node.axis_links):
                return
            unit.hole = self._verdict(unit, node.axis_links)
        self._commands.append(Expand(unit))

    def _advance(self, task: Task) -> None:
        node = task.node
        if task.phase is Phase.ORIGIN:
            if task.source is not None and self._waits_for_task(task.source, task):
                return
            if not self._origin_allows(task):
                return
            task.phase = Phase.WHEN
        if task.phase is Phase.WHEN:
            if node.step.when is not None and node.role is not Role.LEAVE:
                if not self._pass_links(task, node.when_links):
                    return
                if not self._survives(task, node.when_links):
                    return
                task.phase = Phase.DECIDING
                self._commands.append(Decide(task))
                return
            task.phase, task.link = Phase.INPUT, 0
        if task.phase is Phase.INPUT:
            if not self._pass_links(task, node.run_links) or not self._survives(task, node.run_links):
                return
            task.phase = Phase.READY
            self._commands.append(Run(task))

    def _waits_for_task(self, target: Task, waiter: Task | Unit) -> bool:
        if target.status is not None:
            return False
        if target.waiters is None:
            target.waiters = []
        target.waiters.append(waiter)
        self._ask_for(target)
        return True

    def _ask_for(self, task: Task) -> None:
        """In a walk on demand, a task starts when somebody waits for it."""
        if not task.demanded:
            task.demanded = True
            self._todo.append(task)

    def _pass_links(self, waiter: Task | Unit, links: tuple[Link, ...]) -> bool:
        """Whether everything that the links name is final; else the waiter stands in a queue now."""
        while waiter.link < len(links):
            link = links[waiter.link]
            place = self._place(waiter, link)
            if link.many:
                if self._waits_for_group(waiter, link, place):
                    return False
            else:
                target = self.tasks[link.target].get(place)
                if target is None:
                    self._unborn.setdefault((link.target, place), []).append(waiter)
                    return False
                if self._waits_for_task(target, waiter):
                    return False
            waiter.link += 1
        return True

    def _waits_for_group(self, waiter: Task | Unit, link: Link, key: Place) -> bool:
        gather = self._gathers[link.target, link.of_target]
        barrier = gather.barrier(key)
        if barrier is None:
            return False
        gauge, part = barrier
        gauge.waiters.setdefault(part, []).append(waiter)
        if self._demand is not None:
            for member in gather.members.get(key, ()):
                if member.status is None:
                    self._ask_for(member)
        return True

    @staticmethod
    def _place(asker: Task | Unit, link: Link) -> Place:
        place = asker.place
        return tuple([place[i] for i in link.of_asker])

    def _gather_for(self, link: Link) -> Gather:
        found = self._gathers.get((link.target, link.of_target))
        if found is not None:
            return found
        gather = Gather(self._stages(link), Gauge(link.of_target))
        self._gathers[link.target, link.of_target] = gather
        self._gathers_of[link.target].append(gather)
        return gather

    def _stages(self, link: Link) -> list[Gauge]:
        """A counter for each expansion on the way from the start to the target's tasks."""
        path: list[Node] = []
        node: Node | None = self.graph.nodes[link.target]
        while node is not None:
            path.append(node)
            node = self.graph.nodes[node.source] if node.source is not None else None
        stages = []
        for node in reversed(path):
            if not expands(node):
                continue
            stages.append(self._gauge(node, link, axes=False, known=node.inherited))
            if node.element is not None and node.axis_links:
                stages.append(self._gauge(node, link, axes=True, known=node.inherited + 1))
        return stages

    def _gauge(self, node: Node, link: Link, *, axes: bool, known: int) -> Gauge:
        positions = tuple(p for p in link.of_target if p < known)
        return self._gauges[node.index].setdefault((axes, positions), Gauge(positions))

    # --- verdicts ---

    def _verdict(self, asker: Task | Unit, links: tuple[Link, ...]) -> Hole | None:
        """Whether what an asker refers to lets it go on. A failure outweighs an absence."""
        empty: Hole | None = None
        for link in links:
            if link.many:
                members = self.all_members(asker, link)
                blamed = next((t for t in members if t.effect in _STOPS), None)
                if blamed is None and not link.may_be_empty and not any(t.effect is Effect.OK for t in members):
                    name = self.graph.nodes[link.target].name
                    empty = Hole(TaskStatus.SKIPPED, f"nothing to gather: no task of {name} has an output")
            else:
                found = self.one(asker, link)
                blamed = found if found is not None and found.effect in _STOPS else None
            if blamed is not None:
                return _blame(blamed)
        return empty

    def _source_hole(self, unit: Unit) -> Hole | None:
        source = unit.source
        if source is None or source.effect is Effect.OK:
            return None
        if source.effect is Effect.ABSENT:
            # Only the expression can tell whether it provides for that.
            if unit.node.grows is Grows.FLAT and not source.stand_in:
                return None
            return Hole(TaskStatus.SKIPPED, f"{source.name} has no output", source)
        return _blame(source)

    def _origin_allows(self, task: Task) -> bool:
        source = task.source
        if source is None or source.effect is Effect.OK or task.node.grows in {Grows.LIST, Grows.FLAT}:
            return True
        if task.node.role is Role.LEAVE and source.status is not None and source.status is not TaskStatus.SUCCEEDED:
            self._end(task, source.status, source.effect or Effect.BLAME, reason=source.reason, cause=source.cause)
        elif source.effect is Effect.ABSENT:
            self._end(task, TaskStatus.SKIPPED, Effect.ABSENT, reason=f"{source.name} has no output", cause=source)
        else:
            self._end_hole(task, _blame(source))
        return False

    def _survives(self, task: Task, links: tuple[Link, ...]) -> bool:
        hole = self._verdict(task, links)
        if hole is not None:
            self._end_hole(task, hole)
        return hole is None

    # --- ends ---

    def _end_hole(self, task: Task, hole: Hole) -> None:
        task.cause = hole.cause
        self._final(task, hole.status, reason=hole.reason, by_failure=hole.by_failure)
        self._commands.append(Ended(task))

    def _end(self, task: Task, status: TaskStatus, effect: Effect, *, reason: str, cause: Task | None = None) -> None:
        task.cause = cause
        self._close(task, status, effect, reason)
        self._commands.append(Ended(task))

    def _final(self, task: Task, status: TaskStatus, *, reason: str, by_failure: bool) -> None:
        match status:
            case TaskStatus.SUCCEEDED | TaskStatus.CACHED:
                effect = Effect.OK
            case TaskStatus.SKIPPED:
                effect = Effect.BLAME if by_failure else Effect.ABSENT
            case TaskStatus.FAILED:
                effect = Effect.ABSENT if task.node.step.on_error is OnError.IGNORE else Effect.BLAME
            case TaskStatus.UNKNOWN:
                effect = Effect.BLAME
            case TaskStatus.CANCELLED:
                effect = Effect.CANCELLED
        self._close(task, status, effect, reason)

    def _close(self, task: Task, status: TaskStatus, effect: Effect, reason: str) -> None:
        assert task.status is None, f"{task.name} ended twice"
        task.status, task.effect, task.reason, task.phase = status, effect, reason, Phase.DONE
        self.unfinished -= 1
        for gather in self._gathers_of[task.node.index]:
            self._todo.extend(gather.open.fall(task.place))
        if task.waiters:
            self._todo.extend(task.waiters)
        task.waiters = None


_STOPS = frozenset({Effect.BLAME, Effect.CANCELLED})


def _blame(blamed: Task) -> Hole:
    if blamed.effect is Effect.CANCELLED:
        return Hole(TaskStatus.CANCELLED, f"{blamed.name} was cancelled", blamed)
    root = blamed
    while root.status is TaskStatus.SKIPPED and root.cause is not None:
        root = root.cause
    word = "is of unknown outcome" if root.status is TaskStatus.UNKNOWN else "failed"
    return Hole(TaskStatus.SKIPPED, f"{root.name} {word}", root, by_failure=True)


def _replace_own(part: str, source: Task) -> str:
    """`key:` on a chained step replaces the item's own part; the origin of a flat-map stays."""
    node = source
    while node.node.grows is Grows.CHAIN and node.source is not None:
        node = node.source
    if node.node.grows is Grows.FLAT and node.source is not None:
        origin = join_axes(node.source.stem, node.source.axes)
        return f"{origin}/{part}" if origin else part
    return part
