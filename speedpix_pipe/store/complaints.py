"""SQLite's complaints in our words, each with what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from speedpix_pipe.errors import StoreError

BUSY_SECONDS = 60.0  # how long one process waits for another's transaction


def is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR"))


def translated(error: Exception, path: Path) -> StoreError:
    """SQLite's complaint in our words, with what to do about it."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return StoreError(
            f"the disk that holds {path.parent} is full", code="store.full", hint="free some space, then run --resume"
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damaged(path, str(error))
    if name.startswith("SQLITE_BUSY"):
        return StoreError(
            f"another process kept {path} to itself for {BUSY_SECONDS:.0f} s",
            code="store.busy",
            hint="look for a stopped speedpix-pipe with `runs list`",
        )
    return StoreError(f"cannot work with {path}: {error}", code="store.write")


def damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the journal {path} is damaged ({why}), so nothing is paid for until it is mended",
        code="store.damaged",
        hint="run `speedpix-pipe runs repair`; it saves what can be read and keeps the old file",
    )
