"""The folder that a case runs in: the spec and its sub-pipelines, the files that the case names, and nothing else.

The folders stand to each other as they do at home, so that `../parts/other.yaml` is found.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from speedpix_pipe.app.spectest.casefile import Case
from speedpix_pipe.errors import ExpressionError, PipeError, UsageError
from speedpix_pipe.files import find_files, names_object, safe_join
from speedpix_pipe.files.storage import object_url
from speedpix_pipe.files.storage.folder import stand_in_path
from speedpix_pipe.spec.build import load_pipeline

OBJECTS = ".objects"  # what stands in for stores, beside the spec and all that it may find
PARAMS = ".params-of-this-case.json"  # a dot name: no pattern finds it
_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def set_stage(spec: Path, case: Case, folder: Path) -> Path:
    """Fill the folder; the path of the spec in it. UsageError where a file of the case cannot be had."""
    home = spec.resolve()
    sources = _spec_files(home)
    top = Path(os.path.commonpath([path.parent for path in sources]))
    for path in sources:
        _copy(path, folder / path.relative_to(top))
    staged = folder / home.relative_to(top)
    for pattern in case.copy:
        for source in _found(pattern, home.parent, case):
            _copy(source, safe_join(staged.parent, source.relative_to(home.parent).as_posix()))
    for name, recipe in case.files.items():
        _make(_place(staged.parent, folder / OBJECTS, name, case), recipe, case)
    (staged.parent / PARAMS).write_text(json.dumps(case.params), encoding="utf-8")
    return staged


def _spec_files(spec: Path) -> list[Path]:
    """The spec and all sub-pipelines, as far as they can be read; a run says what is wrong with the others."""
    pipeline, _ = load_pipeline(spec, check_files=False)
    found = {spec: pipeline}
    todo = [pipeline] if pipeline is not None else []
    while todo:
        for step in todo.pop().steps.values():
            if step.pipeline is not None and step.pipeline.path not in found:
                found[step.pipeline.path] = step.pipeline
                todo.append(step.pipeline)
    return list(found)


def _found(pattern: str, folder: Path, case: Case) -> Iterable[Path]:
    try:
        return [file.absolute for file in find_files(pattern, folder) if file.absolute.is_relative_to(folder)]
    except PipeError as error:
        raise UsageError(f"{case.mark.path}: copy: {error.message}", code="test.copy") from error


def _place(folder: Path, objects: Path, name: str, case: Case) -> Path:
    """Where a file of the case is made: in the spec's folder, or in the one that stands in for stores of objects."""
    if not names_object(name):
        return _inside(folder, name, case)
    try:
        return stand_in_path(objects, object_url(name))
    except ExpressionError as error:
        raise UsageError(f"{case.mark}: files: {error.message}", code="test.file", hint=error.hint) from error


def _inside(folder: Path, name: str, case: Case) -> Path:
    try:
        return safe_join(folder, name)
    except (PipeError, ValueError) as error:
        raise UsageError(f"{case.mark}: files: {error}", code="test.file") from error


def _make(path: Path, recipe: Any, case: Case) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(recipe, str):
        path.write_text(recipe, encoding="utf-8")
    elif "json" in recipe:
        path.write_text(json.dumps(recipe["json"], ensure_ascii=False), encoding="utf-8")
    elif "copy" in recipe:
        source = case.folder / recipe["copy"]
        if not source.is_file():
            raise UsageError(f"{case.mark}: files: {recipe['copy']} is no file", code="test.copy")
        _copy(source, path)
    else:
        path.write_bytes(picture(recipe, _FORMATS.get(path.suffix.lower(), "png")))


def picture(recipe: Mapping[str, Any], form: str) -> bytes:
    """The bytes of `{picture: TEXT}`: small, the same for the same text."""
    from speedpix_pipe.emulator import Artifact
    from speedpix_pipe.emulator.workflows.text_to_image import paint

    size = (recipe.get("width", 64), recipe.get("height", 48))
    return Artifact.picture(paint(recipe["picture"], 0, size), form).content


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
