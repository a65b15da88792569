"""What may stand after `is`, and as the name of a test in `select` and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.spec import operators
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.values import Undefined, described

# The two that an undefined value may be asked.
DEFINED = frozenset({"defined", "undefined"})


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"a whole number is needed here, not {described(value)}")


def _divisible(_ev: Evaluation, value: Any, by: Any) -> bool:
    if _whole(by) == 0:
        raise ExpressionError("division by zero")
    return _whole(value) % int(by) == 0


def _text(of: Callable[[str], bool]) -> Callable[[Evaluation, Any], bool]:
    return lambda _ev, value: isinstance(value, str) and of(value)


CHECKS: dict[str, Callable[..., bool]] = {
    "boolean": lambda _ev, value: isinstance(value, bool),
    "callable": lambda _ev, _value: False,
    "defined": lambda _ev, _value: True,
    "divisibleby": _divisible,
    "escaped": lambda _ev, _value: False,
    "even": lambda _ev, value: _whole(value) % 2 == 0,
    "false": lambda _ev, value: value is False,
    "filter": lambda _ev, value: isinstance(value, str) and _known_filter(value),
    "float": lambda _ev, value: isinstance(value, float),
    "in": operators.contains,
    "integer": lambda _ev, value: isinstance(value, int) and not isinstance(value, bool),
    "iterable": lambda _ev, value: isinstance(value, list | range | str | Mapping),
    "lower": _text(str.islower),
    "mapping": lambda _ev, value: isinstance(value, Mapping),
    "none": lambda _ev, value: value is None,
    "null": lambda _ev, value: value is None,
    "number": lambda _ev, value: isinstance(value, int | float) and not isinstance(value, bool),
    "odd": lambda _ev, value: _whole(value) % 2 == 1,
    "sameas": operators.equal,
    "sequence": lambda _ev, value: isinstance(value, list | range | str | Mapping),
    "string": lambda _ev, value: isinstance(value, str),
    "test": lambda _ev, value: isinstance(value, str) and value in CHECKS,
    "true": lambda _ev, value: value is True,
    "undefined": lambda _ev, _value: False,
    "upper": _text(str.isupper),
    **dict.fromkeys(("==", "eq", "equalto"), operators.equal),
    **dict.fromkeys(("!=", "ne"), operators.unequal),
    **dict.fromkeys((">", "gt", "greaterthan"), operators.greater),
    **dict.fromkeys((">=", "ge"), operators.greater_equal),
    **dict.fromkeys(("<", "lt", "lessthan"), operators.less),
    **dict.fromkeys(("<=", "le"), operators.less_equal),
}


def _known_filter(name: str) -> bool:
    from speedpix_pipe.spec.filters import FILTERS

    return name in FILTERS


def check(ev: Evaluation, name: str, value: Any, args: Iterable[Any] = ()) -> bool:
    """`value is name(...)`; `value` may be undefined where the test asks just that."""
    if value.__class__ is Undefined:
        if name in DEFINED:
            return name == "undefined"
        raise value.error()
    function = CHECKS.get(name)
    if function is None:
        raise ExpressionError(f"no test `{name}`")
    try:
        return function(ev, value, *args)
    except TypeError:
        raise ExpressionError(f"test `{name}`: wrong number of arguments") from None
