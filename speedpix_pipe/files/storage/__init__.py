"""Stores of objects by the scheme of their URLs. fsspec and its packages are imported when the first URL is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from speedpix_pipe.errors import UsageError
from speedpix_pipe.files.storage.base import (
    ChangedObjectError,
    DeniedError,
    Entry,
    NobodyError,
    Storage,
    StorageError,
    TakenError,
)
from speedpix_pipe.files.storage.registry import PACKAGES, STORAGES
from speedpix_pipe.files.storage.urls import ObjectUrl, covered, names_object, object_url, secret_in

__all__ = [
    "STORAGES",
    "ChangedObjectError",
    "DeniedError",
    "Entry",
    "NobodyError",
    "ObjectUrl",
    "Storage",
    "StorageError",
    "TakenError",
    "close_storages",
    "covered",
    "names_object",
    "object_url",
    "open_storage",
    "secret_in",
    "standing_in",
]

_opened: dict[str, Storage] = {}
_opening = threading.Lock()
_stand_in: Path | None = None


def open_storage(scheme: str) -> Storage:
    """The store of a scheme, one for the whole process. UsageError where its package is missing."""
    found = _opened.get(scheme)
    if found is not None:
        return found
    with _opening:
        if _stand_in is not None:
            from speedpix_pipe.files.storage.folder import FolderStorage

            return _opened.setdefault(scheme, FolderStorage(_stand_in))
        if scheme not in _opened:
            module, _, name = STORAGES[scheme].partition(":")
            try:
                made: Storage = getattr(import_module(module), name)(scheme)
            except ImportError as error:
                package = PACKAGES.get(scheme, "install its fsspec package")
                raise UsageError(
                    f"{scheme}:// needs a package that is not installed: {error.name or error}",
                    code="usage.extra",
                    hint=package,
                ) from error
            _opened[scheme] = made
    return _opened[scheme]


@contextmanager
def standing_in(root: Path) -> Iterator[None]:
    """While inside, a folder stands in for every store, and no request is made."""
    global _stand_in  # noqa: PLW0603  # the one place that decides it
    close_storages()
    _stand_in = root
    try:
        yield
    finally:
        _stand_in = None
        close_storages()


def close_storages() -> None:
    """Forget the stores that were opened: the next use reads the environment anew."""
    with _opening:
        _opened.clear()
