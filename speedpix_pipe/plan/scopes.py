"""What the expressions of a task see: its item, its params, and the agreeing tasks of other steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speedpix_pipe.files import FileAccess
from speedpix_pipe.model import Json
from speedpix_pipe.plan.graph import Dim, Graph, Grows, Link, Node, Role, Space, make_link
from speedpix_pipe.plan.tasks import Effect, Task, Unit
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.params import Files
from speedpix_pipe.spec.scope import ABSENT, MISSING, Scope, TaskView


@dataclass(slots=True)
class Surroundings:
    """What all expressions of a run share."""

    params: Mapping[str, Any]
    env: Mapping[str, str]
    run: Mapping[str, str]
    git: Mapping[str, Json]
    files: Mapping[int, FileAccess]  # by the number of the space: each pipeline has a folder of its own
    param_files: Files


class Scopes:
    """Makes the scope of any task or expansion of a walk."""

    def __init__(self, walk: Walk, around: Surroundings) -> None:
        self.walk = walk
        self.around = around
        self._spaces = {id(space): number for number, space in enumerate(walk.graph.spaces)}
        self.param_files = around.param_files
        self._links: dict[tuple[tuple[Dim, ...], int, bool], Link] = {}

    def of_task(self, task: Task, extra: Mapping[str, Any] | None = None) -> Scope:
        node = task.node
        space = node.space
        asker: Task | Unit = task
        scope = self._scope(
            space, task.source if node.role is Role.LEAVE else task, _Seen(self, space, asker, node.dims)
        )
        if node.role is not Role.LEAVE:
            scope.matrix = task.matrix if node.dims else MISSING
            if task.has_item:
                scope.item, scope.index = task.item, task.index
        if extra:
            scope.extra = extra
        return scope

    def of_unit(self, unit: Unit) -> Scope:
        """For `for_each`: nothing of the item. For axes and keys: see `with_element`."""
        node = unit.node
        dims = node.dims[: len(unit.place)]
        return self._scope(node.space, unit.source, _Seen(self, node.space, unit, dims))

    def with_element(self, unit: Unit, item: Any, index: int | None, *, known: bool = True) -> Scope:
        """The scope of `matrix` and `key` for one element of a unit."""
        scope = self.of_unit(unit)
        node, source = unit.node, unit.source
        if node.grows is Grows.CHAIN and source is not None:
            scope.matrix = source.matrix
            if source.has_item:
                scope.item, scope.index = source.item, source.index
        elif known and node.element is not None:
            scope.item, scope.index = item, index
        if node.grows is Grows.FLAT and source is not None:
            scope.matrix = source.matrix
        return scope

    def of_output(self) -> tuple[Scope, AtEnd]:
        """For one of the pipeline's own `outputs`: seen from no fan-out, when all is over."""
        space = self.walk.graph.spaces[0]
        node = self.walk.graph.nodes[0]
        steps = AtEnd(self, space, Unit(node, None, ()), ())
        return self._scope(space, None, steps), steps

    def _scope(self, space: Space, task: Task | None, steps: _Seen) -> Scope:
        number = self._spaces[id(space)]
        params = self.around.params if space.enter is None else self._inner_params(space, task)
        return Scope(
            folder=space.pipeline.folder,
            params=params,
            env=self.around.env,
            run=self.around.run,
            git=self.around.git,
            files=self.around.files[number],
            item=MISSING,
            index=MISSING,
            matrix=MISSING,
            steps=steps,
        )

    def _inner_params(self, space: Space, task: Task | None) -> Mapping[str, Any]:
        """Walk up to the task that entered this space."""
        while task is not None and task.node.index != space.enter:
            task = task.source
        assert task is not None
        return task.output if isinstance(task.output, Mapping) else {}

    def link(self, dims: tuple[Dim, ...], target: int, *, many: bool) -> Link:
        key = (dims, target, many)
        found = self._links.get(key)
        if found is None:
            found = self._links[key] = make_link(self.walk.graph.nodes, dims, target, many=many)
        return found


@dataclass(slots=True)
class _Seen:
    """`steps` as one asker sees it."""

    scopes: Scopes
    space: Space
    asker: Task | Unit
    dims: tuple[Dim, ...]

    def one(self, step: str) -> TaskView | None:
        link = self.scopes.link(self.dims, self.space.nodes[step], many=False)
        task = self.scopes.walk.one(self.asker, link)
        return view_of(task) if task is not None else None

    def many(self, step: str) -> Sequence[TaskView]:
        link = self.scopes.link(self.dims, self.space.nodes[step], many=True)
        return [view_of(task) for task in self.scopes.walk.many(self.asker, link)]


@dataclass(slots=True)
class AtEnd(_Seen):
    """`steps` when all is over. Notes whether a task would have been skipped, had it asked for the same."""

    lacking: bool = False

    def one(self, step: str) -> TaskView | None:
        view = _Seen.one(self, step)
        self.lacking = self.lacking or view is None or view.output is ABSENT
        return view

    def many(self, step: str) -> Sequence[TaskView]:
        link = self.scopes.link(self.dims, self.space.nodes[step], many=True)
        effects = {task.effect for task in self.scopes.walk.members(self.asker, link)}
        self.lacking = self.lacking or Effect.OK not in effects or not effects <= {Effect.OK, Effect.ABSENT}
        return _Seen.many(self, step)


def view_of(task: Task) -> TaskView:
    has_index = task.has_item and task.index is not None
    return TaskView(
        key=task.key,
        item=task.item if task.has_item else MISSING,
        index=task.index if has_index else MISSING,
        matrix=task.matrix,
        output=task.output if task.effect is Effect.OK else ABSENT,
        files=tuple(task.files),
    )


def visible(node: Node) -> bool:
    """Whether tasks of the node are shown and counted: the entry of a sub-pipeline is not."""
    return node.role is not Role.ENTER


def shown_graph(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if visible(node)]
