"""What kind of file some bytes are, by their beginning and by their name."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

UNKNOWN: Final = "application/octet-stream"
SNIFF_SIZE: Final = 1024

_BY_EXTENSION: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".svg": "image/svg+xml",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
    ".txt": "text/plain",
    ".json": "application/json",
    ".xml": "application/xml",
}
_MAGIC: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"PK\x07\x08", "application/zip"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"BM", "image/bmp"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS: Final = {
    b"qt  ": "video/quicktime",
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"M4A ": "audio/mp4",
}
_SVG: Final = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>/]", re.DOTALL)


def detect_mime_type_from_buffer(data: bytes | bytearray | memoryview) -> str:
    """The media type of these bytes; `application/octet-stream` if nothing is recognised."""
    head = bytes(data[:SNIFF_SIZE])
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return _textual(head)


def _textual(head: bytes) -> str:
    if not head or b"\0" in head:
        return UNKNOWN
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _SVG.match(text):
        return "image/svg+xml"
    if text.lstrip().startswith(b"<?xml"):
        return "application/xml"
    decoded = text.decode("utf-8", errors="ignore")  # a character cut in half at the end is no reason to doubt
    readable = sum(len(c.encode()) for c in decoded if c.isprintable() or c in "\t\r\n\f")
    return "text/plain" if readable > 0.8 * len(text) else UNKNOWN


def get_content_type(filename: str | None, data: bytes | bytearray | memoryview | None = None) -> str:
    """The media type for a file: by content where the content is conclusive, else by the name's extension."""
    by_name = _BY_EXTENSION.get(PurePath(filename).suffix.lower()) if filename else None
    if data is not None:
        by_content = detect_mime_type_from_buffer(data)
        # A .docx is a zip and a .json is text: the name says more than those two kinds of content.
        if by_content not in (UNKNOWN, "text/plain", "application/zip", "application/xml"):
            return by_content
        return by_name or by_content
    return by_name or UNKNOWN


_EXTENSIONS: Final = {kind: extension for extension, kind in reversed(_BY_EXTENSION.items())}


def extension_of(kind: str) -> str:
    """The usual extension for a media type, with its dot; nothing if there is none."""
    return _EXTENSIONS.get(kind.partition(";")[0].strip().lower(), "")
