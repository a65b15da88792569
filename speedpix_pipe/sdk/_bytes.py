"""Local files as the SDK reads and writes them: opened late, read in blocks, hashed while they pass, never held whole.

Blocking, on purpose; the asynchronous face calls these from a thread.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from speedpix_pipe.sdk import _media
from speedpix_pipe.sdk.errors import InputError

BLOCK = 1024 * 1024
_SPOOL = 4 * BLOCK


class Source:
    """Bytes to be sent: something seekable with a size that is known, hashed block by block."""

    def __init__(self, stream: BinaryIO, name: str | None, *, owned: bool) -> None:
        self._stream = stream
        self._owned = owned
        self.name = name
        self._start = stream.tell()
        self.size = stream.seek(0, os.SEEK_END) - self._start
        self._left = 0
        self._hash = hashlib.sha256()
        self.rewind()

    def rewind(self) -> None:
        self._stream.seek(self._start)
        self._left = self.size
        self._hash = hashlib.sha256()

    def read(self, size: int = BLOCK) -> bytes:
        """The next block, counted and hashed. What is sent must be exactly `size` bytes, as was announced."""
        block = self._stream.read(min(size, self._left))
        if not block and self._left:
            raise InputError(f"{self.name or 'the file'} shrank while it was being read")
        self._left -= len(block)
        self._hash.update(block)
        return block

    def read_all(self) -> bytes:
        self.rewind()
        blocks = []
        while block := self.read():
            blocks.append(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def head(self) -> bytes:
        self._stream.seek(self._start)
        head = self._stream.read(min(self.size, _media.SNIFF_SIZE))
        self._stream.seek(self._start)
        return head

    def digest(self) -> str:
        """Of all that was read since the last rewind."""
        return self._hash.hexdigest()

    def measure(self) -> str:
        """Read it once just for its digest."""
        self.rewind()
        while self.read():
            pass
        return self.digest()

    def close(self) -> None:
        if self._owned:
            self._stream.close()


def open_source(file: Any, name: str | None = None) -> Source:
    """From a path, bytes or a binary file. A stream that cannot seek is spooled to disk first."""
    if isinstance(file, str | os.PathLike):
        path = Path(file).expanduser()
        try:
            if path.is_dir():
                raise InputError(f"{path} is a folder, not a file")
            return Source(path.open("rb"), name or path.name, owned=True)
        except FileNotFoundError:
            raise InputError(
                f"there is no file {path}",
                remedy="If this is text and not a path, pass detect_paths=False.",
            ) from None
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
    if isinstance(file, bytes):
        return Source(io.BytesIO(file), name, owned=True)
    own = getattr(file, "name", None)  # an int for a nameless temporary file
    name = name or (Path(own).name if isinstance(own, str) and own else None)
    if _seekable(file):
        return Source(file, name, owned=False)
    return Source(_spool(file), name, owned=True)


def _seekable(stream: Any) -> bool:
    try:
        return bool(stream.seekable()) and isinstance(stream.tell(), int)
    except (AttributeError, OSError, ValueError):
        return False


def _spool(stream: Any) -> BinaryIO:
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115  # closed by the Source that owns it
    while block := stream.read(BLOCK):
        if not isinstance(block, bytes):
            spool.close()
            raise InputError(f"the stream gives {type(block).__name__}, not bytes; open it as binary")
        spool.write(block)
    spool.seek(0)
    binary: Any = spool
    return binary  # type: ignore[no-any-return]  # a SpooledTemporaryFile is a BinaryIO in all but name


def data_uri(source: Source, content_type: str) -> str:
    return f"data:{content_type};base64,{base64.b64encode(source.read_all()).decode()}"


def decode_data_uri(uri: str) -> tuple[bytes, str]:
    head, _, payload = uri.partition(",")
    return base64.b64decode(unquote_to_bytes(payload), altchars=None, validate=False), head[5:].partition(";")[0]


class Sink:
    """Bytes that arrive: buffered, then written and hashed a block at a time. Discarded, it leaves nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._waiting: list[bytes] = []
        self._buffered = 0
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes received so far, written or not."""

    def take(self, chunk: bytes) -> bool:
        """Keep a chunk; True when a block is full and `flush` should be called."""
        self._waiting.append(chunk)
        self._buffered += len(chunk)
        self.size += len(chunk)
        return self._buffered >= BLOCK

    def flush(self) -> None:
        if self._file is None:
            self._file = self._path.open("wb")
        chunks, self._waiting, self._buffered = self._waiting, [], 0
        for chunk in chunks:
            self._hash.update(chunk)
            self._file.write(chunk)

    def finish(self) -> str:
        """Write what is left, close, and return the digest."""
        self.flush()
        assert self._file is not None
        self._file.close()
        return self._hash.hexdigest()

    def restart(self) -> None:
        self.discard()
        self._waiting, self._buffered, self.size, self._hash = [], 0, 0, hashlib.sha256()

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """A name beside `path`, on the same file system, that nobody else uses."""
    return path.with_name(f".{path.name[:200]}.{os.getpid()}-{os.urandom(4).hex()}.part")


def put_in_place(part: Path, path: Path) -> None:
    part.replace(path)


def make_room(path: str | Path) -> Path:
    """The path with `~` expanded and its folder made."""
    target = Path(path).expanduser()
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


@dataclass(frozen=True, slots=True)
class StorageWords:
    """What object storage says when it refuses: an XML body with a code and a message."""

    code: str | None
    message: str | None


_XML = {name: re.compile(rf"<{name}>([^<]*)</{name}>") for name in ("Code", "Message")}


def storage_words(body: bytes) -> StorageWords:
    text = body[:8192].decode("utf-8", errors="replace")
    found = {name: match.group(1) if (match := pattern.search(text)) else None for name, pattern in _XML.items()}
    return StorageWords(found["Code"], found["Message"])


def url_expiry(url: str) -> datetime | None:
    """When a pre-signed URL ends, if it says so: `Expires` in Unix seconds, or OSS's (or S3's) date and seconds."""
    try:
        query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    except ValueError:
        return None
    try:
        if query.get("expires", "").isdigit():
            seconds = int(query["expires"])
            return datetime.fromtimestamp(seconds, UTC) if seconds < 100_000_000_000 else None
        for vendor in ("x-oss", "x-amz"):
            if f"{vendor}-date" in query and query.get(f"{vendor}-expires", "").isdigit():
                begins = datetime.strptime(query[f"{vendor}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return datetime.fromtimestamp(begins.timestamp() + int(query[f"{vendor}-expires"]), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
