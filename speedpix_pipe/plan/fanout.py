"""Tasks as items appear: evaluates the lists, axes and keys that an expansion of the walk asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from math import prod
from typing import Any

from speedpix_pipe.errors import AbsentError, ExpressionError
from speedpix_pipe.model import TaskStatus, Template
from speedpix_pipe.plan.graph import Graph, Grows, Node, expressions_in, has_key
from speedpix_pipe.plan.keys import coordinate, key_text, own_key_text
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Effect, Element, Hole, Task, Unit
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.scope import Scope

LARGEST = 1_000_000
VARYING = frozenset({"item", "index", "matrix", "steps"})

OnError = Callable[[Unit, ExpressionError], None]


class Fanout:
    """Answers the `Expand` commands of one walk. What cannot be evaluated becomes a hole, never an exception.

    A list that several steps share by its text is evaluated once, so that they see the same elements even where
    files come and go meanwhile.
    """

    def __init__(self, scopes: Scopes, on_error: OnError | None = None, most: int | None = None) -> None:
        """With `most`, no list gives more tasks than that; `shortened` says of which steps that is true."""
        self.scopes = scopes
        self.shortened: dict[int, int] = {}  # node -> how many its longest list would give
        self.most = most
        self._on_error = on_error
        self._constant: dict[int, tuple[Sequence[Any], ...]] = {}
        self._shared = _shared_lists(scopes.walk.graph)
        self._lists: dict[tuple[str, Task | None], Sequence[Any]] = {}

    def expand(self, unit: Unit) -> list[Element]:
        if unit.hole is not None:
            return [self._hole(unit, unit.hole)]
        try:
            return [self._one(unit)] if unit.for_axes else self._many(unit)
        except ExpressionError as error:
            return [self._hole(unit, self._why(unit, error))]

    def _why(self, unit: Unit, error: ExpressionError) -> Hole:
        source = unit.source
        if isinstance(error, AbsentError):
            return Hole(TaskStatus.SKIPPED, str(error), source)
        if source is not None and source.stand_in and source.effect is not Effect.OK:
            return Hole(TaskStatus.SKIPPED, f"{source.name} has no output", source)
        if self._on_error is not None and unit.node.grows is not Grows.CHAIN:
            self._on_error(unit, error)  # a chained task may yet be skipped with its origin
        return Hole(TaskStatus.FAILED, str(error), error=error)

    def _hole(self, unit: Unit, hole: Hole) -> Element:
        """What stands for the list, or for the axes of the one element whose axes cannot be had."""
        known = unit.element
        if known is not None:
            return Element(known.item, known.part or str(known.position), None, known.position, hole)
        return Element(hole=hole, axes=self._axes_of_hole(unit))

    def _many(self, unit: Unit) -> list[Element]:
        node = unit.node
        values = self._list(unit)
        self._refuse_crowd(node, len(values))
        if self.most is not None and len(values) > self.most:
            self.shortened[node.index] = max(len(values), self.shortened.get(node.index, 0))
            values = values[: self.most]
        later = bool(node.axis_links)
        elements = []
        for position, item in enumerate(values):
            element = Element(item, None, None if later else (), position)
            scope = None
            if has_key(node.step):
                if not later:
                    scope = self.scopes.with_element(unit, item, position)
                    element.part = self._key(node.step.key, scope)
            else:
                element.part = self._natural(node, item, position)
            if node.step.matrix and not later:
                scope = scope or self.scopes.with_element(unit, item, position)
                self._give_axes(unit, element, scope)
            elements.append(element)
        if not later:
            self._refuse_twins(node, elements)
        self._refuse_crowd(node, sum(_tasks_of(element) for element in elements))
        return self._first(node, elements)

    def _list(self, unit: Unit) -> Sequence[Any]:
        node = unit.node
        assert node.element is not None
        identity = (node.dims[node.element].id, unit.source)
        known = self._lists.get(identity)
        if known is not None:
            return known
        template = node.step.for_each
        assert template is not None
        values = render(template, self.scopes.of_unit(unit))
        if not isinstance(values, list | tuple):
            raise ExpressionError(
                f"for_each needs a list, this is {_kind(values)}", where=str(template.mark), code="spec.no-list"
            )
        if identity[0] in self._shared:
            self._lists[identity] = values
        return values

    def _give_axes(self, unit: Unit, element: Element, scope: Scope) -> None:
        """The axes of one element. Where they cannot be had, that element alone is lost."""
        try:
            element.axes = self._axes(unit.node, scope)
        except ExpressionError as error:
            element.axes, element.hole = None, self._why(unit, error)

    def _one(self, unit: Unit) -> Element:
        """The axes (and key) of a known element, of a chained task, or of a matrix that stands alone."""
        node, known = unit.node, unit.element
        item, position = (known.item, known.position) if known else (None, None)
        scope = self.scopes.with_element(unit, item, position)
        part = known.part if known else None
        if has_key(node.step):
            part = self._key(node.step.key, scope)
        element = Element(item, part, self._axes(node, scope), position)
        self._refuse_crowd(node, _tasks_of(element))
        return self._first(node, [element])[0]

    def _first(self, node: Node, elements: list[Element]) -> list[Element]:
        """As many of them as are wanted, the last of them with its first axis values only."""
        count = sum(_tasks_of(element) for element in elements)
        if self.most is None or count <= self.most:
            return elements
        self.shortened[node.index] = max(count, self.shortened.get(node.index, 0))
        left = self.most
        for number, element in enumerate(elements, start=1):
            if element.axes:
                element.axes = _first_values(element.axes, left)
            left -= _tasks_of(element)
            if left <= 0:
                return elements[:number]
        return elements

    def _refuse_crowd(self, node: Node, more: int) -> None:
        if len(self.scopes.walk.keys[node.index]) + more > LARGEST:
            step = node.step
            raise ExpressionError(
                f"a fan-out has at most {LARGEST:,} tasks, {node.name} would have more",
                where=str(step.for_each.mark if step.for_each else step.matrix[0].mark),
                code="spec.fan-out-size",
            )

    def _axes(self, node: Node, scope: Scope) -> tuple[Sequence[Any], ...]:
        constant = self._constant.get(node.index)
        if constant is not None:
            return constant
        found = tuple([_axis(axis.name, axis.values, scope, self.most) for axis in node.step.matrix])
        templates = [axis.values for axis in node.step.matrix]
        varies = any(VARYING & e.names for t in templates for e in expressions_in(t))
        if not varies and node.space.enter is None:
            self._constant[node.index] = found
        return found

    def _axes_of_hole(self, unit: Unit) -> tuple[Sequence[Any], ...] | None:
        """A list that could not be had is multiplied by the matrix where that is known all the same."""
        node = unit.node
        if not node.step.matrix:
            return ()
        if node.axis_links:
            return None
        try:
            axes = self._axes(node, self.scopes.with_element(unit, None, None, known=False))
        except ExpressionError:
            return None
        return axes if prod(map(len, axes)) <= LARGEST else None

    @staticmethod
    def _key(template: Template | None, scope: Scope) -> str:
        assert template is not None
        value = render(template, scope)
        text = own_key_text(value)
        if text is None:
            raise ExpressionError(
                f"a key is a text, a number or a boolean, this is {_kind(value)}", where=str(template.mark)
            )
        return text

    @staticmethod
    def _natural(node: Node, item: Any, position: int) -> str:
        if node.grows is Grows.FLAT:
            return str(position)
        text = key_text(item)
        if text is None:
            assert node.step.for_each is not None
            message = f"element {position + 1} is {_kind(item)} and gives no key"
            hint = "give the step a `key:`, or the objects a `name`"
            raise ExpressionError(message, where=str(node.step.for_each.mark), code="spec.no-key", hint=hint)
        return text

    @staticmethod
    def _refuse_twins(node: Node, elements: Sequence[Element]) -> None:
        seen: dict[str | None, int] = {}
        for position, element in enumerate(elements):
            first = seen.setdefault(element.part, position)
            if first != position:
                assert node.step.for_each is not None
                message = f'elements {first + 1} and {position + 1} have the same key "{element.part}"'
                hint = "give the step a `key:` that tells them apart"
                raise ExpressionError(message, where=str(node.step.for_each.mark), code="spec.equal-keys", hint=hint)


def _axis(name: str, template: Template, scope: Scope, most: int | None) -> Sequence[Any]:
    """The values of one axis: each (of the first `most`) gives a key, and no two the same one."""
    values = render(template, scope)
    where = str(template.mark)
    if not isinstance(values, list | tuple):
        raise ExpressionError(f'matrix axis "{name}" needs a list, this is {_kind(values)}', where=where)
    seen: dict[Any, int] = {}
    for position, value in enumerate(islice(values, most)):
        text = key_text(value)
        if text is None:
            message = f'element {position + 1} of axis "{name}" is {_kind(value)} and gives no key'
            raise ExpressionError(message, where=where, hint="use texts, numbers, or objects with a `name`")
        for identity in (("key", text), ("value", coordinate(value))):
            first = seen.setdefault(identity, position)
            if first != position:
                message = f'elements {first + 1} and {position + 1} of axis "{name}" have the same key "{text}"'
                raise ExpressionError(message, where=where, code="spec.equal-keys", hint="leave one of them out")
    return values


def _first_values(axes: Iterable[Sequence[Any]], most: int) -> tuple[Sequence[Any], ...]:
    """The beginning of each axis, so that no more than `most` combinations are left."""
    kept = []
    for values in axes:
        kept.append(values[: max(1, most)])
        most //= max(1, len(kept[-1]))
    return tuple(kept)


def _tasks_of(element: Element) -> int:
    return prod(len(values) for values in element.axes or ())


def _shared_lists(graph: Graph) -> set[str]:
    """The ids of the fan-outs that more than one step evaluates."""
    counts = Counter(node.dims[node.element].id for node in graph if node.element is not None)
    return {identity for identity, count in counts.items() if count > 1}


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return "a file"
