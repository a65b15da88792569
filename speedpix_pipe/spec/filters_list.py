"""Filters on lists, objects and numbers."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.filters_text import TEXT_FILTERS, whole
from speedpix_pipe.spec.operators import add
from speedpix_pipe.spec.values import Group, Undefined, as_text, described, subscript

_INTEGER = re.compile(r"\s*[-+]?[0-9]+\s*\Z")
_FLOAT = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*\Z")
_NOT_GIVEN = object()

Reader = Callable[[Any], Any]


def reader(path: Any, default: Any = _NOT_GIVEN) -> Reader:
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
        if element.__class__ is Undefined and default is not _NOT_GIVEN:
            return default
        return element

    return read


def _given(value: Any) -> Any:
    if value.__class__ is Undefined:
        raise value.error()
    return value


def _mapped(ev: Evaluation, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    if not args and "attribute" in kwargs:
        read = reader(kwargs.pop("attribute"), kwargs.pop("default", _NOT_GIVEN))
        if kwargs:
            raise ExpressionError(f"`map` knows no `{next(iter(kwargs))}=`")
        return ev.collect(_given(read(element)) for element in ev.each(value))
    if not args:
        raise ExpressionError("`map` needs a filter's name or `attribute=`")
    name = as_text(args[0])
    apply = FILTERS.get(name)
    if apply is None:
        raise ExpressionError(f"`map`: no filter `{name}`")

    def one(element: Any) -> Any:
        ev.tick()
        made = _given(apply(ev, element, *args[1:], **kwargs))
        return ev.collect(made) if isinstance(made, range) else made

    return ev.collect(one(element) for element in ev.each(value))


def _chosen(*, wanted: bool, by_attribute: bool) -> Callable[..., list[Any]]:
    def choose(ev: Evaluation, value: Any, *args: Any) -> list[Any]:
        from speedpix_pipe.spec.checks import check

        read: Reader = lambda element: element  # noqa: E731 - the plain case of the line below
        rest = args
        if by_attribute:
            if not args:
                raise ExpressionError("the name of an attribute is needed")
            read, rest = reader(args[0]), args[1:]
        if not rest:
            return ev.collect(one for one in ev.each(value) if bool(_given(read(one))) is wanted)
        name, more = as_text(rest[0]), rest[1:]
        return ev.collect(one for one in ev.each(value) if check(ev, name, read(one), more) is wanted)

    return choose


def _key(value: Any, *, case_sensitive: bool) -> Any:
    value = _given(value)
    if isinstance(value, FileValue):
        value = value.path
    if isinstance(value, str):
        return value if case_sensitive else value.lower()
    if isinstance(value, int | float):
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
    default: Any = _NOT_GIVEN,
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
        key = _given(read(element))
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
    ev.elements(len(found))
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
        total = add(ev, total, _given(read(element)))
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
    return value if isinstance(value, range) else ev.collect(ev.each(value))  # a range is a list that needs no memory


def _reverse(ev: Evaluation, value: Any) -> Any:
    if isinstance(value, str | range):
        return value[::-1]
    return ev.collect(reversed(list(ev.each(value))))


def _join(ev: Evaluation, value: Any, d: Any = "", attribute: Any = None) -> str:
    between, read = as_text(d), reader(attribute)
    texts: list[str] = []
    for element in ev.each(value):
        text = as_text(_given(read(element)))
        ev.text(len(text) + len(between))
        texts.append(text)
    ev.text(sum(map(len, texts)) + len(between) * max(len(texts) - 1, 0))
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


def _abs(_ev: Evaluation, value: Any) -> Any:
    return abs(_numeric(value, "abs"))


def _numeric(value: Any, name: str) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"`{name}` needs a number, not {described(value)}")


def _round(_ev: Evaluation, value: Any, precision: Any = 0, method: str = "common") -> Any:
    number, digits = _numeric(value, "round"), whole(precision, "the precision")
    if abs(digits) > 300:
        raise ExpressionError("the precision must be from -300 to 300")
    if method == "common":
        return round(number, digits)
    if method not in {"ceil", "floor"}:
        raise ExpressionError("`round` knows 'common', 'ceil' and 'floor'")
    way = math.ceil if method == "ceil" else math.floor
    return way(number * 10.0**digits) / 10.0**digits


def _int(_ev: Evaluation, value: Any, default: Any = _NOT_GIVEN, base: Any = 10) -> Any:
    if isinstance(value, float):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= 1000:
        if base != 10:
            try:
                return int(value, whole(base, "the base"))
            except ValueError:
                pass
        elif _INTEGER.match(value):
            return int(value)
        elif _FLOAT.match(value) and math.isfinite(float(value)):
            return int(float(value))
    if default is not _NOT_GIVEN:
        return default
    raise ExpressionError(f"{described(value)} is no number", hint="give `int(default=...)` for what is none")


def _float(_ev: Evaluation, value: Any, default: Any = _NOT_GIVEN) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and len(value) <= 1000 and _FLOAT.match(value) and math.isfinite(float(value)):
        return float(value)
    if default is not _NOT_GIVEN:
        return default
    raise ExpressionError(f"{described(value)} is no number", hint="give `float(default=...)` for what is none")


def _default(_ev: Evaluation, value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - Jinja2's signature
    """For `map('default', x, true)`; on a value that may be undefined, `program` knows better."""
    return default_value if boolean and not value else value


def apply_filter(ev: Evaluation, name: str, value: Any, args: Iterable[Any], kwargs: Mapping[str, Any]) -> Any:
    """`value | name(...)`."""
    ev.tick()
    try:
        return FILTERS[name](ev, value, *args, **kwargs)
    except TypeError as error:
        raise ExpressionError(f"filter `{name}`: {_argument_words(error)}") from None


def _argument_words(error: TypeError) -> str:
    """What Python says about wrong arguments, without the names of our functions."""
    return re.sub(r"^[\w.<>]+\(\) ", "", str(error))


FILTERS: dict[str, Callable[..., Any]] = {
    **TEXT_FILTERS,
    "abs": _abs,
    "batch": _batch,
    "count": _length,
    "d": _default,
    "default": _default,
    "dictsort": _dictsort,
    "first": _first,
    "float": _float,
    "groupby": _groupby,
    "int": _int,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": _list,
    "map": _mapped,
    "max": _extreme(max, "max"),
    "min": _extreme(min, "min"),
    "reject": _chosen(wanted=False, by_attribute=False),
    "rejectattr": _chosen(wanted=False, by_attribute=True),
    "reverse": _reverse,
    "round": _round,
    "select": _chosen(wanted=True, by_attribute=False),
    "selectattr": _chosen(wanted=True, by_attribute=True),
    "slice": _slice,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
}
