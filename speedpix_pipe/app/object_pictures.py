"""Objects that a gallery shows: fetched a few at a time for their thumbnails, and gone when those are made.

An object that is another by now, or cannot be had, is left out: the gallery then shows a placeholder, as it does for a
file that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from speedpix_pipe.errors import PipeError
from speedpix_pipe.files.storage import object_url, open_storage
from speedpix_pipe.files.storage.bytes import fetch_object

AT_ONCE = 16


class ObjectPictures:
    """Names in a folder for objects that may be brought there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wanted: dict[Path, tuple[str, str]] = {}
        self._names: dict[tuple[str, str], Path] = {}

    def name(self, url: str, sha256: str) -> Path:
        wanted = (url, sha256)
        if wanted not in self._names:
            self._names[wanted] = path = self._folder / f"{len(self._names)}"
            self._wanted[path] = wanted
        return self._names[wanted]

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def bring(self, paths: Iterable[Path]) -> list[Path]:
        """Those of these names that mean objects, fetched where that can be done."""
        mine = [path for path in paths if path in self._wanted]
        if mine:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                list(threads.map(self._fetch, mine))
        return mine

    def _fetch(self, path: Path) -> None:
        text, sha256 = self._wanted[path]
        try:
            url = object_url(text)
            entry = open_storage(url.scheme).look(url)
            if entry is not None and fetch_object(entry, path) != sha256:
                path.unlink()
        except (OSError, PipeError):
            path.unlink(missing_ok=True)
