"""Which files a run reads: they are never replaced by what it saves."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from speedpix_pipe.files.storage.urls import ObjectUrl
from speedpix_pipe.files.value import FileValue


class Reads:
    """Noted as they are read. Lists of files, which may be long, are looked through once it matters."""

    def __init__(self, addresses: Iterable[Path | ObjectUrl] = ()) -> None:
        self._known = set(addresses)
        self._found: dict[Hashable, Sequence[FileValue]] = {}

    def add(self, address: Path | ObjectUrl) -> None:
        self._known.add(address)

    def value(self, file: FileValue) -> None:
        """A file of this machine, or an object; the result of a task is the run's own."""
        if file.origin is None:
            self._known.add(file.address)

    def found(self, what: Hashable, files: Sequence[FileValue]) -> None:
        """All that a pattern or a param stands for now."""
        self._found[what] = files

    def __contains__(self, address: Path | ObjectUrl) -> bool:
        if address in self._known:
            return True
        if not self._found or (isinstance(address, Path) and not os.path.lexists(address)):
            return False  # nothing there to replace
        while self._found:
            for file in self._found.popitem()[1]:
                self.value(file)
        return address in self._known
