"""Patterns and watched folders that would find what the same spec saves: the next run would take it for input.

A save path is known before the run but for what its expressions give; samples stand for these. Paths that have
been rendered are asked about one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from speedpix_pipe.errors import PipeError, Problem
from speedpix_pipe.files import has_magic, pattern_covers
from speedpix_pipe.model import Expression, Literal, Pipeline, Step, Template, Text
from speedpix_pipe.plan.graph import axis_templates, expressions_in, run_templates
from speedpix_pipe.plan.names import problem_at
from speedpix_pipe.records import dataclass

_EXTENSIONS = ("png", "jpg", "jpeg", "webp", "gif", "mp4", "txt", "json")
_WHOLE_NAMES = (".name", ".path", ".rel")


@dataclass(frozen=True, slots=True)
class Net:
    """What would find a file: a pattern and the folder that it is written in."""

    pattern: str
    folder: Path
    named: str  # in a message

    def catches(self, path: str, folder: Path) -> bool:
        try:
            return pattern_covers(self.pattern, path, folder=self.folder, of_path=folder)
        except (PipeError, ValueError):
            return False  # a pattern that means nothing is complained about where it is used

    def complaint(self, step: Step) -> str:
        return f"what {step.name} saves here would be found by {self.named}, and be its input next time"


def covered_saves(pipeline: Pipeline) -> Iterator[Problem]:
    """A problem for each `save` that one of the spec's own patterns would find."""
    nets = list(nets_of(pipeline))
    for step in pipeline.steps.values() if nets else ():
        for rule in step.save:
            samples = list(_samples(rule.target))
            net = next((net for p in samples for net in nets if net.catches(p, pipeline.folder)), None)
            if net is not None:
                hint = "save to another folder, or narrow the pattern"
                yield problem_at(pipeline, rule.target.mark, "spec.save-covered", net.complaint(step), hint=hint)


def nets_of(pipeline: Pipeline) -> Iterator[Net]:
    """Defaults of params and what was given for them, watched folders, and patterns given to `glob`."""
    for param in pipeline.params.values():
        if param.type == "files":
            texts = param.default if isinstance(param.default, list) else [param.default]
            yield from (_own(text, pipeline) for text in texts if isinstance(text, str) and has_magic(text))
    for text, folder in pipeline.given_patterns:
        yield Net(text, folder, f"the pattern {text} that was given")
    for watch in pipeline.watch:
        # Whatever its patterns say: they may change, and what lies there is in the way.
        yield Net(f"{watch.folder.rstrip('/')}/**", pipeline.folder, f"whoever watches the folder {watch.folder}")
    for step in pipeline.steps.values():
        yield from (_own(text, pipeline) for text in _globs(step))


def _own(text: str, pipeline: Pipeline) -> Net:
    return Net(text, pipeline.folder, f"the spec's own pattern {text}")


def _globs(step: Step) -> Iterator[str]:
    templates = [*([step.for_each] if step.for_each else []), *axis_templates(step), *run_templates(step)]
    for template in templates:
        for expression in expressions_in(template):
            if "glob" in expression.source:
                from speedpix_pipe.spec.analysis import first_arguments

                yield from map(str, first_arguments(expression.source, "glob"))


def _samples(target: Template) -> Iterator[str]:
    """Paths as the target may give them, one for each kind of file."""
    parts: tuple[str | Expression, ...]
    match target:
        case Text(parts=parts):
            pass
        case Literal(value=value):
            parts = (str(value),)
        case Expression():
            parts = (target,)
        case _:
            return
    for extension in _EXTENSIONS:
        yield "".join(part if isinstance(part, str) else _sample(part, extension) for part in parts)


def _sample(expression: Expression, extension: str) -> str:
    if expression.normal == "ext":
        return extension
    if expression.normal.endswith(".suffix"):
        return f".{extension}"
    return f"x.{extension}" if expression.normal.endswith(_WHOLE_NAMES) else "x"


def variants(path: str, stand_in: str) -> Iterator[str]:
    """A rendered path whose extension is not known yet, with each that it may get."""
    if PurePosixPath(path).suffix == f".{stand_in}":
        yield from (path.removesuffix(stand_in) + extension for extension in _EXTENSIONS)
    else:
        yield path
