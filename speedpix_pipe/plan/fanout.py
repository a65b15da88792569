"""Tasks as items appear: evaluates the lists, axes and keys that an expansion of the walk asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from speedpix_pipe.errors import AbsentError, ExpressionError
from speedpix_pipe.model import TaskStatus, Template
from speedpix_pipe.plan.graph import Grows, Node, axis_templates, expressions_in
from speedpix_pipe.plan.keys import key_text, own_key_text
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Element, Hole, Unit
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.scope import Scope

LARGEST = 1_000_000
VARYING = frozenset({"item", "index", "matrix", "steps"})

OnError = Callable[[Unit, ExpressionError], None]


class Fanout:
    """Answers the `Expand` commands of one walk. What cannot be evaluated becomes a hole, never an exception."""

    def __init__(self, scopes: Scopes, on_error: OnError | None = None) -> None:
        self.scopes = scopes
        self._on_error = on_error
        self._constant: dict[int, tuple[Sequence[Any], ...]] = {}

    def expand(self, unit: Unit) -> list[Element]:
        if unit.hole is not None:
            return [Element(hole=unit.hole, axes=self._axes_of_hole(unit))]
        try:
            if unit.for_axes:
                return [self._one(unit)]
            return self._many(unit)
        except AbsentError as error:
            hole = Hole(TaskStatus.SKIPPED, str(error), unit.source)
        except ExpressionError as error:
            if self._on_error is not None:
                self._on_error(unit, error)
            hole = Hole(TaskStatus.FAILED, str(error))
        return [Element(hole=hole, axes=self._axes_of_hole(unit))]

    def _many(self, unit: Unit) -> list[Element]:
        node = unit.node
        step = node.step
        assert step.for_each is not None
        values = render(step.for_each, self.scopes.of_unit(unit))
        if not isinstance(values, list | tuple):
            raise ExpressionError(
                f"for_each needs a list, this is {_kind(values)}", where=str(step.for_each.mark), code="spec.no-list"
            )
        if len(values) > LARGEST:
            raise ExpressionError(
                f"a fan-out has at most {LARGEST:,} elements, this has {len(values):,}", where=str(step.for_each.mark)
            )
        later = bool(node.axis_links)
        keyed = step.key is not None and not later
        elements = []
        for position, item in enumerate(values):
            element = Element(item, None, None if later else (), position)
            if keyed or (step.matrix and not later):
                scope = self.scopes.with_element(unit, item, position)
                if not later:
                    element.axes = self._axes(node, scope)
                element.part = self._key(step.key, scope) if step.key is not None else None
            if element.part is None and step.key is None:
                element.part = self._natural(node, item, position)
            elements.append(element)
        if not later:
            self._refuse_twins(node, elements)
        return elements

    def _one(self, unit: Unit) -> Element:
        """The axes (and key) of a known element, of a chained task, or of a matrix that stands alone."""
        node, known = unit.node, unit.element
        item, position = (known.item, known.position) if known else (None, None)
        scope = self.scopes.with_element(unit, item, position)
        part = known.part if known else None
        if node.step.key is not None and node.step.for_each is not None:
            part = self._key(node.step.key, scope)
        return Element(item, part, self._axes(node, scope), position or 0)

    def _axes(self, node: Node, scope: Scope) -> tuple[Sequence[Any], ...]:
        constant = self._constant.get(node.index)
        if constant is not None:
            return constant
        found = tuple([self._axis(axis.name, axis.values, scope) for axis in node.step.matrix])
        if (
            not any(VARYING & e.names for t in axis_templates(node.step) for e in expressions_in(t))
            and not node.space.enter
        ):
            self._constant[node.index] = found
        return found

    @staticmethod
    def _axis(name: str, template: Template, scope: Scope) -> Sequence[Any]:
        values = render(template, scope)
        where = str(template.mark)
        if not isinstance(values, list | tuple):
            raise ExpressionError(f'matrix axis "{name}" needs a list, this is {_kind(values)}', where=where)
        for position, value in enumerate(values):
            if key_text(value) is None:
                message = f'element {position + 1} of axis "{name}" is {_kind(value)} and gives no key'
                raise ExpressionError(message, where=where, hint="use texts, numbers, or objects with a `name`")
        return values

    def _axes_of_hole(self, unit: Unit) -> tuple[Sequence[Any], ...] | None:
        """A list that could not be had is multiplied by the matrix where that is known all the same."""
        node = unit.node
        if not node.step.matrix:
            return ()
        if node.axis_links:
            return None
        try:
            return self._axes(node, self.scopes.with_element(unit, None, None, known=False))
        except ExpressionError:
            return None

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
        for element in elements:
            first = seen.setdefault(element.part, element.position)
            if first != element.position:
                assert node.step.for_each is not None
                message = f'elements {first + 1} and {element.position + 1} have the same key "{element.part}"'
                hint = "give the step a `key:` that tells them apart"
                raise ExpressionError(message, where=str(node.step.for_each.mark), code="spec.equal-keys", hint=hint)


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
