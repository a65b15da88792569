"""Filters on lists and objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.spec.budget import CHUNK, Evaluation
from speedpix_pipe.spec.filters_text import Filter, whole
from speedpix_pipe.spec.operators import add
from speedpix_pipe.spec.values import NUMBER, Group, Undefined, as_text, described, subscript

NOT_GIVEN = object()

Reader = Callable[[Any], Any]


def reader(path: Any, default: Any = NOT_GIVEN) -> Reader:
    """What looks up `a.b.0` in each element; the element itself for None."""
    if path is None:
        return lambda element: element
    names = (
        [path] if isinstance(path, int) else [int(one) if one.isdigit() else one for one in as_text(path).split(".")]
    )

    def read(element: Any) -> Any:
        for name in names:
            if isinstance(name, int) and isinstance(element, Mapping):
                element = subscript(element, str(name), "an element")
            else:
                element = subscript(element, name, "an element")
        if element.__class__ is Undefined and default is not NOT_GIVEN:
            return default
        return element

    return read


def given(value: Any) -> Any:
    if value.__class__ is Undefined:
        raise value.error()
    return value


def _key(value: Any, *, case_sensitive: bool) -> Any:
    value = given(value)
    if isinstance(value, FileValue):
        value = value.path
    if isinstance(value, str):
        return value if case_sensitive else value.lower()
    if isinstance(value, NUMBER):
        return value
    raise ExpressionError(f"{described(value)} has no place in an order", hint="name what to compare with `attribute=`")


def _keyed(ev: Evaluation, value: Any, attribute: Any, *, case_sensitive: bool) -> list[tuple[Any, Any]]:
    read = reader(attribute)
    pairs = ev.collect((_key(read(one), case_sensitive=case_sensitive), one) for one in ev.each(value))
    kinds = {isinstance(key, str) for key, _ in pairs}
    if len(kinds) > 1:
        raise ExpressionError(
            "texts and numbers have no common order", hint="make one kind of them, such as `| map('string')`"
        )
    return pairs


def _sort(
    ev: Evaluation,
    value: Any,
    reverse: bool = False,  # noqa: FBT001, FBT002 - Jinja2's signature
    case_sensitive: bool = False,  # noqa: FBT001, FBT002 - likewise
    attribute: Any = None,
) -> list[Any]:
    elements = ev.collect(ev.each(value))
    # By several attributes: by the last one first, as sorting keeps equal elements in their order.
    for one in reversed(as_text(attribute).split(",") if isinstance(attribute, str) else [attribute]):
        pairs = _keyed(ev, elements, one, case_sensitive=case_sensitive)
        pairs.sort(key=lambda pair: pair[0], reverse=reverse)
        elements = [element for _, element in pairs]
    return elements


def _dictsort(
    ev: Evaluation,
    value: Any,
    case_sensitive: bool = False,  # noqa: FBT001, FBT002 - Jinja2's signature
    by: str = "key",
    reverse: bool = False,  # noqa: FBT001, FBT002 - likewise
) -> list[Any]:
    if by not in {"key", "value"}:
        raise ExpressionError("`dictsort` sorts by 'key' or by 'value'")
    return _sort(ev, _items(ev, value), reverse, case_sensitive, 0 if by == "key" else 1)


def _items(_ev: Evaluation, value: Any) -> list[Any]:
    if value.__class__ is Undefined or not isinstance(value, Mapping):
        raise ExpressionError(f"an object is needed here, not {described(value)}")
    return [[key, inner] for key, inner in value.items()]


def _groupby(
    ev: Evaluation,
    value: Any,
    attribute: Any,
    default: Any = NOT_GIVEN,
    case_sensitive: bool = False,  # noqa: FBT001, FBT002 - Jinja2's signature
) -> list[Group]:
    read = reader(attribute, default)
    pairs = ev.collect((_key(read(one), case_sensitive=case_sensitive), one) for one in ev.each(value))
    if len({isinstance(key, str) for key, _ in pairs}) > 1:
        raise ExpressionError("texts and numbers have no common order")
    pairs.sort(key=lambda pair: pair[0])
    groups = []
    for _, members in itertools.groupby(pairs, key=lambda pair: pair[0]):
        elements = [element for _, element in members]
        groups.append(Group([read(elements[0]), elements]))
    return groups


def _unique(ev: Evaluation, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:  # noqa: FBT001, FBT002 - Jinja2's signature
    read, seen, found = reader(attribute), set(), []
    for element in ev.each(value):
        key = given(read(element))
        if isinstance(key, str) and not case_sensitive:
            key = key.lower()
        try:
            new = key not in seen
        except TypeError:
            raise ExpressionError(
                f"{described(key)} cannot be told apart", hint="name what to compare with `attribute=`"
            ) from None
        if new:
            seen.add(key)
            found.append(element)
            if len(found) % CHUNK == 0:
                ev.elements(CHUNK * 2)  # as a key and as an element
    return found


def _extreme(pick: Callable[..., Any], name: str) -> Callable[..., Any]:
    def extreme(ev: Evaluation, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:  # noqa: FBT001, FBT002 - Jinja2's signature
        if isinstance(value, range) and attribute is None:
            return pick(value[0], value[-1]) if value else Undefined(f"an empty list has no `{name}`")
        pairs = _keyed(ev, value, attribute, case_sensitive=case_sensitive)
        if not pairs:
            return Undefined(f"an empty list has no `{name}`")
        return pick(pairs, key=lambda pair: pair[0])[1]

    return extreme


def _sum(ev: Evaluation, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    if isinstance(value, range) and attribute is None and isinstance(start, int):
        return start + len(value) * (value[0] + value[-1]) // 2 if value else start
    read, total = reader(attribute), start
    for at, element in enumerate(ev.each(value)):
        if not at % 1024:
            ev.tick()
        total = add(ev, total, given(read(element)))
    return total


def _first(_ev: Evaluation, value: Any) -> Any:
    return _end(value, 0, "first")


def _last(_ev: Evaluation, value: Any) -> Any:
    return _end(value, -1, "last")


def _end(value: Any, at: int, name: str) -> Any:
    if isinstance(value, Mapping):
        value = list(value)
    if not isinstance(value, list | str | range):
        raise ExpressionError(f"a list is needed here, not {described(value)}")
    return value[at] if value else Undefined(f"an empty list has no `{name}`")


def _length(_ev: Evaluation, value: Any) -> int:
    if isinstance(value, list | str | range | Mapping):
        return len(value)
    raise ExpressionError(f"{described(value)} has no length")


def _list(ev: Evaluation, value: Any) -> Any:
    # Nothing changes a list in an expression, so it may be its own copy; a range is one that needs no memory.
    return value if isinstance(value, list | range) else ev.collect(ev.each(value))


def _reverse(ev: Evaluation, value: Any) -> Any:
    if isinstance(value, str | range):
        return value[::-1]
    return ev.collect(reversed(list(ev.each(value))))


def _join(ev: Evaluation, value: Any, d: Any = "", attribute: Any = None) -> str:
    between, read = as_text(d), reader(attribute)
    texts: list[str] = []
    size = -len(between)
    for element in ev.each(value):
        text = as_text(given(read(element)))
        size += len(text) + len(between)
        texts.append(text)
        if len(texts) % CHUNK == 0:
            ev.elements(CHUNK)
            ev.text(max(size, 0))
    ev.text(max(size, 0))
    return between.join(texts)


def _batch(ev: Evaluation, value: Any, linecount: Any, fill_with: Any = None) -> list[list[Any]]:
    size = whole(linecount, "the size of a batch")
    if size < 1:
        raise ExpressionError("the size of a batch must be at least 1")
    elements = ev.collect(ev.each(value))
    rows = [elements[at : at + size] for at in range(0, len(elements), size)]
    if rows and fill_with is not None:
        ev.elements(size)
        rows[-1] += [fill_with] * (size - len(rows[-1]))
    return rows


def _slice(ev: Evaluation, value: Any, slices: Any, fill_with: Any = None) -> list[list[Any]]:
    count = whole(slices, "the number of slices")
    if count < 1:
        raise ExpressionError("the number of slices must be at least 1")
    ev.elements(count)
    elements = ev.collect(ev.each(value))
    short, longer = divmod(len(elements), count)
    rows, at = [], 0
    for row in range(count):
        end = at + short + (row < longer)
        rows.append(elements[at:end])
        if fill_with is not None and longer and row >= longer:
            rows[-1].append(fill_with)
        at = end
    return rows


LIST_FILTERS: dict[str, Filter] = {
    "batch": _batch,
    "count": _length,
    "dictsort": _dictsort,
    "first": _first,
    "groupby": _groupby,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": _list,
    "max": _extreme(max, "max"),
    "min": _extreme(min, "min"),
    "reverse": _reverse,
    "slice": _slice,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
}
