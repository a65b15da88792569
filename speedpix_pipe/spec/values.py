"""The values of expressions: how they are named, looked into, compared and written as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from speedpix_pipe.errors import AbsentError, ExpressionError
from speedpix_pipe.files import FILE_NAMES, FileValue
from speedpix_pipe.spec.budget import Evaluation, too_much
from speedpix_pipe.spec.nearest import did_you_mean

_FILE_NAMES = frozenset(FILE_NAMES)
_PICTURE_NAMES = frozenset({"width", "height", "format"})
NUMBER = (int, float)  # a tuple made once; `int | float` would be made anew for every value
_JSON_NODES = 2_000_000
_LISTS = (list, range)
_LIGHT = {int, float, bool, type(None)}


class Undefined:
    """A value that is not there. It may be tested or replaced; used otherwise, its error is raised."""

    __slots__ = ("absent", "code", "hint", "message")

    def __init__(
        self, message: str, hint: str | None = None, *, absent: bool = False, code: str = "expression.undefined"
    ) -> None:
        self.message = message
        self.hint = hint
        self.absent = absent  # because a task has no output
        self.code = code

    def error(self) -> ExpressionError:
        if self.absent:
            return AbsentError(self.message, hint=self.hint)
        return ExpressionError(self.message, code=self.code, hint=self.hint)


class Group(list[Any]):
    """One group of `groupby`: the value they share and the list of them; in JSON a list of two."""


def described(value: Any) -> str:
    """The kind of a value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, NUMBER):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {json.dumps(value[:40], ensure_ascii=False)}{'…' if len(value) > 40 else ''}"
    if isinstance(value, FileValue):
        return f"the file {value.path}"
    return "an object" if isinstance(value, Mapping) else "a list"


def missing_key(value: Mapping[str, Any], name: str, owner: str) -> Undefined:
    if owner == "env":
        what_to_do = "set it, or put it into a .env file beside the spec; `| default(...)` where it need not be there"
        return Undefined(f"the environment variable {name} is not set", what_to_do)
    hint = did_you_mean(name, [key for key in value if isinstance(key, str)])
    if hint is None and len(value) <= 12:
        hint = f"it has {', '.join(map(str, value))}" if value else "it is empty"
    return Undefined(f"{owner} has no `{name}`", hint)


def attribute(value: Any, name: str, owner: str) -> Any:
    """`value.name`: a key of a mapping, a fact about a file; never anything of Python's."""
    if value.__class__ is Undefined:
        return value
    if isinstance(value, Mapping):
        try:
            return value[name]
        except KeyError:
            return missing_key(value, name, owner)
    if isinstance(value, FileValue) and name in _FILE_NAMES:
        found = getattr(value, name)
        if found is None and name == "url" and value.origin is not None:
            return value  # a picture made on this machine: whoever asks for its URL gets the file, to be uploaded
        if found is None and name in _PICTURE_NAMES:
            return Undefined(f"{value.path} is no picture and has no `{name}`")
        return found
    if isinstance(value, Group) and name in {"grouper", "list"}:
        return value[0 if name == "grouper" else 1]
    if isinstance(value, FileValue):
        what = "a file" if owner == "the value" else f"{owner} is a file, which"
        return Undefined(f"{what} has no `{name}`", did_you_mean(name, FILE_NAMES) or f"it has {', '.join(FILE_NAMES)}")
    hint = "take one of its elements, or `| map(attribute='...')`" if isinstance(value, list) else None
    what = described(value) if owner == "the value" else f"{owner} is {described(value)}, which"
    return Undefined(f"{what} has no `{name}`", hint)


def subscript(value: Any, key: Any, owner: str) -> Any:
    """`value[key]`."""
    if value.__class__ is Undefined:
        return value
    if isinstance(key, str):
        return attribute(value, key, owner)
    if isinstance(value, list | str | range) and isinstance(key, int) and not isinstance(key, bool):
        try:
            return value[key]
        except IndexError:
            return Undefined(f"{owner} has {len(value)} elements, none at {key}")
    return Undefined(f"{owner} is {described(value)}, which has nothing at {described(key)}")


def sliced(value: Any, start: Any, stop: Any, step: Any, owner: str) -> Any:
    for bound in (start, stop, step):
        if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool)):
            raise ExpressionError(f"{owner}[:] needs whole numbers, not {described(bound)}")
    if step == 0:
        raise ExpressionError(f"{owner}[::0] has no end")
    if not isinstance(value, list | str | range):
        raise ExpressionError(f"{owner} is {described(value)}, of which no part can be taken")
    return value[start:stop:step]


def as_text(value: Any) -> str:
    """A value inside a text: text, numbers and booleans as in JSON, a file as its path."""
    if value.__class__ is str:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, NUMBER):
        return repr(value)  # what JSON writes for a finite number
    if isinstance(value, FileValue):
        return value.path
    if isinstance(value, str):
        return str(value)
    if value is None:
        raise ExpressionError(
            "null inside a text", code="expression.text", hint="give it a value: `| default('', true)`"
        )
    what = "an object" if isinstance(value, Mapping) else "a list"
    hint = "write it as JSON with `| tojson`" if isinstance(value, Mapping) else "use `| join(', ')` or `| tojson`"
    raise ExpressionError(f"{what} inside a text", code="expression.text", hint=hint)


def as_json_text(ev: Evaluation, value: Any, indent: int | None = None) -> str:
    """Plain JSON, nothing escaped that need not be; a file is its path."""
    ev.tick()
    plain = _plain(value, [_JSON_NODES])
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=indent)
    ev.spend(len(text))
    return text


def _plain(value: Any, left: list[int]) -> Any:
    left[0] -= 1 + (len(value) // 50 if isinstance(value, str) else 0)
    if left[0] < 0:
        raise too_much("it makes too large a JSON text")
    if isinstance(value, Mapping):
        return {key: _plain(inner, left) for key, inner in value.items()}
    if isinstance(value, list | range):
        if isinstance(value, range) or set(map(type, value)) <= _LIGHT:  # most long lists: nothing to look into
            left[0] -= len(value)
            if left[0] < 0:
                raise too_much("it makes too large a JSON text")
            return list(value)
        return [_plain(inner, left) for inner in value]
    return value.path if isinstance(value, FileValue) else value


def same(ev: Evaluation, left: Any, right: Any) -> bool:
    """`left == right`, element by element with an eye on the clock."""
    if left is right:
        return True
    if isinstance(left, _LISTS) and isinstance(right, _LISTS):
        if len(left) != len(right):
            return False
        ev.tick()
        return all(same(ev, a, b) for a, b in zip(ev.each(left), ev.each(right), strict=True))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        if left.keys() != right.keys():
            return False
        ev.tick()
        return all(same(ev, inner, right[key]) for key, inner in left.items())
    return bool(left == right)


def weight(value: Any, limit: int) -> int:
    """How many elements a value has, all depths written out; at most a little over `limit` is counted."""
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | range):
        inner = list(value) if isinstance(value, list) else []
        if isinstance(value, range):
            return 1 + len(value)
    else:
        return 1 + (len(value) // 48 if isinstance(value, str) else 0)
    total = 1
    for one in inner:
        total += weight(one, limit - total)
        if total > limit:
            break
    return total
