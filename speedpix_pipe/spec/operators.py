"""Arithmetic and comparison in expressions: numbers, texts and lists, with a bound on what comes out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.spec.budget import NUMBER_BITS, Evaluation, too_much
from speedpix_pipe.spec.values import NUMBER, as_text, described, same, weight

_LIST_WEIGHT = 1_000_000
_FORMAT_ITEM = re.compile(r"%(?:\(\w*\))?[-+ #0]*([0-9*]*)(?:\.([0-9*]*))?[a-zA-Z%]?")
_FORMAT_WIDTH = 9999


def _is_number(value: Any) -> bool:
    return isinstance(value, NUMBER)


def _number(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("the result is too large for a number")
    elif isinstance(value, complex):
        raise ExpressionError("the result is no real number")
    elif value.bit_length() > NUMBER_BITS:
        raise too_much("it makes a number of more than 1,000 digits")
    return value


def _refuse(sign: str, left: Any, right: Any) -> ExpressionError:
    hint = None
    if sign == "+" and (isinstance(left, str | FileValue) or isinstance(right, str | FileValue)):
        hint = "join texts with `~`, or make a number of a text with `| int`"
    return ExpressionError(f"{described(left)} {sign} {described(right)} cannot be worked out", hint=hint)


def add(ev: Evaluation, left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right):
        return _number(left + right)
    if isinstance(left, str) and isinstance(right, str):
        ev.text(len(left) + len(right))
        return left + right
    if isinstance(left, list | range) and isinstance(right, list | range):
        ev.elements(len(left) + len(right))
        return [*left, *right]
    raise _refuse("+", left, right)


def subtract(_ev: Evaluation, left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right):
        return _number(left - right)
    raise _refuse("-", left, right)


def multiply(ev: Evaluation, left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right):
        if (
            isinstance(left, int)
            and isinstance(right, int)
            and left.bit_length() + right.bit_length() > NUMBER_BITS + 1
        ):
            raise too_much("it makes a number of more than 1,000 digits")
        return _number(left * right)
    if isinstance(left, int):
        left, right = right, left
    if isinstance(right, int) and not isinstance(right, bool):
        if isinstance(left, str):
            ev.text(len(left) * max(right, 0))
            return left * right
        if isinstance(left, list | range):
            room = _LIST_WEIGHT // max(right, 1)
            if weight(left, room + 1) > room + 1:
                raise too_much("it makes a list of more than 1,000,000 elements")
            ev.elements(len(left) * max(right, 0))
            return list(left) * right
    raise _refuse("*", left, right)


def divide(_ev: Evaluation, left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right):
        return _number(left / _divisor(right))
    raise _refuse("/", left, right)


def divide_whole(_ev: Evaluation, left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right):
        return _number(left // _divisor(right))
    raise _refuse("//", left, right)


def remainder(ev: Evaluation, left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right):
        return _number(left % _divisor(right))
    if isinstance(left, str):
        return formatted(ev, left, *(right if isinstance(right, list) else [right]))
    raise _refuse("%", left, right)


def _divisor(value: Any) -> Any:
    if value == 0:
        raise ExpressionError("division by zero")
    return value


def power(_ev: Evaluation, left: Any, right: Any) -> Any:
    if not (_is_number(left) and _is_number(right)):
        raise _refuse("**", left, right)
    if left == 0 and right < 0:
        raise ExpressionError("division by zero")
    if isinstance(left, int) and isinstance(right, int) and right > 0 and left.bit_length() * right > NUMBER_BITS * 2:
        if left in {0, 1, -1}:
            return left if right % 2 else abs(left)
        raise too_much("it makes a number of more than 1,000 digits")
    return _number(left**right)


def formatted(ev: Evaluation, text: str, *args: Any, **kwargs: Any) -> str:
    """`'%03d' % n`, with widths that stay within reason."""
    width = len(text)
    for item in _FORMAT_ITEM.finditer(text):
        for digits in item.groups():
            if digits and ("*" in digits or len(digits) > 4 or int(digits) > _FORMAT_WIDTH):
                raise too_much(f"a width of more than {_FORMAT_WIDTH}")
            width += int(digits or 0)
    values = [_printable(value) for value in (kwargs.values() if kwargs else args)]
    ev.text(width + sum(len(value) if isinstance(value, str) else 330 for value in values))
    try:
        return text % (dict(zip(kwargs, values, strict=True)) if kwargs else tuple(values))
    except (TypeError, ValueError, KeyError) as error:
        raise ExpressionError(f"{described(text)} cannot be filled in: {error}") from None


def _printable(value: Any) -> Any:
    return value if _is_number(value) and not isinstance(value, bool) else as_text(value)


def negative(_ev: Evaluation, value: Any) -> Any:
    if _is_number(value):
        return -value
    raise ExpressionError(f"a number is needed after `-`, not {described(value)}")


def positive(_ev: Evaluation, value: Any) -> Any:
    if _is_number(value):
        return +value
    raise ExpressionError(f"a number is needed after `+`, not {described(value)}")


def contains(ev: Evaluation, element: Any, container: Any) -> bool:
    """`element in container`."""
    if isinstance(container, str):
        if isinstance(element, str):
            return element in container
        raise ExpressionError(f"{described(element)} cannot be part of a text")
    if isinstance(container, Mapping):
        return isinstance(element, str) and element in container
    if isinstance(container, range):
        return isinstance(element, int) and element in container
    if isinstance(container, list):
        return any(same(ev, element, other) for other in ev.each(container))
    raise ExpressionError(f"nothing is in {described(container)}")


def _ordered(sign: str, compare: Callable[[Any, Any], bool]) -> Callable[[Evaluation, Any, Any], bool]:
    def ordered(_ev: Evaluation, left: Any, right: Any) -> bool:
        if (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
            return compare(left, right)
        hint = None
        if isinstance(left, str) or isinstance(right, str):
            hint = "make a number of a text with `| int` or `| float`"
        raise ExpressionError(f"{described(left)} {sign} {described(right)} cannot be compared", hint=hint)

    return ordered


less = _ordered("<", lambda a, b: a < b)
less_equal = _ordered("<=", lambda a, b: a <= b)
greater = _ordered(">", lambda a, b: a > b)
greater_equal = _ordered(">=", lambda a, b: a >= b)


def equal(ev: Evaluation, left: Any, right: Any) -> bool:
    return same(ev, left, right)


def unequal(ev: Evaluation, left: Any, right: Any) -> bool:
    return not same(ev, left, right)


def outside(ev: Evaluation, element: Any, container: Any) -> bool:
    return not contains(ev, element, container)


def joined(ev: Evaluation, values: list[Any]) -> str:
    """`a ~ b`."""
    texts = [as_text(value) for value in values]
    ev.text(sum(map(len, texts)))
    return "".join(texts)
