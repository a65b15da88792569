"""How a task comes by its place, order, key, item and matrix when an element of a list is known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from speedpix_pipe.plan.graph import Grows, Node
from speedpix_pipe.plan.keys import coordinate, cut, join_axes, key_text
from speedpix_pipe.plan.tasks import Element, Place, Task

Coordinates = tuple[Place, tuple[int, ...], dict[str, Any]]  # place, order, and the value of each axis


def combinations(node: Node, element: Element, place: Place, order: tuple[int, ...]) -> Iterator[Coordinates]:
    """One for each combination of axis values; the first axis turns slowest.

    Where the axes cannot be had there is one, with nothing for their values.
    """
    axes = node.step.matrix
    if not axes:
        yield place, order, {}
        return
    if element.axes is None:
        yield (*place, *[None] * len(axes)), (*order, *[0] * len(axes)), {}
        return
    names = [axis.name for axis in axes]
    for chosen in product(*[list(enumerate(values)) for values in element.axes]):
        yield (
            (*place, *[coordinate(value) for _, value in chosen]),
            (*order, *[position for position, _ in chosen]),
            {name: value for name, (_, value) in zip(names, chosen, strict=True)},
        )


def make_task(node: Node, source: Task | None, where: Coordinates, element: Element) -> Task:
    place, order, chosen = where
    axes = tuple([(name, key_text(value) or "") for name, value in chosen.items()])
    stem = element.part or ""
    item, index, matrix = element.item, element.position, chosen
    has_item = node.element is not None and element.position is not None
    if source is not None and node.grows is Grows.CHAIN:
        item, index, has_item = source.item, source.index, source.has_item
        stem = source.stem if element.part is None else _replace_own(element.part, source)
        axes = (*source.axes, *axes)
        matrix = {**source.matrix, **chosen} if chosen else source.matrix
    elif source is not None:
        origin = join_axes(source.stem, source.axes)
        stem = f"{origin}/{stem}" if origin and stem else origin or stem
        if node.grows is Grows.FLAT:
            matrix = {**source.matrix, **chosen} if chosen else source.matrix
    key = cut(join_axes(stem, axes))
    stand_in = element.hole is not None
    return Task(node, place, order, key, stem, axes, item, index, matrix, source, has_item=has_item, stand_in=stand_in)


def _replace_own(part: str, source: Task) -> str:
    """`key:` on a chained step replaces the item's own part; what it hangs below stays."""
    first = source
    while first.node.grows is Grows.CHAIN and first.source is not None:
        first = first.source
    if first.source is None:
        return part
    origin = join_axes(first.source.stem, first.source.axes)
    return f"{origin}/{part}" if origin and part else origin or part
