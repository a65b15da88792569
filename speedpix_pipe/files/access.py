"""What `glob`, `file` and `read` in expressions reach: the files seen from a spec's folder, and objects."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files.paths import address_of, resolve, shown_path
from speedpix_pipe.files.pattern import find_files
from speedpix_pipe.files.read import read_file
from speedpix_pipe.files.reads import Reads
from speedpix_pipe.files.storage.urls import names_object
from speedpix_pipe.files.value import Digests, FileValue
from speedpix_pipe.model import Json

if TYPE_CHECKING:
    from speedpix_pipe.files.objects import Objects

_REMEMBERED = 8  # how many parsed files are kept; a table is read by every task that looks something up


class FileAccess(Protocol):
    """Where expressions get files from; `plan` counts here, and tests stand in for the disk."""

    def glob(self, pattern: str, *, allow_empty: bool = False) -> list[FileValue]: ...

    def file(self, path: str) -> FileValue: ...

    def read(self, file: FileValue | str) -> Json:
        """FileNotFoundError if there is none."""
        ...


class FolderFiles:
    """Files on this machine, relative paths from `folder` on; and the objects of a run where a URL names one.

    What is reached is noted in `reads`.
    """

    def __init__(
        self,
        folder: Path,
        digests: Digests | None = None,
        objects: Objects | None = None,
        reads: Reads | None = None,
    ) -> None:
        self.folder = folder
        self.digests = digests
        self._objects = objects
        self._noted = reads
        self._read: dict[tuple[str, int, int], Json] = {}

    @property
    def objects(self) -> Objects:
        if self._objects is None:
            from speedpix_pipe.files.objects import Objects  # here: few specs name any

            self._objects = Objects(self.digests)
        return self._objects

    def glob(self, pattern: str, *, allow_empty: bool = False) -> list[FileValue]:
        if names_object(pattern):
            found = self.objects.glob(pattern, str(self.folder), allow_empty=allow_empty)
        else:
            found = find_files(pattern, self.folder, allow_empty=allow_empty, digests=self.digests)
        if self._noted is not None:
            self._noted.found((self.folder, pattern), found)
        return found

    def file(self, path: str) -> FileValue:
        if names_object(path):
            value = self.objects.file(path, str(self.folder))
            if self._noted is not None:
                self._noted.value(value)
            return value
        place = resolve(path, self.folder)
        if not place.is_file():
            what = "is a folder" if place.is_dir() else "is a device or a pipe" if place.exists() else "does not exist"
            raise ExpressionError(f"the file `{path}` {what}", code="files.missing")
        if self._noted is not None:
            self._noted.add(place)
        return FileValue.local(place, self.folder, digests=self.digests)

    def read(self, file: FileValue | str) -> Json:
        if self._noted is not None:  # also where there is no such file yet: the next run must say the same
            if isinstance(file, FileValue):
                self._noted.value(file)
            else:
                self._noted.add(address_of(file, self.folder))
        if names_object(file) if isinstance(file, str) else file.remote:
            return self.objects.read(file)
        place = file.absolute if isinstance(file, FileValue) else resolve(file, self.folder)
        found = place.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
            raise ExpressionError(f"`{file}` is {what}; read() takes a file", code="files.read")
        key = (str(place), found.st_mtime_ns, found.st_size)
        if key not in self._read:
            value = read_file(place, shown_path(place, self.folder))
            while len(self._read) >= _REMEMBERED:
                self._read.pop(next(iter(self._read)), None)
            self._read[key] = value
        return self._read[key]
