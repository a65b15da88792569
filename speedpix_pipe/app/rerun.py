"""`run --watch`, the developer's loop: when the spec or a file it reads changes, run again what that touches.

Each turn is an ordinary run, and the cache makes it cheap: only tasks whose fingerprint changed are carried out. A
broken spec is shown and waited on. Files are looked at, not listened for: that works everywhere, and takes at most a
twentieth of a processor.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.specs import Loaded, load
from speedpix_pipe.app.stopping import signals
from speedpix_pipe.errors import PipeError, RunInterruptedError
from speedpix_pipe.files import FileValue
from speedpix_pipe.files.pattern import find_files
from speedpix_pipe.model import FileText, Json, ListOf, Literal, MapOf, Pipeline, Template
from speedpix_pipe.plan.graph import expressions_in, run_templates

LOOK_SECONDS, LONGEST_SECONDS = 0.5, 5.0
_SUB_PIPELINE = re.compile(r"""\bpipeline:\s*(['"]?)([^'"\s#{}]+\.ya?ml)\1""")
Seen = dict[str, tuple[int, int, int] | None]


def rerun(
    request: RunRequest, run: Callable[[], int], *, tell: Callable[[str], None], show: Callable[[PipeError], None]
) -> int:
    """Run, wait for a change, run again, until a signal. The exit code of the last run."""
    code = 0
    known: set[Path] = set()
    while True:
        before = watched(request, known)
        try:
            code = run()
        except PipeError as error:
            show(error)
            code = error.exit_code
        if code == RunInterruptedError.exit_code:
            return code
        if not asyncio.run(_changed(request, before, known, tell)):
            return code


async def _changed(request: RunRequest, before: Seen, known: set[Path], tell: Callable[[str], None]) -> bool:
    """True when something differs, False when a signal came first."""
    over = asyncio.Event()

    async def stop() -> None:
        over.set()

    with signals(stop, over.set):
        tell("waiting for a change of the spec or its files; Ctrl-C ends")
        while not over.is_set():
            now, cpu_seconds = await asyncio.to_thread(_timed, request, known)
            if now != before and not over.is_set():  # a signal that came during the look outweighs a change
                return True
            await _pause(request, over, min(max(LOOK_SECONDS, 20 * cpu_seconds), LONGEST_SECONDS))
    return False


def _timed(request: RunRequest, known: set[Path]) -> tuple[Seen, float]:
    before = time.thread_time()
    return watched(request, known), time.thread_time() - before


async def _pause(request: RunRequest, over: asyncio.Event, seconds: float) -> None:
    sleeping = asyncio.ensure_future(request.clock.sleep(seconds))
    ending = asyncio.ensure_future(over.wait())
    await asyncio.wait({sleeping, ending}, return_when=asyncio.FIRST_COMPLETED)
    sleeping.cancel()
    ending.cancel()


def watched(request: RunRequest, known: set[Path]) -> Seen:
    """How every file that the run depends on looks now: spec, sub-pipelines, params, and files named in them.

    `known` keeps what was found before: a spec that is broken now does not say where its files are.
    """
    spec = request.spec
    known.add(spec.cwd / spec.spec)
    if spec.params_file is not None:
        known.add(spec.cwd / spec.params_file)
    try:
        loaded, _ = load(spec)
    except PipeError:
        loaded = None
    if loaded is not None:
        known |= _files_of(loaded)
    else:
        known |= _specs_named(spec.cwd / spec.spec)
    return {os.fspath(path): _look(path) for path in known}


def _specs_named(spec: Path) -> set[Path]:
    """The sub-pipelines that the text of a spec names, whether or not it can be understood."""
    found: set[Path] = set()
    todo = [spec]
    while todo:
        path = todo.pop()
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        named = {Path(os.path.normpath(path.parent / name)) for _, name in _SUB_PIPELINE.findall(text)}
        todo += named - found
        found |= named
    return found


def _files_of(loaded: Loaded) -> set[Path]:
    found: set[Path] = set()
    todo = [loaded.pipeline]
    while todo:
        pipeline = todo.pop()
        if pipeline.path in found:
            continue
        found.add(pipeline.path)
        found |= _named(pipeline)
        todo.extend(step.pipeline for step in pipeline.steps.values() if step.pipeline is not None)
    found |= set(_values(list(loaded.params.values())))
    return found


def _values(values: list[Any]) -> list[Path]:
    return [
        value.absolute
        for given in values
        for value in (given if isinstance(given, list) else [given])
        if isinstance(value, FileValue) and not value.remote
    ]


def _named(pipeline: Pipeline) -> set[Path]:
    """Files that the steps name in plain text, or by `glob('...')`, `file('...')` and `read('...')` of one."""
    found: set[Path] = set()
    for step in pipeline.steps.values():
        templates: list[Template] = list(run_templates(step))
        templates += [template for template in (step.for_each, *[axis.values for axis in step.matrix]) if template]
        for template in templates:
            for text in _file_texts(template):
                found.add(pipeline.folder / Path(text).expanduser())
            for expression in expressions_in(template):
                found |= _called(expression.source, pipeline.folder)
    return found


def _file_texts(template: Template) -> list[str]:
    match template:
        case FileText(Literal(value)):
            return [_text(value)]
        case ListOf(items):
            return [text for item in items for text in _file_texts(item)]
        case MapOf(entries):
            return [text for entry in entries for text in _file_texts(entry.value)]
        case _:
            return []


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _called(source: str, folder: Path) -> set[Path]:
    """Files in calls with one constant text; what is computed is seen when the spec or a named file changes."""
    found: set[Path] = set()
    for function, _, text in re.findall(r"\b(glob|file|read)\(\s*(['\"])([^'\"]+)\2", source):
        try:
            if function == "glob":
                found |= {value.absolute for value in find_files(text, folder, allow_empty=True)}
            else:
                found.add(folder / Path(text).expanduser())
        except (PipeError, OSError):
            continue
    return found


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
