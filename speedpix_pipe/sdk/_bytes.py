"""Local files as the SDK reads and writes them: opened late, read in blocks, hashed while they pass, never held whole.

Blocking, on purpose; the asynchronous face calls these from a thread.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import io
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from speedpix_pipe.sdk import _media
from speedpix_pipe.sdk.errors import DownloadError, InputError

BLOCK = 1024 * 1024
_SPOOL = 4 * BLOCK


class Source:
    """Bytes to be sent: something seekable with a size that is known, hashed block by block."""

    def __init__(self, stream: BinaryIO, name: str | None, *, owned: bool) -> None:
        self._stream = stream
        self._owned = owned
        self.name = name
        self.content: bytes | None = None
        self.closed = False
        self._start = stream.tell()
        self.size = stream.seek(0, os.SEEK_END) - self._start
        stream.seek(self._start)
        self._left = self.size
        self._hash = hashlib.sha256()
        self._digest: str | None = None

    @classmethod
    def of_bytes(cls, content: bytes, name: str | None, digest: str) -> Source:
        """Bytes whose digest is known."""
        source = cls(io.BytesIO(), name, owned=True)
        source.content, source.size, source._digest = content, len(content), digest
        source.close()
        return source

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

    def load(self) -> Source:
        """Hold a file of at most one block in memory, so that sending it needs no further trip to the disk."""
        if self.size <= BLOCK and self.content is None:
            blocks = []
            self._left, self._hash = self.size, hashlib.sha256()
            while block := self.read():
                blocks.append(block)
            self.content = blocks[0] if len(blocks) == 1 else b"".join(blocks)
            self.close()
        return self

    def head(self) -> bytes:
        if self.content is not None:
            return self.content[: _media.SNIFF_SIZE]
        self._stream.seek(self._start)
        head = self._stream.read(min(self.size, _media.SNIFF_SIZE))
        self._stream.seek(self._start)
        return head

    def digest(self) -> str:
        """Of all that was read since the last rewind."""
        return self._digest or self._hash.hexdigest()

    def measure(self) -> str:
        """Read it once just for its digest."""
        if self.content is None:
            self.rewind()
            while self.read():
                pass
        return self.digest()

    def close(self) -> None:
        """A stream of somebody else's stands where it stood: given again, it is sent again."""
        if self.closed:
            return
        self.closed = True
        if self._owned:
            self._stream.close()
        else:
            with contextlib.suppress(OSError, ValueError):  # it has been closed meanwhile
                self._stream.seek(self._start)


def open_source(file: Any, name: str | None = None) -> Source:
    """From a path, bytes or a binary file. A stream that cannot seek is spooled to disk first."""
    if isinstance(file, str | os.PathLike):
        path = Path(file).expanduser()
        try:
            small = _read_small(path)
            stream = path.open("rb", buffering=0) if small is None else io.BytesIO(small)
            return Source(stream, name or path.name, owned=True)
        except IsADirectoryError:
            raise InputError(f"{path} is a folder, not a file") from None
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


def _read_small(path: Path) -> bytes | None:
    """A regular file of at most one block. Every system call is a fight with the event loop for the interpreter, so
    there are four; `open`, `seek` and `read` would make nine.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > BLOCK:
            return None
        content = os.read(descriptor, facts.st_size + 1)
        return content if len(content) == facts.st_size else None
    finally:
        os.close(descriptor)


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
    return f"data:{content_type};base64,{base64.b64encode(source.load().content or b'').decode()}"


_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_data_uri(uri: str) -> tuple[bytes, str]:
    """Either alphabet of base64, padded or not; what is neither is refused and not skipped."""
    head, _, payload = uri.partition(",")
    letters = unquote_to_bytes(payload).translate(_STANDARD, b" \t\r\n").rstrip(b"=")
    try:
        content = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except binascii.Error as error:
        raise DownloadError(f"the data URI holds no base64: {error}") from error
    return content, head[5:].partition(";")[0]


class Sink:
    """Bytes that arrive: buffered, then written and hashed a block at a time. Discarded, it leaves nothing.

    With `final`, they are written beside that name and appear under it when they are whole. With `hold`, a file of
    less than one block is not written at all: `content` has it in the end.

    It may be discarded while a thread is at the file: that thread then closes and removes it.
    """

    def __init__(self, path: str | Path, *, final: bool = False, hold: bool = False) -> None:
        target = Path(path).expanduser()
        self.final = target if final else None
        self.content: bytes | None = None
        self._hold = hold
        self._path = part_of(target) if final else target
        self._descriptor: int | None = None
        self._waiting: list[bytes] = []
        self._buffered = 0
        self._hash = hashlib.sha256()
        self._guard = threading.Lock()  # of what follows; never held while a file is touched
        self._busy = False  # a thread is at the file
        self._discarded = False
        self._there = False  # a file that is to be removed if this is discarded
        self.size = 0
        """Bytes received so far, written or not."""

    def take(self, chunk: bytes) -> bool:
        """Keep a chunk; True when a block is full and `flush` should be called."""
        self._waiting.append(chunk)
        self._buffered += len(chunk)
        self.size += len(chunk)
        return self._buffered >= BLOCK

    def flush(self) -> None:
        self._while_wanted(self._write)

    def _while_wanted(self, work: Callable[[], None]) -> None:
        """Do what touches the file, if it is wanted. Discarded meanwhile, it is left to whoever is here."""
        with self._guard:
            wanted = not self._discarded
            self._busy |= wanted
        if not wanted:
            return
        try:
            work()
        finally:
            with self._guard:
                self._busy = False
                left = self._discarded
            if left:
                self._remove()

    def _write(self) -> None:
        if self._descriptor is None:
            self._descriptor = self._open()
            self._there = True
        block = memoryview(self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting))
        self._waiting, self._buffered = [], 0
        self._hash.update(block)
        while block:
            block = block[os.write(self._descriptor, block) :]

    def _open(self) -> int:
        how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            return os.open(self._path, how, 0o666)
        except FileNotFoundError:
            if self.final is None:
                raise
            self.final.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._path, how, 0o666)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @property
    def held(self) -> bool:
        """Whether all of it is here, and is to stay here: finishing then touches no disk."""
        return self._hold and self._descriptor is None

    def finish(self) -> str:
        """Write what is left, close, give it its name, and return the digest."""
        if self.held:
            self.content = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
            return hashlib.sha256(self.content).hexdigest()
        self._while_wanted(self._end)
        return self._hash.hexdigest()

    def _end(self) -> None:
        self._write()
        self._close()
        if self.final is not None and not self._discarded:
            self._path.replace(self.final)
            self._there = False

    def restart(self) -> None:
        self.discard()
        self._waiting, self._buffered, self.size, self._hash = [], 0, 0, hashlib.sha256()
        self._discarded = False

    def discard(self) -> None:
        """Nothing of it is wanted. Waits for nobody, so that an event loop may call it."""
        with self._guard:
            self._discarded = True
            if self._busy:
                return
        self._remove()

    def _remove(self) -> None:
        """Once, whoever comes."""
        with self._guard:
            descriptor, self._descriptor = self._descriptor, None
            there, self._there = self._there, False
        if descriptor is not None:
            os.close(descriptor)
        if there:
            self._path.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """A name beside `path`, on the same file system, that nobody else uses. File systems count bytes: a name of 80
    Chinese characters has 240 of the 255 they take.
    """
    name = os.fsencode(path.name)[:200].decode(errors="ignore")
    return path.with_name(f".{name}.{os.getpid()}-{os.urandom(4).hex()}.part")


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
