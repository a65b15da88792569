"""Steps of kind `image:`: what their operations may say, and how one task's picture is made.

Pixels are worked in a process pool that comes in as an argument. Rendering the options, fingerprints and
keeping the finished file are the engine's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from speedpix_pipe.errors import ExecutorError, TaskError, TaskErrorKind
from speedpix_pipe.files import Entry
from speedpix_pipe.model import Entry as Written
from speedpix_pipe.model import ImageOperation, Json, ListOf, Literal, MapOf, Mark, Template
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.image_ops import OPERATIONS
from speedpix_pipe.steps.image_ops.base import Finding, ImageFacts, PictureError
from speedpix_pipe.steps.image_ops.options import Either, Option, PictureFile, nearest

IMAGE_CODE_VERSION = 1  # raise it when equal operations on equal pictures give another picture

INPUT_FIELDS = ("image", "images")
_UNKNOWN: Json = object()  # the value of an option that holds an expression, before it is rendered


class Pixels(Protocol):
    """The part of an executor that works pixels."""

    async def pixels(self, function: str, *arguments: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """A file to work on; `name` is what labels say."""

    place: Path | Entry
    name: str

    @property
    def argument(self) -> str | Entry:
        """How the pool is told."""
        return self.place if isinstance(self.place, Entry) else str(self.place)


@dataclass(frozen=True, slots=True)
class MadePicture:
    path: Path
    facts: ImageFacts


@dataclass(frozen=True, slots=True)
class OperationFinding:
    """One thing wrong with the operations of a step. `mark` is None for rendered ones."""

    index: int  # which operation, from 0
    option: str | None
    message: str
    hint: str | None = None
    mark: Mark | None = None


Rendered = tuple[str, Mapping[str, Json]]  # an operation's name, and its options without expressions
Locate = Callable[[Json], Awaitable[SourcePicture]]  # a file value, path or result URL to a file on this machine


# --- checks ----------------------------------------------------------------------------------------


def check_operations(operations: Sequence[ImageOperation]) -> list[OperationFinding]:
    """All that is wrong with operations as written; values with expressions are checked when rendered."""
    found: list[OperationFinding] = []
    for index, operation in enumerate(operations):
        entries = {entry.name: entry for entry in operation.options.entries}
        given = {name: _known(entry.value) for name, entry in entries.items()}
        for finding in _check_one(operation.name, given):
            mark = _mark(entries.get(finding.option or ""), operation.mark)
            found.append(OperationFinding(index, finding.option, finding.message, finding.hint, mark))
    if not operations:
        found.append(OperationFinding(0, None, "`image` needs at least one operation", _all_names()))
    return found


def check_rendered(operations: Sequence[Rendered]) -> list[OperationFinding]:
    """The same for operations whose values are all known."""
    return [
        OperationFinding(index, finding.option, finding.message, finding.hint)
        for index, (name, options) in enumerate(operations)
        for finding in _check_one(name, options)
    ]


def _check_one(name: str, given: Mapping[str, Json]) -> Iterator[Finding]:
    operation = OPERATIONS.get(name)
    if operation is None:
        yield Finding(None, f'no image operation "{name}"', nearest(name, list(OPERATIONS)) or _all_names())
        return
    known: dict[str, Json] = {}
    for option, value in given.items():
        if option not in operation.OPTIONS:
            hint = nearest(option, list(operation.OPTIONS)) or _option_names(name, operation.OPTIONS)
            yield Finding(option, f'{name} has no option "{option}"', hint)
        elif value is _UNKNOWN or value is None:
            continue  # null is as if not given
        elif problem := operation.OPTIONS[option].kind.problem(value):
            yield Finding(option, f"{name}: `{option}` {problem}, not {_shown(value)}")
        else:
            known[option] = value
    names = frozenset(option for option, value in given.items() if value is not None)
    for option, meant in operation.OPTIONS.items():
        if meant.required and option not in names:
            yield Finding(None, f"{name} needs `{option}`")
    yield from operation.check(names, known)


def _known(template: Template) -> Json:
    """The value of a template without expressions, else `_UNKNOWN`."""
    if isinstance(template, Literal):
        return template.value
    if isinstance(template, ListOf):
        values = [_known(item) for item in template.items]
        return _UNKNOWN if any(value is _UNKNOWN for value in values) else values
    if isinstance(template, MapOf):
        inner = {entry.name: _known(entry.value) for entry in template.entries}
        return _UNKNOWN if any(value is _UNKNOWN for value in inner.values()) else inner
    return _UNKNOWN


def _mark(entry: Written | None, otherwise: Mark) -> Mark:
    return otherwise if entry is None else entry.mark


def _shown(value: Json) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _all_names() -> str:
    return f"the operations are {', '.join(OPERATIONS)}"


def _option_names(name: str, options: Mapping[str, Option]) -> str:
    return f"{name} takes {', '.join(options)}" if options else f"{name} takes no options"


# --- files -----------------------------------------------------------------------------------------


def file_options(operations: Sequence[Rendered]) -> list[tuple[int, str]]:
    """Which options name a file: (index of the operation, option). A text there is a path."""
    return [
        (index, option)
        for index, (name, options) in enumerate(operations)
        for option in options
        if takes_file(name, option) and options[option] is not None
    ]


def takes_file(operation: str, option: str) -> bool:
    """Whether this option of this operation names a file."""
    if operation not in OPERATIONS or option not in OPERATIONS[operation].OPTIONS:
        return False
    kind = OPERATIONS[operation].OPTIONS[option].kind
    kinds = kind.kinds if isinstance(kind, Either) else (kind,)
    return any(isinstance(one, PictureFile) for one in kinds)


def pictures_of(given: Mapping[str, Json]) -> list[Json]:
    """The values of `input.image` or `input.images`, as a list of one or many."""
    for name in given:
        if name not in INPUT_FIELDS:
            message = f'an image step takes `image` or `images`, not "{name}"'
            raise TaskError(message, kind=TaskErrorKind.INPUT, hint=nearest(name, INPUT_FIELDS))
    image, images = given.get("image"), given.get("images")
    if image is not None and images is not None:
        raise TaskError("an image step takes `image` or `images`, not both", kind=TaskErrorKind.INPUT)
    many = image if image is not None else images
    if many is None or many == []:
        raise TaskError("an image step needs a picture in `image` or `images`", kind=TaskErrorKind.INPUT)
    return list(many) if isinstance(many, (list, tuple)) else [many]


# --- work ------------------------------------------------------------------------------------------


async def run_image(
    operations: Sequence[Rendered], given: Mapping[str, Json], *, locate: Locate, folder: Path, pool: Pixels
) -> MadePicture:
    """One task: find its files on this machine, work them in the pool, leave one picture in `folder`."""
    for finding in check_rendered(operations):
        raise TaskError(finding.message, kind=TaskErrorKind.INPUT, hint=finding.hint)
    sources = [await locate(value) for value in pictures_of(given)]
    ready = [(name, dict(options)) for name, options in operations]
    for index, option in file_options(operations):
        ready[index][1][option] = (await locate(ready[index][1][option])).argument
    return await make_picture(ready, sources, folder=folder, pool=pool)


async def make_picture(
    operations: Sequence[Rendered], sources: Sequence[SourcePicture], *, folder: Path, pool: Pixels
) -> MadePicture:
    """Work the pictures; every file that an option names is a path here."""
    work = [(name, dict(options)) for name, options in operations]
    inputs = [(source.argument, source.name) for source in sources]
    try:
        path, facts = await pool.pixels("run_operations", work, inputs, str(folder))
    except PictureError as error:
        raise TaskError(error.message, kind=TaskErrorKind.INPUT, code="task.picture", hint=error.hint) from error
    except ExecutorError as error:
        raise TaskError(error.message, kind=TaskErrorKind.TASK, code=error.code, hint=error.hint) from error
    return MadePicture(Path(path), facts)
