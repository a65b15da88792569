"""Bytes of objects as they are needed: a digest, a copy on this machine, or a file to read from. Never all at once."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from speedpix_pipe.files.content import HEAD_BYTES
from speedpix_pipe.files.storage import open_storage
from speedpix_pipe.files.storage.base import ChangedObjectError, Entry, Storage
from speedpix_pipe.files.storage.urls import ObjectUrl

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 4 * 1024 * 1024  # so much of an object is in memory at once
_NEAR = 64 * 1024  # what a look at a header asks for


def storage_of(entry: Entry) -> Storage:
    return open_storage(ObjectUrl(entry.url).scheme)


def blocks_of(entry: Entry) -> Iterator[bytes]:
    """All bytes, in order. ChangedObjectError if they are not all those of this entry."""
    storage = storage_of(entry)
    for start in range(0, entry.size, BLOCK):
        yield storage.read(entry, start, min(entry.size, start + BLOCK))
    confirm(entry, storage)


def confirm(entry: Entry, storage: Storage) -> None:
    """Where reads cannot be made conditional: is it still the same, now that all was read?"""
    if not storage.exact:
        now = storage.look(ObjectUrl(entry.url))
        if now is None or now.state != entry.state:
            raise ChangedObjectError(entry.url)


def head_of_object(entry: Entry) -> bytes:
    return storage_of(entry).read(entry, 0, min(entry.size, HEAD_BYTES)) if entry.size else b""


def sha256_of_object(entry: Entry) -> str:
    """The digest of an object's bytes: the service's own word, or by reading it."""
    if entry.sha256 is not None:
        return entry.sha256
    digest = hashlib.sha256()
    for block in blocks_of(entry):
        digest.update(block)
    return digest.hexdigest()


def fetch_object(entry: Entry, target: Path) -> str:
    """A copy on this machine, whole when this returns; its digest."""
    digest = hashlib.sha256()
    try:
        with target.open("wb", buffering=0) as file:
            for block in blocks_of(entry):
                digest.update(block)
                file.write(block)
            if entry.sha256 not in {None, digest.hexdigest()}:
                raise ChangedObjectError(entry.url)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


class ObjectReader(io.RawIOBase):
    """An object as a file that can be read and sought in; one block of it is held."""

    def __init__(self, entry: Entry, block: int = BLOCK) -> None:
        super().__init__()
        self.entry = entry
        self.failure: OSError | None = None  # why a read failed: some readers tell it in words of their own
        self._storage = storage_of(entry)
        self._block = block
        self._at = 0
        self._held = b""
        self._held_from = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.entry.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        piece = self._piece(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def _piece(self, wanted: int) -> bytes:
        if self._at >= self.entry.size or not wanted:
            return b""
        into = self._at - self._held_from
        if not 0 <= into < len(self._held):
            try:
                end = min(self.entry.size, self._at + self._block)
                self._held = self._storage.read(self.entry, self._at, end)
                if end == self.entry.size:
                    confirm(self.entry, self._storage)
            except OSError as error:
                self.failure = error
                raise
            self._held_from, into = self._at, 0
        piece = self._held[into : into + wanted]
        self._at += len(piece)
        return piece


@contextmanager
def reading(entry: Entry) -> Iterator[BinaryIO]:
    """An object for somebody who tells failures in words of his own: what the store said is raised instead."""
    reader = ObjectReader(entry)
    try:
        yield cast("BinaryIO", reader)
    except Exception as error:
        if reader.failure is not None and reader.failure is not error:
            raise reader.failure from error
        raise


def header_reader(entry: Entry) -> BinaryIO:
    """For who looks at the beginning and at little else."""
    return cast("BinaryIO", ObjectReader(entry, _NEAR))
