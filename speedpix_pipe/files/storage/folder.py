"""A folder that stands in for stores of objects: `s3://shop/a.jpg` is the file `s3/shop/a.jpg` in it.

Where specs are tested offline, nothing may reach a bucket.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from speedpix_pipe.files.storage.base import ChangedObjectError, Entry, TakenError
from speedpix_pipe.files.storage.urls import ObjectUrl


def stand_in_path(root: Path, url: ObjectUrl) -> Path:
    """The file that stands in for an object. No key leads out of the folder: its parts are plain names."""
    return root / url.scheme / url.bucket / url.key


class FolderStorage:
    """Objects as files."""

    exact = False

    def __init__(self, root: Path) -> None:
        self._root = root

    def look(self, url: ObjectUrl) -> Entry | None:
        path = stand_in_path(self._root, url)
        return _entry(url.text, path) if path.is_file() else None

    def list(self, url: ObjectUrl, *, deep: bool) -> Iterator[Entry | ObjectUrl]:
        bucket = self._root / url.scheme / url.bucket
        start, folders = f"{url.scheme}://{url.bucket}/", set[str]()
        for path in sorted(bucket.rglob("*")):
            text = start + path.relative_to(bucket).as_posix()
            if not path.is_file() or not text.startswith(url.text):
                continue
            slash = -1 if deep else text.find("/", len(url.text))
            if slash < 0:
                yield _entry(text, path)
            elif text[: slash + 1] not in folders:
                folders.add(text[: slash + 1])
                yield ObjectUrl(text[: slash + 1])

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        try:
            with stand_in_path(self._root, ObjectUrl(entry.url)).open("rb") as file:
                file.seek(start)
                data = file.read(end - start)
        except FileNotFoundError as error:
            raise ChangedObjectError(entry.url, "was removed while it was read") from error
        if len(data) != end - start:
            raise ChangedObjectError(entry.url)
        return data

    def put(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        del sha256, media_type  # a folder does not keep them
        now = self.look(url)
        if (now is None) != (over is None) or (now is not None and over is not None and now.state != over.state):
            raise TakenError(url.text)
        path = stand_in_path(self._root, url)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = self._root / f"{os.urandom(16).hex()}.part"  # beside all stores, where no listing meets it
        shutil.copyfile(source, part)
        part.rename(path)
        return _entry(url.text, path)

    def copy(self, entry: Entry, url: ObjectUrl) -> None:
        source = ObjectUrl(entry.url)
        now = self.look(source)
        if now is None or now.state != entry.state:
            raise TakenError(entry.url)
        self.put(stand_in_path(self._root, source), url, sha256="", media_type="", over=None)


def _entry(url: str, path: Path) -> Entry:
    found = path.stat()
    return Entry(
        url, found.st_size, float(int(found.st_mtime)), f"{found.st_ino}-{found.st_mtime_ns}", where=str(path.parent)
    )
