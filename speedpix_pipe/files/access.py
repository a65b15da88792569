"""What `glob`, `file` and `read` in expressions reach: the files seen from a spec's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files.paths import resolve, shown_path
from speedpix_pipe.files.pattern import find_files
from speedpix_pipe.files.read import read_file
from speedpix_pipe.files.value import Digests, FileValue
from speedpix_pipe.model import Json

_REMEMBERED = 8  # how many parsed files are kept; a table is read by every task that looks something up


class FileAccess(Protocol):
    """Where expressions get files from; `plan` counts here, and tests stand in for the disk."""

    def glob(self, pattern: str, *, allow_empty: bool = False) -> list[FileValue]: ...

    def file(self, path: str) -> FileValue: ...

    def read(self, file: FileValue | str) -> Json:
        """FileNotFoundError if there is none."""
        ...


class FolderFiles:
    """Files on this machine; relative paths start at `folder`."""

    def __init__(self, folder: Path, digests: Digests | None = None) -> None:
        self.folder = folder
        self.digests = digests
        self._read: dict[tuple[str, int, int], Json] = {}

    def glob(self, pattern: str, *, allow_empty: bool = False) -> list[FileValue]:
        return find_files(pattern, self.folder, allow_empty=allow_empty, digests=self.digests)

    def file(self, path: str) -> FileValue:
        place = resolve(path, self.folder)
        if not place.is_file():
            what = "is a folder" if place.is_dir() else "does not exist"
            raise ExpressionError(f"the file `{path}` {what}", code="files.missing")
        return FileValue.local(place, self.folder, digests=self.digests)

    def read(self, file: FileValue | str) -> Json:
        place = file.absolute if isinstance(file, FileValue) else resolve(file, self.folder)
        stat = place.stat()
        if place.is_dir():
            raise ExpressionError(f"`{file}` is a folder; read() takes a file", code="files.read")
        key = (str(place), stat.st_mtime_ns, stat.st_size)
        if key not in self._read:
            value = read_file(place, shown_path(place, self.folder))
            while len(self._read) >= _REMEMBERED:
                self._read.pop(next(iter(self._read)), None)
            self._read[key] = value
        return self._read[key]
