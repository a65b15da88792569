"""Digests of the user's files and objects, remembered while their stat says that nobody wrote to them.

A file that was written within the last 3 s is hashed again next time: its next change could fall into the same tick
of the file system's clock and so leave no trace.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from speedpix_pipe.files import Studied, study_file
from speedpix_pipe.store.db import Reader, Writer, row_kind

_SETTLED_NS = 3_000_000_000
_TRIES = 3
_MOST_KNOWN = 200_000  # places held in memory; a watcher that runs for months begins anew with them
_OBJECT = b"object|"  # before an object's place; that of a file is sixteen bytes
_REMEMBER = row_kind(
    "digest.remember",
    8,
    "INSERT INTO digests (place, state, sha256) VALUES {rows} "
    "ON CONFLICT (place) DO UPDATE SET state = excluded.state, sha256 = excluded.sha256",
    distinct=True,
)


class Digests:
    """SHA-256 of files by (device, inode, size, mtime, ctime). May be asked from any thread."""

    def __init__(self, reader: Reader, writer: Writer | None, *, now: Callable[[], datetime]) -> None:
        self._reader = reader
        self._writer = writer
        self._now = now
        self._known: dict[bytes, tuple[bytes, str] | None] = {}  # None: looked for, not there

    def digest(self, path: Path) -> str:
        """The digest of a file's bytes; `OSError` as `open` raises it."""
        found = path.stat()
        place, state = _key(found)
        known = self._read(place)
        if known is not None and known[0] == state:
            return known[1]
        return self.study(path).sha256

    def peek(self, path: Path) -> str | None:
        """The digest if it is remembered and nobody has written to the file since; never reads the file."""
        try:
            place, state = _key(path.stat())
        except OSError:
            return None
        known = self._read(place)
        return known[1] if known is not None and known[0] == state else None

    def recall_all(self, paths: Iterable[Path]) -> None:
        """Have the digests of these files at hand, as far as they are remembered: one look for many."""
        places = []
        for path in paths:
            try:
                place = _key(path.stat())[0]
            except OSError:
                continue
            if place not in self._known:
                places.append(place)
        rows = self._reader.many("SELECT place, state, sha256 FROM digests WHERE place IN ({marks})", places)
        found = {place: (state, sha256) for place, state, sha256 in rows}
        for place in places:
            self._know(place, found.get(place))

    def recall(self, place: bytes, state: bytes) -> str | None:
        """The digest of an object, remembered by its URL, in the state that its store tells of it."""
        known = self._read(_OBJECT + place)
        return known[1] if known is not None and known[0] == state else None

    def remember(self, place: bytes, state: bytes, sha256: str) -> None:
        self._know(_OBJECT + place, (state, sha256))
        if self._writer is not None:
            self._writer.put(_REMEMBER, (_OBJECT + place, state, sha256))

    def _read(self, place: bytes) -> tuple[bytes, str] | None:
        """What is remembered. A new file is asked for three times before it is hashed, and looked up once."""
        try:
            return self._known[place]
        except KeyError:
            row = self._reader.one("SELECT state, sha256 FROM digests WHERE place = ?", (place,))
            known = None if row is None else (row[0], row[1])
            self._know(place, known)
            return known

    def _know(self, place: bytes, known: tuple[bytes, str] | None) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[place] = known

    def study(self, path: Path) -> Studied:
        """Read a file: digest, facts and beginning, by as few system calls as it takes."""
        for _ in range(_TRIES):
            began = int(self._now().timestamp() * 1_000_000_000)
            found, settled = study_file(path)
            if settled:
                if began - found.stat.st_mtime_ns >= _SETTLED_NS:
                    place, state = _key(found.stat)
                    self._know(place, (state, found.sha256))
                    if self._writer is not None:
                        self._writer.put(_REMEMBER, (place, state, found.sha256))
                break
        return found  # of a file that keeps changing: whoever sends it or works on it will find out


def _key(found: os.stat_result) -> tuple[bytes, bytes]:
    place = struct.pack(">QQ", found.st_dev, found.st_ino)
    return place, struct.pack(">Qqq", found.st_size, found.st_mtime_ns, found.st_ctime_ns)
