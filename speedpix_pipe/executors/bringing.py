"""Objects among the arguments of a piece of work, as files on the machine that does it, for as long as it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from speedpix_pipe.files import Entry


def objects_in(value: Any) -> list[Entry]:
    """Every object that the arguments name, each once."""
    found: dict[Entry, None] = {}
    _each(value, found.setdefault)
    return list(found)


def names_for(entries: list[Entry], folder: Path) -> dict[Entry, Path]:
    """A name in `folder` for each; labels and formats do not come from it."""
    return {entry: folder / f"{number}{PurePosixPath(entry.url).suffix[:16]}" for number, entry in enumerate(entries)}


def with_copies(value: Any, copies: Mapping[Entry, Path]) -> Any:
    """The same arguments with paths in the place of objects."""
    match value:
        case Entry():
            return str(copies[value])
        case Mapping():
            return {name: with_copies(inner, copies) for name, inner in value.items()}
        case list():
            return [with_copies(inner, copies) for inner in value]
        case tuple():
            return tuple(with_copies(inner, copies) for inner in value)
        case _:
            return value


def _each(value: Any, take: Callable[[Entry], object]) -> None:
    match value:
        case Entry():
            take(value)
        case Mapping():
            for inner in value.values():
                _each(inner, take)
        case list() | tuple():
            for inner in value:
                _each(inner, take)
