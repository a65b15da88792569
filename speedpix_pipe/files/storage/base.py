"""What a store of objects is to us: look, list, read a part, put whole, copy.

Every call blocks; none is made on a thread that runs an event loop. A method that is given an `Entry` means the object
as it was when the entry was made, and says so (`ChangedObjectError`) when it is another by now.

Errors are OSErrors, as those of a disk are: `FileNotFoundError`, `PermissionError`, or a `StorageError` that says what
was tried. Credentials are the storage library's own business, on each machine.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from speedpix_pipe.files.storage.urls import ObjectUrl
from speedpix_pipe.records import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as it was seen."""

    url: str
    size: int
    modified: float  # whole seconds since 1970: a listing and a look say it with different digits
    etag: str = ""
    version: str | None = None
    sha256: str | None = None  # where the service vouches for it
    where: str = ""  # which service that is

    @property
    def place(self) -> bytes:
        """What it is remembered under."""
        return f"{self.where}|{self.url}".encode()

    @property
    def state(self) -> bytes:
        """Equal while nobody has written to it. The version stays out: listings do not tell it."""
        return f"{self.etag}|{self.size}|{int(self.modified)}".encode()


class StorageError(OSError):
    """A store that did not do what it was asked: out of reach, refusing, or saying what we do not know."""

    def __init__(self, url: str, what: str, hint: str | None = None) -> None:
        super().__init__(errno.EIO, what, url)
        self.hint = hint

    def __reduce__(self) -> tuple[type[StorageError], tuple[str, str, str | None]]:
        return type(self), (str(self.filename), str(self.strerror), self.hint)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class DeniedError(StorageError):
    """The store knows us not, or does not let us."""


class NobodyError(DeniedError):
    """There are no credentials at all: nothing can be had and nothing be written."""


class ChangedObjectError(StorageError):
    """The object is not the one that was seen."""

    def __init__(self, url: str, what: str = "changed while it was read", hint: str | None = None) -> None:
        super().__init__(url, what, hint)


class TakenError(StorageError):
    """What stands under a name is not what was expected there."""

    def __init__(self, url: str, what: str = "somebody else wrote there", hint: str | None = None) -> None:
        super().__init__(url, what, hint)


class Storage(Protocol):
    """One store of objects. May be used from many threads at once."""

    @property
    def exact(self) -> bool:
        """Whether reads and writes can be made conditional, so that nobody comes between a look and what follows."""
        ...

    def look(self, url: ObjectUrl) -> Entry | None:
        """The object as it is now, None where there is none."""
        ...

    def list(self, url: ObjectUrl, *, deep: bool) -> Iterator[Entry | ObjectUrl]:
        """Objects whose URL begins with `url`, page by page; `deep` or up to the next `/`, with the folders there."""
        ...

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`."""
        ...

    def put(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        """Publish a file whole or not at all, over `over` or where nothing stands; TakenError otherwise."""
        ...

    def copy(self, entry: Entry, url: ObjectUrl) -> None:
        """The same bytes under another name of the same store where nothing stands; TakenError otherwise."""
        ...
