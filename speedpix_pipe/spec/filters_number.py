"""Filters on numbers, and those that make one of a text: no number is ever invented."""

from __future__ import annotations

import math
import re
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.filters_text import Filter, whole
from speedpix_pipe.spec.values import described

_INTEGER = re.compile(r"\s*[-+]?[0-9]+\s*\Z")
_FLOAT = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*\Z")
_NOT_GIVEN = object()


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


NUMBER_FILTERS: dict[str, Filter] = {"abs": _abs, "float": _float, "int": _int, "round": _round}
