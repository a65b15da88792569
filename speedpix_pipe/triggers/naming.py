"""Names beside a name: the next free one, and one with an ending, cut so that a file system takes it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

_NAME_BYTES = 255


def names(wanted: Path, first: int = 0) -> Iterator[Path]:
    """`shoe.jpg`, `shoe-1.jpg`, `shoe-2.jpg`, ..., or only those from a number on."""
    stem, suffix = wanted.stem, wanted.suffix
    for number in count(first):
        yield wanted.with_name(fitting(stem, f"-{number}{suffix}")) if number else wanted


def fitting(name: str, ending: str) -> str:
    """`name + ending`; where that is too long, the name is cut and gets a digest."""
    raw = os.fsencode(name)
    if len(raw) + len(os.fsencode(ending)) <= _NAME_BYTES:
        return name + ending
    mark = "~" + hashlib.sha256(raw).hexdigest()[:8]
    return _cut(raw, _NAME_BYTES - len(os.fsencode(ending)) - len(mark)) + mark + ending


def _cut(raw: bytes, room: int) -> str:
    while room and room < len(raw) and raw[room] & 0xC0 == 0x80:
        room -= 1  # not through the middle of a character
    return os.fsdecode(raw[:room])
