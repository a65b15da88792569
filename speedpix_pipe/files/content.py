"""What bytes are: their digest, their kind by their first bytes, the size of a picture."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import warnings
from pathlib import Path
from typing import IO, NamedTuple

HEAD_BYTES = 4096  # how much of a file `sniff` looks at
_BLOCK = 1 << 20


class Sniffed(NamedTuple):
    media_type: str
    extension: str  # without dot


_STARTS = (
    (b"\xff\xd8\xff", Sniffed("image/jpeg", "jpg")),
    (b"\x89PNG\r\n\x1a\n", Sniffed("image/png", "png")),
    (b"GIF87a", Sniffed("image/gif", "gif")),
    (b"GIF89a", Sniffed("image/gif", "gif")),
    (b"II*\x00", Sniffed("image/tiff", "tiff")),
    (b"MM\x00*", Sniffed("image/tiff", "tiff")),
    (b"\x1aE\xdf\xa3", Sniffed("video/webm", "webm")),
    (b"ID3", Sniffed("audio/mpeg", "mp3")),
    (b"%PDF-", Sniffed("application/pdf", "pdf")),
    (b"PK\x03\x04", Sniffed("application/zip", "zip")),
    (b"PK\x05\x06", Sniffed("application/zip", "zip")),
)
_RIFF = {b"WEBP": Sniffed("image/webp", "webp"), b"WAVE": Sniffed("audio/wav", "wav")}
_TEXT = Sniffed("text/plain", "txt")
_JSON = Sniffed("application/json", "json")
_SVG = Sniffed("image/svg+xml", "svg")
UNKNOWN = Sniffed("application/octet-stream", "bin")


# Every extension that content is given.
EXTENSIONS = frozenset({*(found.extension for _, found in _STARTS), *(found.extension for found in _RIFF.values())}) | {
    *("bmp", "mov", "mp4", "svg", "json", "txt", "bin")
}


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Studied(NamedTuple):
    """What one reading of a file tells."""

    sha256: str
    stat: os.stat_result
    head: bytes
    content: bytes | None = None  # of a small one that stayed as it was


def study_file(path: Path) -> tuple[Studied, bool]:
    """Read a regular file once; whether it stayed as it was meanwhile. Does not wait for a pipe that took its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "is not a file", str(path))
        digest = hashlib.sha256()
        head = block = os.read(descriptor, min(before.st_size + 1, _BLOCK))
        while block:
            digest.update(block)
            # A small file came whole: the byte more that was asked for was not there.
            block = b"" if block is head and len(head) == before.st_size else os.read(descriptor, _BLOCK)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    same = _state(before) == _state(after)
    content = head if same and len(head) == before.st_size else None
    return Studied(digest.hexdigest(), before, head[:HEAD_BYTES], content), same


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def same_state(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether both are looks at one file that nobody wrote to in between, as far as its times tell."""
    return (one.st_dev, one.st_ino, *_state(one)) == (other.st_dev, other.st_ino, *_state(other))


def head_of(path: Path) -> bytes:
    """The beginning of a file. A buffered file object would cost five times as much as the read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def sniff(data: bytes | Path) -> Sniffed:
    """Media type and extension by content, never by name. `data` is the beginning of the content, or a file."""
    if isinstance(data, Path):
        data = head_of(data)
    head = data[:HEAD_BYTES]
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    return _boxed(head) or _textual(head, whole=len(data) < HEAD_BYTES) or UNKNOWN


def _boxed(head: bytes) -> Sniffed | None:
    """Formats whose mark stands after a length or a checksum."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:2] == b"BM" and len(head) >= 14 and head[6:10] == b"\0\0\0\0":
        return Sniffed("image/bmp", "bmp")
    if head[4:8] == b"ftyp":
        return Sniffed("video/quicktime", "mov") if head[8:12] == b"qt  " else Sniffed("video/mp4", "mp4")
    if head[4:8] in {b"moov", b"mdat", b"wide"}:  # QuickTime from before `ftyp`
        return Sniffed("video/quicktime", "mov")
    # An MPEG audio frame: eleven set bits, then layer III and a bit rate that exists.
    if len(head) >= 4 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] & 0xF0 != 0xF0:
        return Sniffed("audio/mpeg", "mp3")
    return None


def _textual(head: bytes, *, whole: bool) -> Sniffed | None:
    if b"\0" in head:
        return None
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if whole or error.start < len(head) - 4:  # not merely a character cut off by our window
            return None
        text = head[: error.start].decode("utf-8-sig")
    start = text.lstrip()[:1000]
    if start.startswith("<svg") or (start.startswith(("<?xml", "<!")) and "<svg" in text):
        return _SVG
    if start[:1] in {"{", "["} and (not whole or _is_json(text)):
        return _JSON
    return _TEXT


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def image_size(file: Path | IO[bytes]) -> tuple[int, int, str] | None:
    """Width and height as shown (turned by its EXIF orientation) and format, or None if it is no picture.

    The format is Pillow's name in small letters: `jpeg png gif webp bmp tiff`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        # Only the header is read, so a huge picture does no harm here; who decodes it has the limit to keep.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                width, height = image.size
                turned = image.getexif().get(0x0112, 1) >= 5
                kind = (image.format or "").lower()
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError, EOFError):
        return None
    return (height, width, kind) if turned else (width, height, kind)
