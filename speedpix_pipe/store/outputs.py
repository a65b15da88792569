"""Final files: whole or not at all, and never over bytes that a user wrote.

A file is built beside its target as `.NAME.RUNID.part`, synced, renamed, its folder synced, and then recorded with
the digest of what was written. The record is how a later run tells our bytes from a user's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import sqlite3
import stat
import struct
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from weakref import WeakValueDictionary

from speedpix_pipe.errors import StoreError, TaskError, TaskErrorKind
from speedpix_pipe.files import ObjectUrl
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.codec import to_stamp
from speedpix_pipe.store.copying import copy_bytes, fit_name, reflink, sha256_of
from speedpix_pipe.store.db import CALL, Hook, Reader, Writer, row_kind, write_rows
from speedpix_pipe.store.digests import Digests
from speedpix_pipe.store.locks import RunLocks
from speedpix_pipe.store.object_outputs import ObjectOutputs, Wanted
from speedpix_pipe.store.published import Published, PublishedKind, Record, standing
from speedpix_pipe.store.syncing import Folders, Steps, SyncPool, ended, make_folders

_RECORD = row_kind(
    "output.record",
    6,
    "INSERT INTO outputs (path, sha256, run_id, stat, saved_at) VALUES {rows} ON CONFLICT (path) DO UPDATE SET "
    "sha256 = excluded.sha256, run_id = excluded.run_id, stat = excluded.stat, saved_at = excluded.saved_at",
    distinct=True,
)
_FOLDER = row_kind("output.folder", 6, "INSERT OR IGNORE INTO output_folders (run_id, folder) VALUES {rows}")
_SWEPT = "DELETE FROM output_folders WHERE (run_id, folder) IN (VALUES {rows})"
_FORGET = row_kind("output.swept", 5, _SWEPT)  # before what is noted in the same commit: the run may go on
# File systems without hard links: the name is then taken by a look and a rename.
_NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES})

_Done = tuple[Published, bytes | None]  # what became of a file, and the print to record if it is ours
_TRIES = 10  # looks at a target that others write to at this very moment


@dataclass(frozen=True, slots=True)
class _Publication:
    blob: Path
    target: Path
    sha256: str
    run_id: str
    size: int
    record: Record | None


def _checking(blob: Path, sha256: str) -> Steps[None]:
    yield from ()  # nothing is written
    try:
        with blob.open("rb", buffering=0) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return
            _throw_away(blob, os.fstat(file.fileno()))
    except FileNotFoundError as error:  # somebody else has read it, too
        raise StoreError(f"the kept file {sha256[:12]} is gone from the disk", code="store.spoiled") from error
    raise StoreError(f"the kept file {sha256[:12]} has rotted on the disk", code="store.spoiled")


def _throw_away(blob: Path, read: os.stat_result) -> None:
    """Remove what was read and is still open, and not what was fetched anew meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(blob.lstat(), read):
            blob.unlink()


def _key(target: Path | ObjectUrl) -> bytes:
    return target.text.encode() if isinstance(target, ObjectUrl) else os.fsencode(target)


def _print(found: os.stat_result) -> bytes:
    """Device, inode, size and mtime: while these are equal, nobody has written to the file."""
    return struct.pack(">QQQq", found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class Outputs:
    """Where results become the user's files."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer | None,
        *,
        locks: RunLocks,
        sync: SyncPool,
        now: Callable[[], datetime],
        hook: Hook | None,
        digests: Digests,
    ) -> None:
        self.objects = ObjectOutputs(digests, hook)
        self._reader = reader
        self._open_writer = writer
        self._locks = locks
        self._sync = sync
        self._now = now
        self._hook = hook
        self._folders: set[tuple[str, Path]] = set()  # those that our runs have written to
        self._unwritten: dict[bytes, Record] = {}  # records that are not on disk yet
        self._bytewise: set[Path] = set()  # folders into which bytes must be copied
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()  # of targets under way

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise StoreError("this state folder was opened for reading only", code="store.read-only")
        return self._open_writer

    async def publish(
        self,
        blob: Path,
        target: Path | ObjectUrl,
        *,
        sha256: str,
        run_id: str,
        size: int,
        media_type: str = "application/octet-stream",
        verify: bool = False,
    ) -> Published:
        """Save a kept file under its final name (an absolute path, or a URL). Done when this returns, and recorded
        when `written` of what it returns is done.

        `verify` is for a kept file that has lain there for long. It is read first: what its digest does not fit is
        thrown away, with a StoreError `store.spoiled`, so that it is made or fetched again. So it is where it is gone.

        Raises `TaskError` of kind `output` where the target cannot be written.
        """
        key = _key(target)
        async with self._turn(key):
            # What is made anew where nothing stands is new, whatever stood there once: a look at the disk is quicker.
            there = _bytes_there(target)
            record = self._record(key) if verify or there is not None else None
            if record is not None and self.current(target, sha256, record):
                return Published(PublishedKind.SAME, target)  # the usual answer when all is done: no thread, no sync
            if verify:
                await self._sync.run(lambda _folders: _checking(blob, sha256), size)
            if isinstance(target, ObjectUrl):
                wanted = Wanted(blob, target, sha256, size, media_type)
                return self._noted(await self.objects.publish(wanted, record), sha256, run_id, record)
            publication = _Publication(blob, target, sha256, run_id, size, record)
            return await self._to_disk(publication, largest=max(size, there or 0))

    def _turn(self, key: bytes) -> asyncio.Lock:
        """Held by whoever publishes there: until they are recorded, the next one would take its bytes for a user's."""
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Lock()
        return turn

    def _noted(self, done: _Done, sha256: str, run_id: str, before: Record | None) -> Published:
        """What became of it, with its record under way if there is something to record."""
        published, printed = done
        record = None if printed is None else Record(sha256, printed)
        if record is None or record == before:
            return published
        return replace(published, written=self._write(published.path, record, run_id))

    def _write(self, target: Path | ObjectUrl, record: Record, run_id: str) -> asyncio.Future[None]:
        key = _key(target)
        written = self._writer.ask(_RECORD, (key, record.sha256, run_id, record.stat, to_stamp(self._now())))
        self._unwritten[key] = record

        def on_disk(_: object) -> None:
            if self._unwritten.get(key) is record:
                del self._unwritten[key]

        written.add_done_callback(on_disk)
        return written

    def _record(self, key: bytes) -> Record | None:
        if key in self._unwritten:
            return self._unwritten[key]
        row = self._reader.one("SELECT sha256, stat FROM outputs WHERE path = ?", (key,))
        return None if row is None else Record(row[0], row[1])

    async def _to_disk(self, publication: _Publication, *, largest: int) -> Published:
        """`largest`: the bytes of the largest file that may have to be read or written for it."""
        sha256, run_id, target = publication.sha256, publication.run_id, publication.target
        if (run_id, target.parent) not in self._folders:
            # Known before the first part is written there, so that a later start can sweep what a crash leaves.
            await self._writer.ask(_FOLDER, (run_id, os.fsencode(target.parent)))
            self._folders.add((run_id, target.parent))
        going = self._sync.begin(lambda folders: self._publishing(publication, folders), largest)
        try:
            done: _Done = await asyncio.shield(going)
        except OSError as error:
            raise _refused(target, error) from error
        except asyncio.CancelledError:
            # The thread goes on all the same: whoever is next there must find it done, and its bytes recorded as ours.
            await ended(going)
            if going.exception() is None:
                with contextlib.suppress(StoreError):
                    self._noted(going.result(), sha256, run_id, publication.record)
            raise
        return self._noted(done, sha256, run_id, publication.record)

    def records(self, targets: Iterable[Path | ObjectUrl]) -> dict[Path | ObjectUrl, Record]:
        """What we last wrote to each of these, as far as we did."""
        by_key = {_key(target): target for target in targets}
        rows = self._reader.many("SELECT path, sha256, stat FROM outputs WHERE path IN ({marks})", list(by_key))
        found = {by_key[path]: Record(sha256, printed) for path, sha256, printed in rows}
        return found | {by_key[key]: record for key, record in self._unwritten.items() if key in by_key}

    def current(self, target: Path | ObjectUrl, sha256: str, record: Record) -> bool:
        """Whether the target still holds what the record says, and that is this content. One look at the file.

        What it would take a request to tell is not known here: False.
        """
        return isinstance(target, Path) and record.sha256 == sha256 and _untouched(target, record)

    def recorded(self, target: Path | ObjectUrl) -> str | None:
        """The digest of what we last wrote there."""
        record = self._record(_key(target))
        return None if record is None else record.sha256

    def forget(self, run_id: str) -> None:
        """A run that comes to its end has left no parts: where it wrote need not be known any more."""
        known = {noted for noted in self._folders if noted[0] == run_id}
        if not known:
            return
        self._folders -= known
        for _, folder in known:
            self._writer.put(_FORGET, (run_id, os.fsencode(folder)))

    # --- on a thread of the pool -----------------------------------------------------------------

    def _publishing(self, publication: _Publication, folders: Folders) -> Steps[_Done]:
        target, moved = publication.target, None
        for _ in range(_TRIES):
            kind, found = _standing(publication)
            if kind is PublishedKind.CHANGED:
                return Published(kind, target), None
            if kind is PublishedKind.SAME:
                assert found is not None
                return Published(kind, target), _print(found)
            if kind is None:  # foreign bytes in the place of a new result
                moved = _move_aside(target)
                folders.add(target.parent)
                self._pass("output.moved-aside")
                continue
            try:
                part, printed = yield from self._building(publication)
            except FileNotFoundError:  # the first file in its folder
                make_folders(target.parent, folders)
                part, printed = yield from self._building(publication)
            self._pass("output.synced")
            try:
                taken = _take_name(part, target, found)
            finally:
                part.unlink(missing_ok=True)
            if not taken:  # somebody wrote there this very moment: look again
                continue
            self._pass("output.renamed")
            folders.add(target.parent)
            return Published(PublishedKind.REPLACED if moved else kind, target, moved), printed
        raise OSError(errno.EBUSY, "another program keeps writing there")

    def _building(self, publication: _Publication) -> Steps[tuple[Path, bytes]]:
        part = _part_path(publication.target, publication.run_id)
        source = os.open(publication.blob, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(source).st_size != publication.size:
                raise StoreError(f"the kept file {publication.blob.name} is not whole", code="store.wrong-size")
            made = _create(part)
            try:
                self._copy(source, made, publication)
                yield made
                found = os.fstat(made)
                if found.st_size != publication.size:
                    raise StoreError(f"the kept file {publication.blob.name} is not whole", code="store.wrong-size")
                return part, _print(found)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            finally:
                os.close(made)
        finally:
            os.close(source)

    def _copy(self, source: int, made: int, publication: _Publication) -> None:
        folder = publication.target.parent
        if folder not in self._bytewise:
            if reflink(source, made):
                return
            self._bytewise.add(folder)  # its file system shares no blocks with ours: not asked again
        copy_bytes(source, made, publication.size)

    def _pass(self, point: str) -> None:
        if self._hook is not None:
            self._hook(point)

    # --- after a crash ---------------------------------------------------------------------------

    def sweep(self) -> None:
        """Remove the parts that dead runs left, wherever they had written."""
        rows = self._reader.all("SELECT run_id, folder FROM output_folders")
        dead = {run_id for run_id in {row[0] for row in rows} if not self._locks.lives(run_id)}
        rows = [row for row in rows if row[0] in dead]
        for folder in {row[1] for row in rows}:  # a watcher's runs, thousands of them, all write to one
            self.sweep_parts(Path(os.fsdecode(folder)), dead)

        def forget(connection: sqlite3.Connection) -> None:
            # Who takes a run up again has its lock before it notes a folder: here, in the transaction, none is lost.
            left = {run_id for run_id in dead if not self._locks.lives(run_id)}
            write_rows(connection, _SWEPT, [row for row in rows if row[0] in left])

        if rows:
            self._writer.put(CALL, forget)

    def sweep_parts(self, folder: Path, run_ids: Collection[str]) -> int:
        """Remove the parts of these runs from one folder, and nothing else. Returns how many there were."""
        count = 0
        with contextlib.suppress(OSError):  # gone or closed to us: then there is nothing to sweep
            for entry in os.scandir(folder):
                run_id = _run_of(entry.name)
                if run_id not in run_ids or not entry.is_file(follow_symlinks=False):
                    continue
                with self._locks.dead(run_id) as is_dead:
                    if is_dead:
                        Path(entry.path).unlink(missing_ok=True)
                        count += 1
        return count


def _bytes_there(target: Path | ObjectUrl) -> int | None:
    """How large is what has that name; None where nothing has. Of objects, only a request would tell: 0."""
    if isinstance(target, ObjectUrl):
        return 0
    try:
        return os.lstat(target).st_size
    except OSError:
        return None  # what else is wrong with it shows when it is written


def _untouched(target: Path, record: Record) -> bool:
    try:
        found = target.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and record.stat == _print(found)


def _part_path(target: Path, run_id: str) -> Path:
    return target.with_name(fit_name(".", target.name, f".{run_id}.part"))


def _run_of(name: str) -> str:
    """The run that a part belongs to, by its name; none for anything else."""
    return name[:-5].rpartition(".")[2] if name.startswith(".") and name.endswith(".part") else ""


def _create(part: Path) -> int:
    """A new file of the user's, so with the user's own umask."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(part, flags, 0o666)
    except FileExistsError:
        part.unlink(missing_ok=True)  # left by a crash of this very run
        return os.open(part, flags, 0o666)


def _standing(publication: _Publication) -> tuple[PublishedKind | None, os.stat_result | None]:
    """What is to be done given what stands at the target now; None: foreign bytes are in the way."""
    target, record, sha256 = publication.target, publication.record, publication.sha256
    try:
        found = target.lstat()
    except FileNotFoundError:
        return standing(None, sha256, record, lambda: ""), None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder has this name", str(target))
    if not stat.S_ISREG(found.st_mode):
        return None, found  # a link or a device is never ours
    if record is None and found.st_size != publication.size:
        return None, found  # however long it is, it need not be read
    return standing(_print(found), sha256, record, lambda: sha256_of(target)), found


def _take_name(part: Path, target: Path, expected: os.stat_result | None) -> bool:
    """Give a finished part its final name. False if what stands there is not what we expected."""
    if expected is not None:
        try:
            if _print(target.lstat()) != _print(expected):
                return False
        except FileNotFoundError:
            return False
        part.rename(target)
        return True
    try:
        os.link(part, target)  # fails where a rename would silently replace
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        if os.path.lexists(target):
            return False
        part.rename(target)
    return True


def _move_aside(target: Path) -> Path:
    """Rename foreign bytes to `NAME.edited-1.EXT`, or the first such name that is free."""
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= 32 else ""  # longer, it is no extension
    stem = target.name.removesuffix(suffix)
    number = 0
    while True:
        number += 1
        aside = target.with_name(fit_name("", stem, f".edited-{number}{suffix}"))
        try:
            os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            continue
        target.rename(aside)  # over our own placeholder, so that two of us cannot take one name
        return aside


_REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a file has the name of its folder",
    errno.EISDIR: "a folder has this name",
}


def _refused(target: Path, error: OSError) -> TaskError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return TaskError(
        f"cannot save {target}: {reason}",
        kind=TaskErrorKind.OUTPUT,
        code="task.cannot-save",
        hint="the result is kept: mend this and run again, it costs nothing",
    )
