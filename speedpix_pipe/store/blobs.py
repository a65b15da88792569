"""The blob store: every file of a finished prediction, once, under its digest.

A blob is written by rename only, so what has its name is whole. Nothing here is ever hard-linked to an output:
editing the output would edit the only paid copy. `prune` keeps to a budget and never takes what an unfinished run
needs or what somebody used in the last hour.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

from speedpix_pipe.errors import StoreError
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.db import Hook
from speedpix_pipe.store.syncing import Folders, Steps, SyncPool, make_folders

BUDGET_BYTES = 10 * 1024**3
_IN_USE = timedelta(hours=1)  # a blob looked at within this time may be on its way into a running task
_NAME_LENGTH = 64  # of a blob; other names are blobs on their way out
_TOUCH = timedelta(minutes=10)  # how exact the time of last use is


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` removed and what stays."""

    files: int
    freed_bytes: int
    kept_files: int
    kept_bytes: int


class Blobs:
    """Content by SHA-256 in `blobs/`; the file's mtime is when it was last used.

    One folder for all, so that those that come together share its sync. File systems look names up by their hash: a
    million in one folder are no slower to find than a hundred.
    """

    def __init__(self, folder: Path, *, sync: SyncPool, now: Callable[[], datetime], hook: Hook | None) -> None:
        self._folder = folder / "blobs"
        self._work = folder / "work"
        self._sync = sync
        self._now = now
        self._hook = hook

    def path(self, sha256: str) -> Path:
        return self._folder / sha256

    def has(self, sha256: str, size: int) -> bool:
        """Is it here, whole? Counts as a use."""
        path = self.path(sha256)
        try:
            found = path.stat()
            if found.st_size != size:
                return False
            now = self._now().timestamp()
            if abs(now - found.st_mtime) > _TOUCH.total_seconds():
                os.utime(path, (now, now))  # fails if `prune` has just taken it: then it is not here
        except FileNotFoundError:
            return False
        return True

    def work_folder(self, run_id: str) -> Path:
        """Where the jobs of a run write, on the same file system as the blobs."""
        path = self._work / run_id
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    async def adopt(self, part: Path, sha256: str, size: int) -> Path:
        """Take a finished file into the store; the caller has counted and hashed its bytes. The part is gone after."""
        path: Path = await self._sync.run(lambda folders: self.adopting(part, sha256, size, folders), size)
        return path

    async def keep(self, content: bytes, sha256: str, work: Path) -> Path:
        """Put content that the caller has hashed into the store, by way of a work folder."""
        path: Path = await self._sync.run(lambda folders: self._keeping(content, sha256, work, folders), len(content))
        return path

    def adopting(self, part: Path, sha256: str, size: int, folders: Folders) -> Steps[Path]:
        """`adopt` as a job of the pool."""
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor).st_size
            if found != size:
                raise StoreError(f"{part.name} has {found} bytes and not {size}", code="store.wrong-size")
            if self.has(sha256, size):
                part.unlink()
                return self.path(sha256)
            os.fchmod(descriptor, 0o600)
            yield from self._settle(descriptor)
        finally:
            os.close(descriptor)
        return self._name(part, sha256, folders)

    def _keeping(self, content: bytes, sha256: str, work: Path, folders: Folders) -> Steps[Path]:
        if self.has(sha256, len(content)):
            return self.path(sha256)
        part = work / f"{secrets.token_hex(16)}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            yield from self._settle(descriptor)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return self._name(part, sha256, folders)

    def _settle(self, descriptor: int) -> Steps[None]:
        now = self._now().timestamp()
        os.utime(descriptor, (now, now))
        yield descriptor
        self._pass("blob.synced")

    def _name(self, part: Path, sha256: str, folders: Folders) -> Path:
        path = self.path(sha256)
        try:
            part.rename(path)
        except FileNotFoundError:  # the first of all
            make_folders(path.parent, folders, mode=0o700)
            part.rename(path)
        self._pass("blob.renamed")
        folders.add(path.parent)
        return path

    def clear(self, run_id: str) -> None:
        """Remove the work folder of a run, if it has one, and what is left in it."""
        _remove(self._work / run_id)

    def sweep(self, dead: Callable[[str], AbstractContextManager[bool]]) -> None:
        """Remove the work folders of runs that nobody carries out: halves of files that nobody finishes."""
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self._work):
                with dead(entry.name) as is_dead:
                    if is_dead:
                        _remove(Path(entry.path))

    def prune(
        self, *, needed: Collection[str], max_bytes: int | None = BUDGET_BYTES, max_age: timedelta | None = None
    ) -> Pruned:
        """Remove the longest unused blobs beyond a size or an age, except those `needed` and those in use."""
        now = self._now().timestamp()
        blobs = sorted(self._all(), key=lambda blob: blob.used)
        total = sum(blob.size for blob in blobs)
        files = freed = 0
        for blob in blobs:
            idle = now - blob.used
            if -idle > _IN_USE.total_seconds():
                self._date(blob, now)
                continue
            too_old = max_age is not None and idle > max_age.total_seconds()
            too_much = max_bytes is not None and total - freed > max_bytes
            if not (too_old or too_much) or idle < _IN_USE.total_seconds() or blob.sha256 in needed:
                continue
            if self._remove(blob):
                files, freed = files + 1, freed + blob.size
        return Pruned(files, freed, len(blobs) - files, total - freed)

    def _date(self, blob: _Blob, now: float) -> None:
        """It was used while the clock was ahead, nobody knows when: from now on it ages like any other."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(blob.sha256), (now, now))

    def _remove(self, blob: _Blob) -> bool:
        """Take a blob away unless somebody used it since we looked: `has` touches first, and so shows up here."""
        path = self.path(blob.sha256)
        grave = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            path.rename(grave)
            if grave.stat().st_mtime != blob.used:
                grave.rename(path)
                return False
            grave.unlink()
        except FileNotFoundError:  # another prune was quicker
            return False
        return True

    def _all(self) -> Iterator[_Blob]:
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self._folder):
                found = entry.stat(follow_symlinks=False)
                if len(entry.name) != _NAME_LENGTH:
                    self._bury(entry, found)
                elif stat.S_ISREG(found.st_mode):
                    yield _Blob(entry.name, found.st_size, found.st_mtime)

    def _bury(self, entry: os.DirEntry[str], found: os.stat_result) -> None:
        """Finish the removal that another prune died in."""
        if abs(self._now().timestamp() - found.st_mtime) > _IN_USE.total_seconds():
            Path(entry.path).unlink(missing_ok=True)

    def _pass(self, point: str) -> None:
        if self._hook is not None:
            self._hook(point)


def _remove(work: Path) -> None:
    try:
        work.rmdir()  # most are empty
    except FileNotFoundError:
        return
    except OSError:
        import shutil

        shutil.rmtree(work, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Blob:
    sha256: str
    size: int
    used: float
