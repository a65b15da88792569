"""What may be called by name in expressions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileAccess, FileValue, FolderFiles, canonical_json
from speedpix_pipe.spec.budget import RANGE_LIMIT, Evaluation, too_much
from speedpix_pipe.spec.values import Undefined, as_text, described

_NOT_GIVEN = object()


def _files(ev: Evaluation) -> FileAccess:
    if ev.scope.files is None:
        ev.scope.files = FolderFiles(ev.scope.folder)
    return ev.scope.files


def _range(_ev: Evaluation, *bounds: Any) -> range:
    for bound in bounds:
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise ExpressionError(f"range() needs whole numbers, not {described(bound)}")
    if len(bounds) == 3 and bounds[2] == 0:
        raise ExpressionError("range() with a step of 0 has no end")
    made = range(*bounds)
    # len() itself fails beyond 2**63, so the ends are looked at.
    if made and abs(made[-1] - made[0]) // abs(made.step) >= RANGE_LIMIT:
        raise too_much(f"range() of more than {RANGE_LIMIT:,} elements")
    return made


def _zip(ev: Evaluation, *lists: Any) -> list[list[Any]]:
    for one in lists:
        if not isinstance(one, list | range):
            raise ExpressionError(f"zip() needs lists, not {described(one)}")
    lengths = [len(one) for one in lists]
    if len(set(lengths)) > 1:
        raise ExpressionError(f"zip() needs lists of equal length, not of {' and '.join(map(str, lengths))}")
    ev.elements(sum(lengths))
    return ev.collect(list(pair) for pair in zip(*map(ev.each, lists), strict=True))


def _dict(_ev: Evaluation, *args: Any, **kwargs: Any) -> dict[str, Any]:
    if args and (len(args) > 1 or not isinstance(args[0], Mapping)):
        raise ExpressionError("dict() takes one object and names with values")
    return {**(args[0] if args else {}), **kwargs}


def _glob(ev: Evaluation, pattern: Any, *, allow_empty: bool = False) -> list[FileValue]:
    if not isinstance(pattern, str):
        raise ExpressionError(f"glob() needs a pattern, not {described(pattern)}")
    began = time.monotonic()
    try:
        return _files(ev).glob(pattern, allow_empty=allow_empty)
    finally:
        ev.file_time(began)


def _file(ev: Evaluation, path: Any) -> FileValue:
    if isinstance(path, FileValue):
        return path
    if not isinstance(path, str):
        raise ExpressionError(f"file() needs a path, not {described(path)}")
    return _files(ev).file(path)


def _read(ev: Evaluation, file: Any, default: Any = _NOT_GIVEN) -> Any:
    if not isinstance(file, FileValue | str):
        raise ExpressionError(f"read() needs a file or a path, not {described(file)}")
    began = time.monotonic()
    try:
        return _files(ev).read(file)
    except (FileNotFoundError, NotADirectoryError):
        if default is _NOT_GIVEN:
            raise ExpressionError(
                f"the file `{file}` does not exist", code="files.missing", hint="give `default=` if it need not"
            ) from None
        return default
    finally:
        ev.file_time(began)


def _stable_seed(ev: Evaluation, *args: Any) -> int:
    """0 to 2^31-1, the same for equal arguments on every machine; files count by their content."""
    ev.tick()
    try:
        data = canonical_json([_content(ev, one) for one in args])
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"stable_seed(): {error}") from None
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") % 2**31


def _content(ev: Evaluation, value: Any) -> Any:
    if isinstance(value, FileValue):
        return {"sha256": value.sha256}
    if isinstance(value, list | range):
        return ev.collect(_content(ev, one) for one in ev.each(value))
    if isinstance(value, Mapping):
        return {as_text(key): _content(ev, inner) for key, inner in value.items()}
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "dict": _dict,
    "file": _file,
    "glob": _glob,
    "range": _range,
    "read": _read,
    "stable_seed": _stable_seed,
    "zip": _zip,
}


def call_function(ev: Evaluation, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`name(...)`. Arguments are never undefined."""
    assert not any(one.__class__ is Undefined for one in args)
    ev.tick()
    try:
        return FUNCTIONS[name](ev, *args, **kwargs)
    except TypeError as error:
        words = str(error).partition("() ")[2] or str(error)
        raise ExpressionError(f"{name}(): {words}") from None
