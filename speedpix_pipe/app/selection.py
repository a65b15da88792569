"""`--only` and `--from`: which tasks a run starts by itself. What they need is run too, when it is not cached.

SEL is STEP or STEP@KEY; KEY is exact, a pattern with `*`, or a file's name or stem if it fits one task.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import field
from pathlib import PurePath

from speedpix_pipe.errors import UsageError
from speedpix_pipe.plan.graph import Graph, Link, Node, Role
from speedpix_pipe.plan.tasks import Place, Task
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.nearest import nearest

SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Meeting:
    """A reference and the fan-outs in which both ends of it agree: where a task meets those it refers to."""

    link: Link
    part: Place


@dataclass(slots=True)
class Selection:
    """`nodes` None means everything. `demand` are the steps of which tasks may start unasked."""

    nodes: set[int] | None = None
    demand: set[int] | None = None
    whole: set[int] = field(default_factory=set)  # steps that were named without a key
    keys: dict[int, list[str]] = field(default_factory=dict)
    exact: dict[int, set[str]] = field(default_factory=dict)  # whole keys, no patterns
    following: set[int] = field(default_factory=set)  # steps after a task that `--from` names
    _chosen: set[Task] = field(default_factory=set)
    _met: set[_Meeting] = field(default_factory=set)  # where chosen tasks are referred to from
    _passed_over: dict[_Meeting | Task, list[Task]] = field(default_factory=dict)  # whom a late choice would concern
    _links: dict[int, list[Link]] = field(default_factory=dict)  # by whom they refer to
    _walk: Walk | None = None

    def attach(self, walk: Walk) -> None:
        """From now on the walk asks which of its new tasks start unasked."""
        self._walk = walk
        if self.demand is not None:
            walk.wanted = self.wants

    def wants(self, task: Task) -> bool:
        index = task.node.index
        wanted = (
            index in self.whole
            or task.key in self.exact.get(index, ())
            or any(matches(task.key, pattern) for pattern in self.keys.get(index, ()))
            or (index in self.following and self._follows(task))
        )
        if wanted:
            self._choose(task)
        elif index in self.following:
            self._pass_over(task)
        return wanted

    def _follows(self, task: Task) -> bool:
        """Whether the task comes from, or refers to, one that was chosen."""
        if task.source is not None and task.source in self._chosen:
            return True
        return any(_asker(link, task) in self._met for link in _links(task.node))

    def _pass_over(self, task: Task) -> None:
        """A gather is born before what it gathers: it may follow from a task that is chosen later."""
        places: list[_Meeting | Task] = [_asker(link, task) for link in _links(task.node)]
        for place in places if task.source is None else [*places, task.source]:
            self._passed_over.setdefault(place, []).append(task)

    def _choose(self, task: Task) -> None:
        """From now on it is chosen, and so is whoever follows from it."""
        walk, todo = self._walk, [task]
        assert walk is not None
        while todo:
            chosen = todo.pop()
            if chosen in self._chosen:
                continue
            self._chosen.add(chosen)
            walk.ask_for(chosen)
            meetings = [_Meeting(link, _part(chosen.place, link.of_target)) for link in self._links_to(chosen.node)]
            self._met.update(meetings)
            concerned: list[_Meeting | Task] = [*meetings, chosen]
            for place in concerned:
                todo.extend(self._passed_over.pop(place, []))

    def _links_to(self, node: Node) -> list[Link]:
        walk = self._walk
        assert walk is not None
        if not self._links:
            for other in walk.graph:
                for link in _links(other):
                    self._links.setdefault(link.target, []).append(link)
        return self._links.get(node.index, [])

    def check_exact(self) -> None:
        """The same for whole keys: of a task that the spec has no longer, nothing can be done again."""
        walk = self._walk
        for index, keys in self.exact.items():
            if walk is not None and walk.closed(index):
                for key in sorted(keys - set(walk.keys[index])):
                    raise _no_task(walk.graph.nodes[index].name, key, list(walk.keys[index]))

    def check(self) -> None:
        """Once all tasks are known that can be: each key fits a task, and a file's name only one."""
        walk = self._walk
        if walk is None:
            return
        for index, patterns in self.keys.items():
            node = walk.graph.nodes[index]
            keys = list(walk.keys[index])
            for pattern in patterns:
                found = [key for key in keys if matches(key, pattern)]
                if not found and walk.closed(index):
                    raise _no_task(node.name, pattern, keys)
                if len(found) > 1 and "*" not in pattern and pattern not in found:
                    names = ", ".join(f"{node.name}@{key}" for key in found[:SHOWN])
                    raise UsageError(
                        f'"{node.name}@{pattern}" fits {len(found)} tasks: {names}',
                        code="usage.ambiguous-task",
                        hint=f"write the whole key, or '{node.name}@*{pattern}*' for all of them",
                    )


def _links(node: Node) -> tuple[Link, ...]:
    return (*node.list_links, *node.axis_links, *node.when_links, *node.run_links)


def _asker(link: Link, task: Task) -> _Meeting:
    return _Meeting(link, _part(task.place, link.of_asker))


def _part(place: Place, positions: tuple[int, ...]) -> Place:
    return tuple([place[i] for i in positions])


def select(graph: Graph, only: Sequence[str], start_from: Sequence[str]) -> Selection:
    """The selection that the texts mean. UsageError for a step that does not exist."""
    if not only and not start_from:
        return Selection()
    nodes: set[int] = set()
    demand: set[int] = set()
    selection = Selection(nodes, demand)
    for text, follow in [*((text, False) for text in only), *((text, True) for text in start_from)]:
        step, at, key = text.partition("@")
        index = _node(graph, step)
        demand.add(index)
        nodes |= graph.ancestors(step)
        if at:
            selection.keys.setdefault(index, []).append(key)
        else:
            selection.whole.add(index)
        if follow:
            after = [n for n in graph if n.index != index and index in graph.ancestors_of(n.index)]
            (selection.following if at else selection.whole).update(n.index for n in after)
            for node in after:
                demand.add(node.index)
                nodes |= graph.ancestors_of(node.index)
    return selection


def exactly(graph: Graph, tasks: Iterable[tuple[str, str]]) -> Selection:
    """Exactly these tasks, by step and whole key, and what follows from them. UsageError for a step that is gone."""
    nodes: set[int] = set()
    demand: set[int] = set()
    selection = Selection(nodes, demand)
    for step, key in tasks:
        selection.exact.setdefault(_node(graph, step), set()).add(key)
    for index in selection.exact:
        after = [n.index for n in graph if n.index != index and index in graph.ancestors_of(n.index)]
        selection.following.update(after)
        for one in (index, *after):
            demand.add(one)
            nodes |= graph.ancestors_of(one)
    return selection


def matches(key: str, pattern: str) -> bool:
    """An exact key, a pattern with `*`, or a file's name or stem."""
    if key == pattern:
        return True
    if "*" in pattern:
        return fnmatch.fnmatchcase(key, pattern.replace("[", "[[]"))
    path = PurePath(key.partition(",")[0])
    return bool(pattern) and pattern in {path.name, path.stem}


def _no_task(step: str, pattern: str, keys: Sequence[str]) -> UsageError:
    near = nearest(pattern, keys)
    shown = ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
    hint = f'did you mean "{step}@{near}"?' if near else f"its keys are: {shown or 'none'}"
    return UsageError(f'no task "{step}@{pattern}"', code="usage.no-task", hint=hint)


def _node(graph: Graph, step: str) -> int:
    node = graph.node(step)
    if node is None:
        names = [n.name for n in graph if n.role is not Role.ENTER]
        near = nearest(step, names)
        hint = f'did you mean "{near}"?' if near else f"the steps are: {', '.join(names)}"
        raise UsageError(f'no step "{step}"', code="usage.no-step", hint=hint)
    return node.index
