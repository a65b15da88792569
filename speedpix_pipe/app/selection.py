"""`--only` and `--from`: which tasks a run starts by itself. What they need is run too, when it is not cached."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from speedpix_pipe.errors import UsageError
from speedpix_pipe.plan.graph import Graph, Role
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.plan.walk import Walk


@dataclass(slots=True)
class Selection:
    """`nodes` None means everything. `demand` are the steps whose tasks start unasked."""

    nodes: set[int] | None = None
    demand: set[int] | None = None
    keys: dict[int, list[str]] = field(default_factory=dict)

    def attach(self, walk: Walk) -> None:
        """From now on the walk asks which of its new tasks start unasked."""
        if self.keys:
            walk.wanted = self.wants

    def wants(self, task: Task) -> bool:
        patterns = self.keys.get(task.node.index)
        return patterns is None or any(matches(task.key, pattern) for pattern in patterns)


def select(graph: Graph, only: Sequence[str], start_from: Sequence[str]) -> Selection:
    """The selection that STEP and STEP@KEY texts mean. UsageError for a step that does not exist."""
    if not only and not start_from:
        return Selection()
    selection = Selection(set(), set())
    assert selection.nodes is not None
    assert selection.demand is not None
    everything: set[int] = set()
    for text in only:
        step, at, key = text.partition("@")
        index = _node(graph, step)
        selection.demand.add(index)
        selection.nodes |= graph.ancestors(step)
        if at:
            selection.keys.setdefault(index, []).append(key)
        else:
            everything.add(index)
    for text in start_from:
        step, at, key = text.partition("@")
        index = _node(graph, step)
        if at:
            selection.keys.setdefault(index, []).append(key)
        else:
            everything.add(index)
        for node in graph:
            if node.index == index or index in graph.ancestors(node.name):
                selection.demand.add(node.index)
                selection.nodes |= graph.ancestors(node.name)
    for index in everything:
        selection.keys.pop(index, None)
    return selection


def matches(key: str, pattern: str) -> bool:
    """An exact key, a pattern with `*`, or a file's name or stem."""
    if key == pattern:
        return True
    if "*" in pattern:
        return fnmatch.fnmatchcase(key, pattern.replace("[", "[[]"))
    path = PurePath(key.partition(",")[0])
    return pattern in {path.name, path.stem}


def _node(graph: Graph, step: str) -> int:
    node = graph.node(step)
    if node is None:
        names = [n.name for n in graph if n.role is not Role.ENTER]
        near = difflib.get_close_matches(step, names, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"the steps are: {', '.join(names)}"
        raise UsageError(f'no step "{step}"', code="usage.no-step", hint=hint)
    return node.index
