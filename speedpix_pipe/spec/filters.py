"""All filters by name, and those that apply another filter or a test to each element."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.checks import check
from speedpix_pipe.spec.filters_list import LIST_FILTERS, NOT_GIVEN, Reader, given, reader
from speedpix_pipe.spec.filters_number import NUMBER_FILTERS
from speedpix_pipe.spec.filters_text import TEXT_FILTERS, Filter
from speedpix_pipe.spec.values import Undefined, as_text

_OFTEN = 64  # elements between two looks at the clock; a filter takes a millisecond at most, or it looks itself


def _mapped(ev: Evaluation, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    if not args and "attribute" in kwargs:
        read = reader(kwargs.pop("attribute"), kwargs.pop("default", NOT_GIVEN))
        if kwargs:
            raise ExpressionError(f"`map` knows no `{next(iter(kwargs))}=`")
        return ev.collect(given(read(element)) for element in ev.each(value))
    if not args:
        raise ExpressionError("`map` needs a filter's name or `attribute=`")
    name = as_text(args[0])
    apply = FILTERS.get(name)
    if apply is None:
        raise ExpressionError(f"`map`: no filter `{name}`")

    rest = args[1:]

    def results() -> Iterator[Any]:
        for at, element in enumerate(ev.each(value)):
            if not at % _OFTEN:
                ev.tick()
            made = apply(ev, element, *rest, **kwargs)
            if made.__class__ is Undefined:
                raise made.error()
            yield ev.collect(made) if made.__class__ is range else made

    return ev.collect(results())


def _chosen(*, wanted: bool, by_attribute: bool) -> Callable[..., list[Any]]:
    def choose(ev: Evaluation, value: Any, *args: Any) -> list[Any]:
        read: Reader = lambda element: element  # noqa: E731 - the plain case of the line below
        rest = args
        if by_attribute:
            if not args:
                raise ExpressionError("the name of an attribute is needed")
            read, rest = reader(args[0]), args[1:]
        if not rest:
            return ev.collect(one for one in ev.each(value) if bool(given(read(one))) is wanted)
        name, more = as_text(rest[0]), rest[1:]
        return ev.collect(one for one in ev.each(value) if check(ev, name, read(one), more) is wanted)

    return choose


def _default(_ev: Evaluation, value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - Jinja2's signature
    """For `map('default', x, true)`; on a value that may be undefined, `program` knows better."""
    return default_value if boolean and not value else value


FILTERS: dict[str, Filter] = {
    **TEXT_FILTERS,
    **LIST_FILTERS,
    **NUMBER_FILTERS,
    "d": _default,
    "default": _default,
    "map": _mapped,
    "reject": _chosen(wanted=False, by_attribute=False),
    "rejectattr": _chosen(wanted=False, by_attribute=True),
    "select": _chosen(wanted=True, by_attribute=False),
    "selectattr": _chosen(wanted=True, by_attribute=True),
}


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
