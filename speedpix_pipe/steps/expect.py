"""`expect:`: what a step's files must be like, beyond what its contract can say.

Sizes and formats are known once a file is kept; only `not_blank` and `not_same_as_input` look at pixels, in the
pool. A miss is a sentence for the user; what follows from it is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from speedpix_pipe.errors import ExecutorError
from speedpix_pipe.files import EXTENSIONS, Entry
from speedpix_pipe.model import Json, KeptFile
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.image_ops.base import PictureError
from speedpix_pipe.steps.image_ops.options import Flag, Kind, ListOf, Number, Words, nearest
from speedpix_pipe.steps.places import at

_SIDE = Number(1, 1_000_000, whole=True)
_BYTES = Number(0, 2**53, whole=True)
EXPECTATIONS: Mapping[str, Kind] = {
    "min_width": _SIDE,
    "max_width": _SIDE,
    "min_height": _SIDE,
    "max_height": _SIDE,
    "format": Words(),
    "min_bytes": _BYTES,
    "max_bytes": _BYTES,
    "not_blank": Flag(),
    "not_same_as_input": Flag(),
}
_SPELLINGS = {"jpeg": "jpg", "tif": "tiff"}


class Pixels(Protocol):
    async def pixels(self, function: str, *arguments: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """A kept file of the result, and where its bytes are."""

    kept: KeptFile
    path: Path


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that the task was given."""

    sha256: str
    place: Path | Entry


@dataclass(frozen=True, slots=True)
class ExpectFinding:
    """One thing wrong with an `expect` as written."""

    path: str
    name: str | None
    message: str
    hint: str | None = None


def check_expectations(expect: Mapping[str, Any]) -> list[ExpectFinding]:
    """What is wrong with rendered or literal expectations."""
    found: list[ExpectFinding] = []
    for path, wanted in expect.items():
        if not isinstance(wanted, Mapping):
            found.append(ExpectFinding(path, None, f"`expect` of {path} must be a mapping such as {{min_width: 1024}}"))
            continue
        for name, value in wanted.items():
            if name not in EXPECTATIONS:
                hint = nearest(name, list(EXPECTATIONS)) or f"there are {', '.join(EXPECTATIONS)}"
                found.append(ExpectFinding(path, name, f'no expectation "{name}"', hint))
            elif value is not None and (problem := _kind(name, value).problem(value)):
                found.append(ExpectFinding(path, name, f"`{name}` {problem}"))
            elif name == "format":
                found += _unknown_formats(path, value)
        for side in ("width", "height", "bytes"):
            low, high = wanted.get(f"min_{side}"), wanted.get(f"max_{side}")
            if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
                found.append(ExpectFinding(path, f"max_{side}", f"`min_{side}` {low} is above `max_{side}` {high}"))
    return found


def _unknown_formats(path: str, value: Json) -> Iterator[ExpectFinding]:
    """Formats that no file is ever found to have: every paid result would miss them."""
    for text in value if isinstance(value, list) else [value]:
        if text is not None and _spelling(str(text)) not in EXTENSIONS:
            hint = nearest(str(text), sorted(EXTENSIONS)) or f"there are {', '.join(sorted(EXTENSIONS))}"
            yield ExpectFinding(path, "format", f'no format "{text}"', hint)


def _kind(name: str, value: Json) -> Kind:
    return ListOf(Words()) if name == "format" and isinstance(value, list) else EXPECTATIONS[name]


async def check_expect(
    expect: Mapping[str, Mapping[str, Json]],
    output: Json,
    files: Sequence[ExpectedFile],
    inputs: Sequence[InputFile],
    pool: Pixels,
) -> list[str]:
    """What a finished result misses, one sentence each; empty when all is as expected."""
    by_place = {file.kept.place: file for file in files}
    misses: list[str] = []
    for path, wanted in expect.items():
        found = at(output, path)
        if not found:
            misses.append(f"{path}: nothing is there")
        for here in found:
            file = by_place.get(here.place)
            if file is None:
                misses.append(f"{here.place}: is no file")
                continue
            sentences = [*plain_misses(wanted, file.kept), *await _pixel_misses(wanted, file, inputs, pool)]
            misses.extend(f"{here.place}: {sentence}" for sentence in sentences)
    return misses


def plain_misses(wanted: Mapping[str, Json], kept: KeptFile) -> list[str]:
    """What can be told without pixels."""
    misses: list[str] = []
    for name, value, unit in (("width", kept.width, "pixels wide"), ("height", kept.height, "pixels high")):
        misses += _outside(wanted, name, value, unit)
    misses += _outside(wanted, "bytes", kept.size, "bytes")
    formats = wanted.get("format")
    if formats is not None:
        names = {_spelling(str(name)) for name in (formats if isinstance(formats, list) else [formats])}
        if _spelling(kept.extension) not in names:
            misses.append(f"is {kept.extension or 'of no known format'}, {' or '.join(sorted(names))} is expected")
    return misses


def _outside(wanted: Mapping[str, Json], name: str, value: int | None, unit: str) -> Iterable[str]:
    low, high = wanted.get(f"min_{name}"), wanted.get(f"max_{name}")
    if low is None and high is None:
        return
    if value is None:
        yield f"is no picture, so its {name} is not known"
    elif low is not None and value < low:
        yield f"is {value} {unit}, at least {low} is expected"
    elif high is not None and value > high:
        yield f"is {value} {unit}, at most {high} is expected"


def _spelling(name: str) -> str:
    plain = name.lower().lstrip(".")
    return _SPELLINGS.get(plain, plain)


async def _pixel_misses(
    wanted: Mapping[str, Json], file: ExpectedFile, inputs: Sequence[InputFile], pool: Pixels
) -> list[str]:
    misses: list[str] = []
    try:
        if wanted.get("not_blank") and await pool.pixels("is_blank", str(file.path)):
            misses.append("is blank")
        if wanted.get("not_same_as_input") and await _same_as_any(file, inputs, pool):
            misses.append("is the same picture as the input")
    except PictureError as error:
        misses.append(f"cannot be looked at: {error.message}")
    return misses


def _argument(place: Path | Entry) -> str | Entry:
    """How a file is named to whoever works pixels."""
    return place if isinstance(place, Entry) else str(place)


async def _same_as_any(file: ExpectedFile, inputs: Sequence[InputFile], pool: Pixels) -> bool:
    if any(given.sha256 == file.kept.sha256 for given in inputs):
        return True
    await pool.pixels("inspect", str(file.path))  # an unreadable result is a miss, and told as such
    for given in inputs:
        try:
            if (await pool.pixels("compare", _argument(given.place), str(file.path))).same:
                return True
        except ExecutorError:
            continue  # an input that is no picture cannot be what came back
    return False
