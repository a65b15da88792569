"""Any file system of fsspec as a store of objects: what all of them can do, without conditions.

Nothing keeps two writers apart between a look and a put; that it was the same object is looked at once more after it
was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from speedpix_pipe.files.storage.base import ChangedObjectError, DeniedError, Entry, StorageError, TakenError
from speedpix_pipe.files.storage.quiet import quieten
from speedpix_pipe.files.storage.urls import ObjectUrl

_ETAGS = ("ETag", "etag", "e_tag")
_TIMES = ("LastModified", "mtime", "last_modified", "modified", "updated", "created")


class FsspecStorage:
    """The file system that fsspec has for a scheme."""

    exact = False

    def __init__(self, scheme: str) -> None:
        quieten("fsspec")
        self.scheme = scheme
        self.fs: Any = fsspec.filesystem(scheme, use_listings_cache=False)

    def look(self, url: ObjectUrl) -> Entry | None:
        try:
            found = self._words(url.text, lambda: self.fs.info(_plain(url), refresh=True))
        except FileNotFoundError:
            return None
        return self._entry(url.text, found) if found.get("type") == "file" else None

    def list(self, url: ObjectUrl, *, deep: bool) -> Iterator[Entry | ObjectUrl]:
        """File systems list folders: that of `url`, of which what begins otherwise is left out."""
        folder = _plain(url).rpartition("/")[0]
        try:
            if deep:
                rows = self._words(url.text, lambda: list(self.fs.find(folder, detail=True).values()))
            else:
                rows = self._words(url.text, lambda: self.fs.ls(folder, detail=True, refresh=True))
        except FileNotFoundError:
            return
        for found in rows:
            text = f"{self.scheme}://{str(found['name']).strip('/')}"
            if not text.startswith(url.text):
                continue
            yield self._entry(text, found) if found.get("type") == "file" else ObjectUrl(f"{text}/")

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        try:
            data: bytes = self._words(
                entry.url, lambda: self.fs.cat_file(_plain(ObjectUrl(entry.url)), start=start, end=end)
            )
        except FileNotFoundError as error:
            raise ChangedObjectError(entry.url, "was removed while it was read") from error
        if len(data) != end - start:
            raise ChangedObjectError(entry.url)
        return data

    def put(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        del sha256, media_type  # not every file system takes them
        self.expect(url, over)
        self._words(url.text, lambda: self.fs.put_file(str(source), _plain(url)))
        found = self.look(url)
        if found is None or found.size != source.stat().st_size:
            raise TakenError(url.text, "was written to, or removed, the moment it was published")
        return found

    def copy(self, entry: Entry, url: ObjectUrl) -> None:
        self.expect(url, None)
        self.expect(ObjectUrl(entry.url), entry)
        self._words(entry.url, lambda: self.fs.cp_file(_plain(ObjectUrl(entry.url)), _plain(url)))

    def expect(self, url: ObjectUrl, over: Entry | None) -> None:
        """TakenError if something else stands there than was seen."""
        now = self.look(url)
        if (now is None) != (over is None) or (now is not None and over is not None and now.state != over.state):
            raise TakenError(url.text)

    def _entry(self, url: str, found: Mapping[str, Any]) -> Entry:
        etag = next((str(found[name]) for name in _ETAGS if found.get(name)), "")
        time = next((found[name] for name in _TIMES if found.get(name)), 0.0)
        exact = time.timestamp() if isinstance(time, datetime) else float(time)
        # Without an ETag every digit of the time is needed to tell two contents apart.
        return Entry(url, int(found["size"]), float(int(exact)), etag or repr(exact), where=self.scheme)

    def _words(self, url: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except FileNotFoundError:
            raise
        except StorageError:
            raise
        except PermissionError as error:
            raise DeniedError(url, f"the storage refused: {error}") from error
        except (OSError, ValueError, RuntimeError) as error:
            raise StorageError(url, f"the storage did not do it: {error}") from error


def _plain(url: ObjectUrl) -> str:
    return f"{url.bucket}/{url.key}"
