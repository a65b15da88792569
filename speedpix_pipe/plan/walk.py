"""What waits for what: tasks are born, wait, become ready and end. Pure: signals in, commands out.

The walk knows nothing of the service, of time or of values beyond items. Each signal costs the same with ten
tasks or a million: whoever waits stands in the one queue that holds it up, and is asked again only when that
queue opens. There are two kinds of queue: a task that is not final yet (`Task.waiters`), and a counter of a
group that is not complete yet (`gauges`).

`engine` drives a walk for a run; `estimate` drives one as far as it goes before anything is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.model import OnError, TaskStatus
from speedpix_pipe.plan.births import Coordinates, combinations, make_task
from speedpix_pipe.plan.gauges import Groups
from speedpix_pipe.plan.graph import Graph, Grows, Link, Node, Role
from speedpix_pipe.plan.keys import cut
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


class Walk:
    """The state of one run's tasks. Feed it signals, carry out its commands."""

    def __init__(self, graph: Graph, *, nodes: set[int] | None = None, demand: Iterable[int] | None = None) -> None:
        """`nodes` limits the walk to those steps; with `demand`, only tasks of those steps start unasked."""
        self.graph = graph
        self.tasks: list[dict[Place, Task]] = [{} for _ in graph.nodes]
        self.keys: list[dict[str, Task]] = [{} for _ in graph.nodes]  # every task, in the order of birth
        self.open_units = [0] * len(graph.nodes)  # expansions to come, per node
        self.unfinished = 0  # tasks that are not final
        self.moves = 0  # how often a waiter was looked at: what the walk's work is measured by
        self.wanted: Callable[[Task], bool] = lambda _: True  # which tasks of `demand` start unasked
        self._nodes = nodes
        self._demand = set(demand) if demand is not None else None
        self._groups = Groups(graph)
        self._todo: deque[Task | Unit] = deque()
        self._commands: list[Command] = []

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
                place = (*place, element.position)
            if axes_first and element.hole is None:
                self._rise(node, Unit(node, unit.source, place, element))
            else:
                self._birth_all(unit, element, place)
        self.open_units[node.index] -= 1
        self._todo.extend(self._groups.fall(unit))
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
        rest = [task for task in self.every_task() if task.status is None]
        for task in rest:
            task.status, task.effect, task.phase = TaskStatus.CANCELLED, Effect.CANCELLED, Phase.DONE
        self.unfinished = 0
        return rest

    # --- views, for rendering ---

    def one(self, asker: Task | Unit, link: Link) -> Task | None:
        """The agreeing task, or the stand-in for a list that could not be had."""
        found = self.tasks[link.target]
        place = self._place(asker, link)
        return next((found[seen] for seen in self._groups.seen_as(link, place) if seen in found), None)

    def members(self, asker: Task | Unit, link: Link) -> list[Task]:
        """All agreeing tasks that were born so far."""
        return self._groups.members(link, self._place(asker, link))

    def many(self, asker: Task | Unit, link: Link) -> list[Task]:
        """The agreeing tasks that have an output, in order."""
        return sorted((t for t in self.members(asker, link) if t.effect is Effect.OK), key=lambda t: t.order)

    def every_task(self) -> Iterator[Task]:
        for found in self.keys:
            yield from found.values()

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
        if node.expands:
            self._rise(node, Unit(node, source, place))
        else:
            self._birth(node, source, (place, source.order if source else (), {}), Element())

    def _rise(self, node: Node, unit: Unit) -> None:
        self.open_units[node.index] += 1
        self._groups.rise(unit)
        self._todo.append(unit)

    def _birth_all(self, unit: Unit, element: Element, place: Place) -> None:
        node, source = unit.node, unit.source
        known = unit.element or element
        order = source.order if source else ()
        if node.element is not None:
            order = (*order, known.position or 0)
        part = known.part if known.part is not None else element.part
        base = Element(known.item, part, element.axes, known.position, element.hole)
        for where in combinations(node, base, place, order):
            self._birth(node, source, where, base)

    def _birth(self, node: Node, source: Task | None, where: Coordinates, element: Element) -> None:
        """A task, and all that it gives birth to: depth first, without recursion, for a chain may be long."""
        stack = self._bear(node, source, where, element)
        while stack:
            one = stack.pop()
            if isinstance(one, Task):
                self._settle(one)
            elif one[0].expands:
                self._rise(one[0], Unit(one[0], one[1], one[1].place))
            else:
                stack += self._bear(one[0], one[1], (one[1].place, one[1].order, {}), Element())

    def _bear(
        self, node: Node, source: Task | None, where: Coordinates, element: Element
    ) -> list[Task | tuple[Node, Task]]:
        """Make one task. What is left to do, last first: its followers, then the task itself."""
        task = make_task(node, source, where, element)
        task.fault = element.hole
        known = self.keys[node.index]
        if task.key in known:
            task.fault = task.fault or _twin(task)
            task.key = next(name for n in count(2) if (name := cut(f"{task.key}~{n}")) not in known)
        known[task.key] = task
        self.tasks[node.index].setdefault(task.place, task)
        self.unfinished += 1
        if self._demand is not None:
            task.demanded = node.index in self._demand and self.wanted(task)
        self._groups.born(task)
        if task.demanded:
            self._commands.append(Born(task))
        if not node.followers:
            return [task]
        nodes = [self.graph.nodes[follower] for follower in reversed(node.followers)]
        return [task, *[(follower, task) for follower in nodes if self._takes(follower)]]

    def _settle(self, task: Task) -> None:
        if task.fault is None or task.node.grows is Grows.CHAIN:
            self._todo.append(task)  # a chained task first needs its origin, whatever else is wrong with it
        else:
            self._end_hole(task, task.fault)

    # --- waiting ---

    def _advance_all(self) -> list[Command]:
        todo = self._todo
        while todo:
            waiter = todo.popleft()
            self.moves += 1
            if isinstance(waiter, Unit):
                self._advance_unit(waiter)
            elif waiter.status is None and waiter.demanded:
                self._advance(waiter)
        commands, self._commands = self._commands, []
        return commands

    def _advance_unit(self, unit: Unit) -> None:
        node = unit.node
        links = node.axis_links if unit.for_axes else node.list_links
        if not unit.for_axes and unit.source is not None and self._waits_for_task(unit.source, unit):
            return
        if not self._pass_links(unit, links):
            return
        unit.hole = self._verdict(unit, links)
        if not unit.for_axes and (unit.hole is None or not unit.hole.by_failure):
            unit.hole = self._source_hole(unit) or unit.hole
        self._commands.append(Expand(unit))

    def _advance(self, task: Task) -> None:
        node = task.node
        if task.phase is Phase.ORIGIN:
            if task.source is not None and self._waits_for_task(task.source, task):
                return
            if not self._origin_allows(task):
                return
            if task.fault is not None:
                self._end_hole(task, task.fault)
                return
            task.phase = Phase.WHEN
        if task.phase is Phase.WHEN:
            if node.step.when is not None and node.role is not Role.LEAVE:
                if not self._pass_links(task, node.when_links) or not self._survives(task, node.when_links):
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
        self.ask_for(target)
        return True

    def ask_for(self, task: Task) -> None:
        """In a walk on demand, a task starts when somebody waits for it."""
        if not task.demanded:
            task.demanded = True
            self._commands.append(Born(task))
            self._todo.append(task)

    def _pass_links(self, waiter: Task | Unit, links: tuple[Link, ...]) -> bool:
        """Whether everything that the links name is final; else the waiter stands in a queue now."""
        while waiter.link < len(links):
            link = links[waiter.link]
            if self._waits_for_group(waiter, link) if link.many else self._waits_for_one(waiter, link):
                return False
            waiter.link += 1
        return True

    def _waits_for_one(self, waiter: Task | Unit, link: Link) -> bool:
        place = self._place(waiter, link)
        target = self.tasks[link.target].get(place)
        if target is None:
            barrier = self._groups.appearing(link, place)
            if barrier is not None:
                barrier.hold(waiter)
                return True
            target = self.one(waiter, link)
        return target is not None and self._waits_for_task(target, waiter)

    def _waits_for_group(self, waiter: Task | Unit, link: Link) -> bool:
        key = self._place(waiter, link)
        barrier = self._groups.appearing(link, key)
        if barrier is None:
            barrier = self._groups.unfinished(link, key)
            if barrier is None:
                return False
            if self._demand is not None:
                for member in self._groups.members(link, barrier.part):
                    if member.status is None:
                        self.ask_for(member)
        barrier.hold(waiter)
        return True

    @staticmethod
    def _place(asker: Task | Unit, link: Link) -> Place:
        place = asker.place
        return tuple([place[i] for i in link.of_asker])

    # --- verdicts ---

    def _verdict(self, asker: Task | Unit, links: tuple[Link, ...]) -> Hole | None:
        """Whether what an asker refers to lets it go on. A failure outweighs an absence."""
        lesser: Hole | None = None
        for link in links:
            if link.many:
                key = self._place(asker, link)
                blamed = self._groups.blamed(link, key)
                empty = blamed is None and not link.may_be_empty and not self._groups.gather(link).fine.get(key)
                if empty:
                    name = self.graph.nodes[link.target].name
                    lesser = lesser or Hole(TaskStatus.SKIPPED, f"nothing to gather: no task of {name} has an output")
            else:
                found = self.one(asker, link)
                blamed = found if found is not None and found.effect in _STOPS else None
                if found is None:
                    lesser = _no_agreeing(self.graph.nodes[link.target])
            if blamed is not None:
                hole = _blame(blamed)
                if hole.by_failure:
                    return hole
                lesser = hole
        return lesser

    def _source_hole(self, unit: Unit) -> Hole | None:
        source = unit.source
        if source is None or source.effect is Effect.OK:
            return None
        if source.effect is Effect.ABSENT:
            # Only the expression can tell whether it provides for that.
            if unit.node.grows is Grows.FLAT:
                return None
            return Hole(TaskStatus.SKIPPED, f"{source.name} has no output", source)
        return _blame(source)

    def _origin_allows(self, task: Task) -> bool:
        source = task.source
        if source is None or source.effect is Effect.OK or task.node.grows in {Grows.LIST, Grows.FLAT}:
            return True
        if task.node.role is Role.LEAVE and source.status is not None:
            # What became of the way in is what becomes of the whole.
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
        ignores = task.node.step.on_error is OnError.IGNORE
        match status:
            case TaskStatus.SUCCEEDED | TaskStatus.CACHED:
                effect = Effect.OK
            case TaskStatus.SKIPPED:
                # A failure among the steps of a sub-pipeline is the `pipeline:` step's own.
                own = task.node.role is Role.LEAVE and ignores
                effect = Effect.BLAME if by_failure and not own else Effect.ABSENT
            case TaskStatus.FAILED:
                effect = Effect.ABSENT if ignores else Effect.BLAME
            case TaskStatus.UNKNOWN:
                effect = Effect.BLAME
            case TaskStatus.CANCELLED:
                effect = Effect.CANCELLED
        self._close(task, status, effect, reason)

    def _close(self, task: Task, status: TaskStatus, effect: Effect, reason: str) -> None:
        assert task.status is None, f"{task.name} ended twice"
        task.status, task.effect, task.reason, task.phase = status, effect, reason, Phase.DONE
        self.unfinished -= 1
        self._todo.extend(self._groups.ended(task))
        if task.waiters:
            self._todo.extend(task.waiters)
        task.waiters = None


_STOPS = frozenset({Effect.BLAME, Effect.CANCELLED})


def _twin(task: Task) -> Hole:
    step = task.node.step
    message = f'two tasks of {task.node.name} have the key "{task.key}"'
    place = step.key or step.for_each
    error = ExpressionError(
        message,
        code="spec.equal-keys",
        hint="give the step a `key:` that tells them apart",
        where=str(place.mark if place else step.mark),
    )
    return Hole(TaskStatus.FAILED, message, error=error)


def _no_agreeing(target: Node) -> Hole:
    return Hole(TaskStatus.FAILED, f"no task of {target.name} agrees with this one")


def _blame(blamed: Task) -> Hole:
    if blamed.effect is Effect.CANCELLED:
        return Hole(TaskStatus.CANCELLED, f"{blamed.name} was cancelled", blamed)
    root = blamed
    while root.status is TaskStatus.SKIPPED and root.cause is not None:
        root = root.cause
    word = "is of unknown outcome" if root.status is TaskStatus.UNKNOWN else "failed"
    return Hole(TaskStatus.SKIPPED, f"{root.name} {word}", root, by_failure=True)
