"""Where files stand in an output, and what stands at a place that the spec names.

A place is a text such as `images.url`, `images.0.url`, `poster.url`, or `images.0` for a bare URL. Fetching
and keeping the files is done elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass

_URL = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of an output. `about` is the object that the URL stands in; None for a bare text."""

    place: str
    url: str
    about: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class At:
    """What stands at a place."""

    place: str
    value: Json  # of a file: its URL

    @property
    def is_file(self) -> bool:
        return is_url(self.value)


def is_url(value: Json) -> bool:
    """Whether this is a text that is wholly an http(s) URL."""
    return isinstance(value, str) and _URL.fullmatch(value) is not None


def find_files(output: Json) -> list[FoundFile]:
    """All files of an output, in its order. A `preview` is none."""
    return list(_files(output, ""))


def at(output: Json, path: str) -> list[At]:
    """What stands at a path, through every element of lists; `images` and `images.url` are the same.

    A list at the end is gone through if there is a file in it; a list of plain values is one value.
    Nothing there, or null, gives an empty list.
    """
    parts = [part for part in path.split(".") if part]
    return list(_walk(output, parts, ""))


def _files(value: Json, place: str) -> Iterator[FoundFile]:
    if is_url(value):
        yield FoundFile(place, value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "preview":
                continue
            if name == "url" and is_url(inner):
                yield FoundFile(_below(place, name), inner, value)
            else:
                yield from _files(inner, _below(place, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _files(inner, _below(place, position))


def _walk(value: Json, parts: list[str], place: str) -> Iterator[At]:
    if value is None:
        return
    if not parts:
        yield from _end(value, place)
    elif isinstance(value, list):
        if parts[0].isdecimal():
            chosen = int(parts[0])
            if chosen < len(value):
                yield from _walk(value[chosen], parts[1:], _below(place, chosen))
            return
        for position, inner in enumerate(value):
            yield from _walk(inner, parts, _below(place, position))
    elif isinstance(value, Mapping):
        if parts[0] in value:
            yield from _walk(value[parts[0]], parts[1:], _below(place, parts[0]))
    elif parts == ["url"] and is_url(value):
        yield At(place, value)


def _end(value: Json, place: str) -> Iterator[At]:
    if isinstance(value, Mapping) and is_url(value.get("url")):
        yield At(_below(place, "url"), value["url"])
    elif isinstance(value, list) and (not value or any(_files(value, ""))):
        for position, inner in enumerate(value):
            yield from _walk(inner, [], _below(place, position))
    else:
        yield At(place, value)


def _below(place: str, part: str | int) -> str:
    return f"{place}.{part}" if place else str(part)
