"""What goes into a sub-pipeline, its params from the `input` of the step that calls it, and what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Json, Result
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.params import given_params


def inner_params(task: Task, scopes: Scopes) -> dict[str, Any]:
    """Rendered values, checked against the inner pipeline's params; its defaults, by their own paths, for the rest."""
    step = task.node.step
    assert step.pipeline is not None
    scope = scopes.of_task(task)
    values = {entry.name: render(entry.value, scope) for entry in step.input.entries} if step.input else {}
    given = {name: value for name, value in values.items() if value is not None}
    params, wrong = given_params(step.pipeline, given, files=scopes.param_files)
    if wrong:
        mark = step.input.mark if step.input else step.mark
        raise ExpressionError("; ".join(wrong), code="spec.param", where=str(mark))
    folder = step.pipeline.folder
    return {name: value if name in given else _seen_from(folder, value) for name, value in params.items()}


def inner_output(leave: Task, scopes: Scopes) -> dict[str, Any]:
    """The `outputs` of a sub-pipeline, whose tasks are all known. Files go by the paths that they have outside."""
    inner = leave.node.step.pipeline
    if inner is None or inner.outputs is None:
        return {}
    scope, folder = scopes.of_task(leave), _folder_outside(leave, scopes.walk)
    return {entry.name: _seen_from(folder, render(entry.value, scope)) for entry in inner.outputs.entries}


def _folder_outside(leave: Task, walk: Walk) -> Path:
    assert leave.node.source is not None  # the way in
    return walk.graph.nodes[leave.node.source].space.pipeline.folder


def _seen_from(folder: Path, value: Any) -> Any:
    match value:
        case FileValue():
            return value.seen_from(folder)
        case Mapping():
            return {name: _seen_from(folder, inner) for name, inner in value.items()}
        case list():
            return [_seen_from(folder, inner) for inner in value]
        case _:
            return value


def inner_files(leave: Task, output: Mapping[str, Any], walk: Walk) -> dict[str, FileValue]:
    """The files of a sub-pipeline's output by their places: file values, and URLs of files that its tasks got."""
    known: dict[str, FileValue] = {}
    folder = _folder_outside(leave, walk)
    for link in leave.node.run_links:
        for task in walk.many(leave, link) if link.many else ():
            known.update((file.url, file.seen_from(folder)) for file in task.files if file.url)
    return dict(_files_in(output, "", known))


def _files_in(value: Any, place: str, known: Mapping[str, FileValue]) -> Iterator[tuple[str, FileValue]]:
    match value:
        case FileValue():
            yield place, value
        case str() if value in known:
            yield place, known[value]
        case Mapping():
            for name, inner in value.items():
                if name != "preview":
                    yield from _files_in(inner, f"{place}.{name}" if place else str(name), known)
        case list():
            for position, inner in enumerate(value):
                yield from _files_in(inner, f"{place}.{position}", known)
        case _:
            return


def inner_result(output: Mapping[str, Any], files: Mapping[str, FileValue]) -> Result:
    """A sub-pipeline's output as a result: JSON, with the kept files at their places."""
    kept = [replace(file.origin, place=place) for place, file in files.items() if file.origin is not None]
    return Result(_plain(output), tuple(kept))


def _plain(value: Any) -> Json:
    match value:
        case FileValue():
            return value.url or value.path
        case Mapping():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value
