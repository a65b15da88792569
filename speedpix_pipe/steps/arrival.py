"""A look at bytes that have arrived: are they what the service said they would be?

Signature and end marker only, so it costs two small reads; pixels are decoded elsewhere, where they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from speedpix_pipe.files import Sniffed, sniff
from speedpix_pipe.model import Json

_PICTURES = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tiff", "tif"}
_FILMS = {"mp4", "mov", "webm", "m4v"}
_ENDS = {"image/jpeg": b"\xff\xd9", "image/png": b"IEND\xaeB`\x82", "image/gif": b";"}
_TAIL = 64  # some writers put a few bytes behind the end marker


def look(data: bytes | Path, size: int, url: str, about: Mapping[str, Json] | None) -> tuple[Sniffed, str | None]:
    """What the content, or the file, is, and what is wrong with it, if anything."""
    found = sniff(data)
    if size == 0:
        return found, "the result file is empty"
    promised = _promised(url, about)
    if promised in _PICTURES and not found.media_type.startswith("image/"):
        return found, f"the result should be a picture ({promised}) and is {found.media_type}"
    if promised in _FILMS and not found.media_type.startswith(("video/", "image/")):
        return found, f"the result should be a video ({promised}) and is {found.media_type}"
    end = _ENDS.get(found.media_type)
    if end is not None and end not in _last_bytes(data, size):
        return found, f"the result is a {found.extension} file without its end: it is truncated"
    return found, None


def _promised(url: str, about: Mapping[str, Json] | None) -> str:
    """The extension that the answer led us to expect; empty if it said nothing."""
    if about is not None:
        stated = about.get("format")
        if isinstance(stated, str) and stated:
            return stated.lower().removeprefix(".")
        if about.get("type") == "image":
            return "png"
    return urlsplit(url).path.rpartition(".")[2].lower()


def _last_bytes(data: bytes | Path, size: int) -> bytes:
    if isinstance(data, bytes):
        return data[-_TAIL:]
    descriptor = os.open(data, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    finally:
        os.close(descriptor)
