"""File values: what an expression sees of a file, whether it lies here or came back from a workflow.

A run may hold a hundred thousand of them, so each is a path and a pointer until something is asked of it.
"""

from __future__ import annotations

import os
from copy import copy
from pathlib import Path
from typing import Protocol

from speedpix_pipe.files.content import Studied, image_size, sha256_file, sniff, study_file
from speedpix_pipe.files.held import Held, hold
from speedpix_pipe.files.paths import shown_address, shown_path
from speedpix_pipe.files.storage.base import Entry
from speedpix_pipe.files.storage.urls import ObjectUrl
from speedpix_pipe.model import KeptFile

FILE_NAMES = (
    *("path", "dir", "rel", "name", "stem", "suffix", "size", "mtime", "sha256", "url"),
    *("width", "height", "format"),
)


class Digests(Protocol):
    """Where digests are remembered between runs."""

    def digest(self, path: Path) -> str:
        """The digest of a file's bytes, hashed if need be."""
        ...

    def peek(self, path: Path) -> str | None:
        """The digest if it is remembered and the file has not changed since."""
        ...

    def study(self, path: Path) -> Studied:
        """What one reading of the file tells; the digest is remembered."""
        ...

    def recall(self, place: bytes, state: bytes) -> str | None:
        """The digest of what is no file of this machine, if it is remembered in this state."""
        ...

    def remember(self, place: bytes, state: bytes, sha256: str) -> None: ...


class LateDigests:
    """Digests of a store that is opened once what was read has proved sound. Until then nothing is remembered."""

    __slots__ = ("store",)

    def __init__(self) -> None:
        self.store: Digests | None = None

    def digest(self, path: Path) -> str:
        return sha256_file(path) if self.store is None else self.store.digest(path)

    def peek(self, path: Path) -> str | None:
        return None if self.store is None else self.store.peek(path)

    def study(self, path: Path) -> Studied:
        return study_file(path)[0] if self.store is None else self.store.study(path)

    def recall(self, place: bytes, state: bytes) -> str | None:
        return None if self.store is None else self.store.recall(place, state)

    def remember(self, place: bytes, state: bytes, sha256: str) -> None:
        if self.store is not None:
            self.store.remember(place, state, sha256)


class Home:
    """What the file values of one place share: the spec's folder, the pattern's fixed part, the digests."""

    __slots__ = ("digests", "folder", "prefix")

    def __init__(self, folder: str, prefix: str | None = None, digests: Digests | None = None) -> None:
        self.folder = folder
        self.prefix = prefix  # the fixed folder as shown, with a `/` at its end; None: the file's own folder
        self.digests = digests


class _Facts:
    """What was found out about one file so far."""

    __slots__ = ("blob", "held", "image", "image_known", "kept", "media_type", "path", "saved", "sha256", "stat")

    def __init__(self) -> None:
        self.stat: tuple[int, float] | None = None  # size and mtime: all that is asked for, a twelfth of a stat_result
        self.sha256: str | None = None
        self.held: Held | None = None
        self.media_type: str | None = None
        self.image: tuple[int, int, str] | None = None
        self.image_known = False
        self.kept: KeptFile | None = None
        self.blob: Path | None = None
        self.path: Path | None = None
        self.saved = False


class FileValue:
    """A file in expressions. `path` is relative to the spec's folder, absolute if outside; it is its text."""

    __slots__ = ("_facts", "_home", "path")

    remote = False  # whether its bytes are an object's, and a request away

    def __init__(self, path: str, home: Home) -> None:
        self.path = path
        self._home = home
        self._facts: _Facts | None = None

    @classmethod
    def local(cls, path: Path, folder: Path, base: Path | None = None, digests: Digests | None = None) -> FileValue:
        """A file on this machine; `base` is the fixed folder of the pattern that found it."""
        prefix = None
        if base is not None:
            shown = shown_path(base, folder)
            prefix = "" if shown == "." else shown.rstrip("/") + "/"
        return cls(shown_path(path, folder), Home(str(folder), prefix, digests))

    @classmethod
    def at(cls, shown: Path, actual: Path, folder: Path, base: Path, digests: Digests | None = None) -> FileValue:
        """A local file that goes by the path where it arrived, while its bytes lie elsewhere."""
        value = _Elsewhere.local(shown, folder, base, digests)
        assert isinstance(value, _Elsewhere)
        value.actual = actual
        return value

    @classmethod
    def kept(cls, kept: KeptFile, blob: Path, saved: Path | ObjectUrl | None, folder: Path) -> FileValue:
        """A file of a result: its bytes are those of `blob`, its name that of the saved file if there is one."""
        value = cls(shown_address(saved or blob, folder), Home(str(folder)))
        facts = value._know()
        facts.kept, facts.blob, facts.saved, facts.sha256 = kept, blob, saved is not None, kept.sha256
        return value

    def seen_from(self, folder: Path) -> FileValue:
        """The same file as a spec in that folder knows it."""
        home = self._home
        if str(folder) == home.folder:
            return self
        value = copy(self)
        if self._facts is None:
            self._know()
        value._facts = self._facts
        value.path = shown_path(os.path.normpath(os.path.join(home.folder, self.path)), folder)  # noqa: PTH118 - text to text
        prefix = home.prefix
        if prefix is not None:
            prefix = shown_path(os.path.normpath(os.path.join(home.folder, prefix)), folder)  # noqa: PTH118 - likewise
            prefix = "" if prefix == "." else prefix.rstrip("/") + "/"
        value._home = Home(str(folder), prefix, home.digests)
        return value

    def _know(self) -> _Facts:
        if self._facts is None:
            self._facts = _Facts()
        return self._facts

    @property
    def origin(self) -> KeptFile | None:
        """The kept file of a result, None for a local file."""
        return self._facts.kept if self._facts else None

    @property
    def absolute(self) -> Path:
        """Where its bytes are."""
        facts = self._facts
        if facts is None:
            return Path(self._home.folder, self.path)
        if facts.blob is not None:
            return facts.blob
        path = facts.path
        if path is None:  # a Path costs 5 microseconds, and a task asks a dozen times
            path = facts.path = Path(self._home.folder, self.path)
        return path

    @property
    def address(self) -> Path | ObjectUrl:
        """What tells it from all other files, without looking."""
        return self.absolute

    @property
    def place(self) -> Path | Entry:
        """Where whoever works on it gets its bytes."""
        return self.absolute

    @property
    def media_type(self) -> str:
        """By content."""
        facts = self._know()
        if facts.media_type is None:
            facts.media_type = sniff(self.absolute).media_type
        return facts.media_type

    @property
    def dir(self) -> str:
        return self.path.rpartition("/")[0] or ("/" if self.path.startswith("/") else ".")

    @property
    def rel(self) -> str:
        """Its path below the fixed folder of the pattern that found it; else its name."""
        prefix = self._home.prefix
        if prefix is not None and self.path.startswith(prefix):
            return self.path[len(prefix) :]
        return self.name

    @property
    def name(self) -> str:
        kept = self.origin
        if kept is not None and self._facts is not None and not self._facts.saved:
            # A blob's own name says nothing.
            return kept.name.rpartition("/")[2] or f"{kept.sha256[:16]}.{kept.extension}"
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return os.path.splitext(self.name)[0]  # noqa: PTH122 - a Path for each of 100,000 names is too much

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.name)[1]  # noqa: PTH122 - likewise

    def _stat(self) -> tuple[int, float]:
        facts = self._know()
        found = facts.stat
        if found is None:
            found = facts.stat = _size_and_mtime(self.absolute.stat())
        return found

    @property
    def size(self) -> int:
        kept = self.origin
        return kept.size if kept is not None else self._stat()[0]

    @property
    def mtime(self) -> float:
        """Seconds since 1970."""
        return self._stat()[1]

    @property
    def sha256(self) -> str:
        facts = self._know()
        if facts.sha256 is None:
            facts.sha256 = self.digest_now()
        return facts.sha256

    def digest_now(self) -> str:
        """The digest of what a local file holds now. Blocks: it is read, unless what was read before holds still."""
        digests = self._home.digests
        return sha256_file(self.absolute) if digests is None else digests.digest(self.absolute)

    def study(self, *, to_send: bool = False) -> None:
        """Find out, by one reading, what sending it takes. Blocks. `to_send`: hold it until then, if it is small."""
        facts, digests = self._know(), self._home.digests
        if facts.sha256 is None:
            found = study_file(self.absolute)[0] if digests is None else digests.study(self.absolute)
            facts.sha256, facts.media_type = found.sha256, sniff(found.head).media_type
            facts.stat = _size_and_mtime(found.stat)
            if to_send and found.content is not None:
                facts.held = hold(found.content, found.stat)

    def let_go(self) -> bytes | None:
        """Its bytes, if they are held and those of the file still. They are not held any more."""
        facts = self._facts
        if facts is None or facts.held is None:
            return None
        held, facts.held = facts.held, None
        return held.content if held.still(self.absolute) else None

    def rest(self) -> None:
        """Its task is over: what a look tells again is let go of. A run may have a hundred thousand files."""
        facts = self._facts
        if facts is not None:
            facts.held = facts.stat = facts.path = None

    @property
    def known(self) -> bool:
        """Whether `sha256` is to be had without reading the file."""
        facts = self._know()
        if facts.sha256 is None and self._home.digests is not None:
            facts.sha256 = self._home.digests.peek(self.absolute)
        return facts.sha256 is not None

    def forget(self) -> None:
        """Look at a local file anew when next asked: it may have changed."""
        if self.origin is None:
            self._facts = None

    @property
    def url(self) -> str | None:
        """The service's URL of a result, None for a local file."""
        kept = self.origin
        return kept.url if kept is not None else None

    def _image(self) -> tuple[int, int, str] | None:
        facts = self._know()
        if not facts.image_known:
            facts.image, facts.image_known = image_size(self.absolute), True
        return facts.image

    @property
    def width(self) -> int | None:
        """None if it is no picture, as with `height` and `format`."""
        kept = self.origin
        if kept is not None and kept.width is not None:
            return kept.width
        image = self._image()
        return image[0] if image else None

    @property
    def height(self) -> int | None:
        kept = self.origin
        if kept is not None and kept.height is not None:
            return kept.height
        image = self._image()
        return image[1] if image else None

    @property
    def format(self) -> str | None:
        image = self._image()
        return image[2] if image else None

    def _identity(self) -> tuple[str, str | None]:
        kept = self.origin
        return (kept.sha256, kept.url) if kept is not None else (str(self.absolute), None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileValue):
            return NotImplemented
        return (self.origin is None) == (other.origin is None) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"FileValue({self.path!r})"


def _size_and_mtime(found: os.stat_result) -> tuple[int, float]:
    return found.st_size, found.st_mtime


class _Elsewhere(FileValue):
    """A file that was moved since it got its name: what a hot folder claimed."""

    __slots__ = ("actual",)

    actual: Path

    @property
    def absolute(self) -> Path:
        return self.actual
