"""What of an `input` is a file, by one rule for both faces. Nothing is opened here.

Files are: `Path` and other path objects, bytes, binary file objects, and (unless that is switched off) strings that
look like a path: they begin with `/`, `./`, `../`, `~/` or a drive letter and end in an extension. Everything else must
be JSON; what is neither is refused by name instead of being sent as its repr.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from speedpix_pipe.sdk._models import File
from speedpix_pipe.sdk.errors import InputError

BASE64_LIMIT = 1024 * 1024
AUTO_LIMIT = 64 * 1024

LocalFile = Path | bytes | BinaryIO
_PATH_LIKE = re.compile(r"(/(?!/)|\.{1,2}[/\\]|~[\w.-]*/|[A-Za-z]:[/\\])[^\0\r\n]*\.[A-Za-z0-9]{1,8}")
_LONGEST_PATH = 4096


def looks_like_path(text: str) -> bool:
    """Whether a string in an input means a local file. Decided by its looks alone, never by what exists."""
    return len(text) <= _LONGEST_PATH and _PATH_LIKE.fullmatch(text) is not None


class Collector:
    """Walks an input once. `tree` is JSON with a hole for each local file; `files` are what goes into the holes."""

    def __init__(self, value: Mapping[str, Any], *, detect_paths: bool) -> None:
        self.files: list[tuple[str, LocalFile]] = []
        self._detect_paths = detect_paths
        if not isinstance(value, Mapping):
            raise InputError(f"input must be a mapping of the workflow's fields, not {type(value).__name__}")
        self.tree = self._walk(value, "input")

    def fill(self, urls: list[str]) -> Any:
        """The input with each hole replaced by the text at its index."""
        return self.tree if not self.files else _fill(self.tree, urls)

    def _walk(self, value: Any, place: str) -> Any:
        if isinstance(value, str):
            if self._detect_paths and looks_like_path(value):
                return self._hole(Path(value), place)
            return str(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self._name(key, place): self._walk(item, f"{place}.{key}") for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._walk(item, f"{place}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, File):
            return value.access_url
        local = as_local_file(value)
        if local is None:
            raise InputError(
                f"{place} is a {type(value).__name__}, which is neither JSON nor a file",
                remedy="Pass JSON values, paths, bytes, binary files, or what files.create returned.",
            )
        return self._hole(local, place)

    def _name(self, key: Any, place: str) -> str:
        if not isinstance(key, str):
            raise InputError(f"{place} has a key that is not a string: {key!r}")
        return key

    def _hole(self, local: LocalFile, place: str) -> Hole:
        self.files.append((place, local))
        return Hole(len(self.files) - 1)


class Hole:
    """Where a file's URL will go."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def _fill(node: Any, urls: list[str]) -> Any:
    if isinstance(node, Hole):
        return urls[node.index]
    if isinstance(node, dict):
        return {key: _fill(item, urls) for key, item in node.items()}
    if isinstance(node, list):
        return [_fill(item, urls) for item in node]
    return node


def as_local_file(value: Any) -> LocalFile | None:
    """A path, bytes or a binary file; None for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, io.TextIOBase):
        raise InputError("a file opened as text cannot be uploaded; open it with mode 'rb'")
    if callable(getattr(value, "read", None)):
        binary: BinaryIO = value
        return binary
    if isinstance(value, os.PathLike):
        return Path(os.fsdecode(value))
    return None


_URL = re.compile(r"https?://[^\s/]\S*", re.IGNORECASE)
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(;[\w.+-]+=[^;,\s]*)*;base64,[A-Za-z0-9+/=_-]*", re.IGNORECASE)


def is_file_url(text: str) -> bool:
    """Whether a string of an output is a URL that a file can be read from."""
    return _URL.fullmatch(text) is not None or (text[:5].lower() == "data:" and _DATA_URI.fullmatch(text) is not None)


def wrap_urls(value: Any, wrap: Callable[[str, tuple[str | int, ...]], Any], place: tuple[str | int, ...] = ()) -> Any:
    """An output with each file URL replaced by `wrap(url, place)`; all else is kept as it is."""
    if isinstance(value, str):
        return wrap(value, place) if is_file_url(value) else value
    if isinstance(value, dict):
        return {key: wrap_urls(item, wrap, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [wrap_urls(item, wrap, (*place, index)) for index, item in enumerate(value)]
    return value


def at_place(value: Any, place: tuple[str | int, ...]) -> Any:
    """What an output has at a place, or None."""
    for key in place:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value
