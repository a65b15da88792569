"""One state folder, opened: all that the engine, the triggers and the commands know of the past."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from speedpix_pipe.errors import StoreError
from speedpix_pipe.store.arrivals import Arrivals
from speedpix_pipe.store.blobs import BUDGET_BYTES, Blobs, Pruned
from speedpix_pipe.store.codec import decode_json
from speedpix_pipe.store.complaints import damaged, translated
from speedpix_pipe.store.db import Hook, Reader, Writer, connect
from speedpix_pipe.store.digests import Digests
from speedpix_pipe.store.folder import DATABASE, MENDING, Reserve, has_room, journal_is_gone, make_folder
from speedpix_pipe.store.journal import Journal
from speedpix_pipe.store.ledger import Ledger
from speedpix_pipe.store.locks import RunLocks, alone, entrance, is_unused, share_folder, spec_lock
from speedpix_pipe.store.migrations import MIGRATIONS, migrate, version_of
from speedpix_pipe.store.mounts import refuse_network
from speedpix_pipe.store.outputs import Outputs
from speedpix_pipe.store.seeds import ChosenSeeds
from speedpix_pipe.store.syncing import SyncPool
from speedpix_pipe.store.uploads import Uploads

_A_DAY = timedelta(hours=25)  # the longest there is, when clocks are put back


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The rooms of a state folder. Make one with `open`; close it, or use it in a `with`."""

    def __init__(
        self,
        folder: Path,
        *,
        reader: Reader,
        writer: Writer | None,
        share: int | None,
        now: Callable[[], datetime],
        hook: Hook | None,
    ) -> None:
        self.folder = folder
        self._reader = reader
        self._writer = writer
        self._share = share
        self._now = now
        self._sync = SyncPool()
        self._locks = RunLocks(folder)
        self.journal = Journal(reader, writer, locks=self._locks, now=now)
        self.ledger = Ledger(reader, writer, locks=self._locks, encode=self.journal.encode, now=now)
        self.blobs = Blobs(folder, sync=self._sync, now=now, hook=hook)
        self.seeds = ChosenSeeds(reader, writer, now=now)
        self.digests = Digests(reader, writer, now=now)
        self.outputs = Outputs(
            reader, writer, locks=self._locks, sync=self._sync, now=now, hook=hook, digests=self.digests
        )
        self.uploads = Uploads(reader, writer, now=now)
        self.arrivals = Arrivals(reader, writer, now=now)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        write: bool = True,
        now: Callable[[], datetime] = utc_now,
        hook: Hook | None = None,
    ) -> Self:
        """Open a state folder; create it when writing.

        Refuses network file systems, tables of a newer version and a damaged journal. `hook` is called with the name
        of each durable step as it is passed (`ledger.intend.committed`, `blob.renamed`), for tests that crash there.
        """
        folder = folder.absolute()
        if not write:
            return cls(folder, reader=_open_reader(folder), writer=None, share=None, now=now, hook=hook)
        refuse_network(folder)
        make_folder(folder)
        with entrance(folder):
            _prepare(folder)
            share = share_folder(folder)
        try:
            reader = _open_reader(folder)
        except BaseException:
            os.close(share)
            raise
        reserve = Reserve(folder)
        writer = Writer(folder / DATABASE, hook=hook, make_room=reserve.give_up)
        store = cls(folder, reader=reader, writer=writer, share=share, now=now, hook=hook)
        reserve.fill()
        store.outputs.sweep()
        store.blobs.sweep(store._locks.dead)
        return store

    def lock(self, spec: Path, *, run_id: str) -> AbstractContextManager[None]:
        """Be the one live process of a spec, or raise a `StoreError` that names the other."""
        return spec_lock(self.folder, spec, run_id=run_id, now=self._now())

    @contextlib.contextmanager
    def presence(self) -> Iterator[str]:
        """A name for work of this process that is no run's. Its work folder is swept by nobody, and gone at the end."""
        name = f"shared-{secrets.token_hex(8)}"
        self._locks.take(name)
        try:
            yield name
        finally:
            self.blobs.clear(name)
            self._locks.leave(name)

    def free_space_ok(self) -> bool:
        """Is there room for more results? If not, submissions stop."""
        return has_room(self.folder)

    def is_current(self) -> bool:
        """Is what is read still what stands in the folder?"""
        return self._reader.is_current()

    @property
    def failure(self) -> StoreError | None:
        """Why nothing can be written any more; None while all is well."""
        return None if self._writer is None else self._writer.failure

    @property
    def commits(self) -> int:
        """Transactions so far, and `rows` what was in them: how well commits are shared."""
        return 0 if self._writer is None else self._writer.commits

    @property
    def rows(self) -> int:
        return 0 if self._writer is None else self._writer.rows

    def prune(self, *, max_bytes: int | None = BUDGET_BYTES, max_age: timedelta | None = None) -> Pruned:
        """Remove old blobs and the history of old runs; nothing that an unfinished run needs, and no submission.

        The runs of the last day stay whatever the age: `limits.per_day` counts by them.
        """
        if max_age is not None:
            self.journal.forget_before(self._now() - max(max_age, _A_DAY))
        return self.blobs.prune(needed=self._needed(), max_bytes=max_bytes, max_age=max_age)

    def _needed(self) -> set[str]:
        """The blobs that runs which may still go on have got."""
        needed: set[str] = set()
        for run in self.journal.unfinished():
            first = run.number << 32
            rows = self._reader.all(
                "SELECT body FROM events WHERE id BETWEEN ? AND ? AND kind IN ('TaskSucceeded', 'TaskCached')",
                (first, first | 0xFFFFFFFF),
            )
            for (body,) in rows:
                needed.update(file["sha256"] for file in decode_json(body).get("files", ()))
        return needed

    async def flush(self) -> None:
        """Return when everything queued is on disk."""
        if self._writer is not None:
            await self._writer.drain()

    def close(self) -> None:
        """Write what is queued and let go of everything. Safe to call twice."""
        self._sync.close()
        if self._writer is not None:
            self._writer.close()
        self._reader.close()
        self._locks.leave_all()
        if self._share is not None:
            os.close(self._share)
            self._share = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _open_reader(folder: Path) -> Reader:
    path = folder / DATABASE
    if not path.exists():
        raise StoreError(
            f"there is no state in {folder} yet", code="store.empty", hint="`speedpix-pipe run SPEC` creates it"
        )
    reader = Reader(path)
    try:
        if reader.version() < len(MIGRATIONS):
            raise StoreError(
                f"the state in {folder} was written by an older speedpix-pipe",
                code="store.older",
                hint="any `speedpix-pipe run` brings it up to date",
            )
    except BaseException:
        reader.close()
        raise
    return reader


def _prepare(folder: Path) -> None:
    """Bring the tables up to date and look at the ledger, before anybody may use them."""
    path = folder / DATABASE
    if (folder / MENDING).exists():
        raise damaged(path, "a repair of it did not come to its end")
    if journal_is_gone(folder):
        raise damaged(path, "it is empty or gone, while results are kept beside it")
    # A log that nobody uses was left by a crash. Who closed in order folded it in.
    left = Path(f"{path}-wal").exists() and is_unused(folder)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite's other files take its mode
    try:
        with contextlib.closing(connect(path, write=True)) as connection:
            if version_of(connection) < len(MIGRATIONS):
                with alone(folder, purpose="brought up to date"):
                    migrate(connection)
            check_ledger(connection, path, thorough=left)
    except sqlite3.Error as error:
        raise translated(error, path) from error


def check_ledger(connection: sqlite3.Connection, path: Path, *, thorough: bool) -> None:
    """Refuse a spoiled ledger: a lookup that misses a row would pay twice.

    Every start looks at the pages of its rows and indexes (33 ms for 100,000 rows). After a crash rows and indexes
    are compared too, and the results with them (460 ms): a disk that lies about its syncs can leave them apart.
    """
    checks = ("integrity_check(submissions)", "integrity_check(results)") if thorough else ("quick_check(submissions)",)
    for check in checks:
        (verdict,) = connection.execute(f"PRAGMA {check}").fetchone()
        if verdict != "ok":
            raise damaged(path, str(verdict).splitlines()[0])
