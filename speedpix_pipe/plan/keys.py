"""Keys: how an item becomes the name of a task within its step, and its coordinate in a fan-out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from speedpix_pipe.files import FileValue

LONGEST = 120


def key_text(value: Any) -> str | None:
    """A file's path, a text, a number or boolean as in JSON, an object's `name`; None where a `key:` is needed."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)  # as JSON has it, where it is finite
        case FileValue():
            return value.path
        case Mapping():
            name = value.get("name")
            return None if isinstance(name, Mapping) else key_text(name)
        case _:
            return None


def own_key_text(value: Any) -> str | None:
    """What `key:` may give: a text, a number or a boolean."""
    return None if isinstance(value, Mapping) else key_text(value)


def join_axes(stem: str, axes: Iterable[tuple[str, str]]) -> str:
    """`stem,axis=value` with axes in alphabetical order; an empty part brings no separator."""
    parts = [stem] if stem else []
    parts += [f"{name}={text}" for name, text in sorted(axes)]
    return ",".join(parts)


def cut(key: str) -> str:
    """At most 120 characters: the first 111, `~`, 8 hex digits of the SHA-256 of the whole."""
    if len(key) <= LONGEST:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{key[: LONGEST - 9]}~{digest[:8]}"


def coordinate(value: Any) -> Any:
    """A hashable stand-in by which two axis values are equal: 1 and 1.0 are, 1 and true are not."""
    match value:
        case bool():
            return ("bool", value)
        case str() | int() | float() | None:
            return value
        case FileValue():
            return ("file", value.path)
        case _:
            return ("json", json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))
