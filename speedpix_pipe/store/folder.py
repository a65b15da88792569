"""The state folder itself: its shape, its permissions, and the room that is kept free in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from speedpix_pipe.errors import StoreError

DATABASE = "journal.db"
MENDING = "journal.mending"  # stands while `runs repair` is at work, or after it died: names the old file
_RESERVE_BYTES = 4 * 1024**2
_ROOM_BYTES = 256 * 1024**2
_ROOM_SHARE = 0.01


def make_folder(folder: Path) -> None:
    """Create the state folder, readable by its owner alone and invisible to git."""
    try:
        for path in (folder, folder / "locks", folder / "blobs", folder / "work"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
            ignore.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"cannot create the state folder {folder}: {error.strerror}",
            code="store.folder",
            hint="set SPEEDPIX_STATE_DIR to a folder that you may write to",
        ) from error


def journal_is_gone(folder: Path) -> bool:
    """Is there no journal, or an empty file, where results are kept? They were paid for, and it knew by whom."""
    path = folder / DATABASE
    if path.exists() and path.stat().st_size > 0:
        return False
    blobs = folder / "blobs"
    return blobs.is_dir() and next(blobs.iterdir(), None) is not None


def has_room(folder: Path) -> bool:
    """Is there space enough for more results? Below 256 MiB or 1 % nothing more is submitted."""
    found = os.statvfs(folder)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return free >= _ROOM_BYTES and free >= total * _ROOM_SHARE


class Reserve:
    """4 MiB that are given up when the disk is full, so that ids in flight can still be written down."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"

    def fill(self) -> None:
        """Lay the reserve in, if there is room for it."""
        with contextlib.suppress(OSError):  # no room or no such call here: a run may do without
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                found = os.fstatvfs(descriptor)
                enough = found.f_bavail * found.f_frsize > 4 * _RESERVE_BYTES
                if enough and os.fstat(descriptor).st_size < _RESERVE_BYTES:
                    os.posix_fallocate(descriptor, 0, _RESERVE_BYTES)
            finally:
                os.close(descriptor)

    def give_up(self) -> bool:
        """Free the reserve. False if it was gone already."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
