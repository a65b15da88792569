"""A task's rendered input: how it looks in the journal, and which files stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Json, Step
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.scope import Scope

_SCALARS = frozenset({str, int, float, bool, type(None)})  # most of what is looked at: told apart at once


def shown(value: Any) -> Json:
    """As JSON, files as their paths."""
    if value.__class__ in _SCALARS:
        return value
    match value:
        case FileValue():
            return value.path
        case Mapping():
            return {key: shown(inner) for key, inner in value.items()}
        case list() | tuple():
            return [shown(inner) for inner in value]
        case _:
            return value


def files_in(value: Any) -> list[tuple[str, FileValue]]:
    """Every file value with its place in the input."""
    found: list[tuple[str, FileValue]] = []
    _find_files(value, "", found)
    return found


def _find_files(value: Any, place: str, found: list[tuple[str, FileValue]]) -> None:
    match value:
        case FileValue():
            found.append((place, value))
        case Mapping():
            for key, inner in value.items():
                if inner.__class__ not in _SCALARS:
                    _find_files(inner, f"{place}.{key}" if place else str(key), found)
        case list() | tuple():
            for number, inner in enumerate(value):
                if inner.__class__ not in _SCALARS:
                    _find_files(inner, f"{place}.{number}", found)


def with_files(value: Any, files: Mapping[FileValue, FileValue]) -> Any:
    """The same value with its files as others know them: by the name under which they were saved."""
    match value:
        case FileValue():
            return files.get(value, value)
        case Mapping():
            return {key: with_files(inner, files) for key, inner in value.items()}
        case list() | tuple():
            return [with_files(inner, files) for inner in value]
        case _:
            return value


def input_files(rendered: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """(place, path, sha256) of every file value in the input."""
    return tuple([(place, file.path, file.sha256) for place, file in files_in(rendered)])


def rendered_expect(step: Step, scope: Scope) -> dict[str, Mapping[str, Any]]:
    return {path: render(template, scope) for path, template in step.expect.items()}
