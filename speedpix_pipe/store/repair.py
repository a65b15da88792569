"""`runs repair`: what can still be read of a damaged journal goes into a new one, and the old file is kept.

The ledger comes first, since a submission that is forgotten would be paid for again. Rows are read in the order of
their numbers with leaps over the pages that cannot be read. If the pages that say where the tables begin are gone,
those of an empty journal take their place. Runs and submissions whose row is lost are made again from the journal's
events, as far as those can be read. A journal that is sound is left as it is.
"""

# ruff: noqa: S608
# Statements are put together from table and column names of our own schema.

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import StoreError
from speedpix_pipe.model import SubmissionState
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.codec import text_in, text_out
from speedpix_pipe.store.db import connect
from speedpix_pipe.store.folder import DATABASE, MENDING, journal_is_gone
from speedpix_pipe.store.locks import alone, entrance
from speedpix_pipe.store.lost_runs import drop_orphans, has_orphans, rebuild_runs
from speedpix_pipe.store.migrations import migrate, version_of
from speedpix_pipe.store.syncing import sync_folder

_TABLES = ("submissions", "results", "seeds", "arrivals", "outputs", "output_folders", "uploads", "runs", "events")
_PAGE_ROWS = 200
_PAGE_BYTES = 4096
_MAGIC = b"SQLite format 3\0"
_INNER_PAGE = 5  # of a tree of rows, as SQLite marks it
_LAST = 2**63 - 1
_STATES = frozenset(state.value for state in SubmissionState)
_LEDGER_EVENTS = "('PredictionRequested', 'PredictionCreated', 'TaskSucceeded', 'TaskCached', 'TaskUnknown')"


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair brought back."""

    kept: Path | None = None  # the old file, if there was one
    rows: dict[str, int] = field(default_factory=dict)  # saved, by table
    gaps: dict[str, int] = field(default_factory=dict)  # stretches that could not be read, by table
    rebuilt: int = 0  # submissions made again from the journal's events
    rebuilt_runs: int = 0
    healthy: bool = False  # there was nothing to mend, and nothing was changed

    @property
    def complete(self) -> bool:
        return not any(self.gaps.values())


def repair(folder: Path, *, now: Callable[[], datetime]) -> RepairReport:
    """Mend the journal of a state folder that nobody uses. May be run again if it is interrupted."""
    folder = folder.absolute()
    path = folder / DATABASE
    if not path.exists() and not (folder / MENDING).exists() and not journal_is_gone(folder):
        raise StoreError(f"there is no journal in {folder}", code="store.empty")
    if path.exists():  # looking would make an empty one
        _refuse_newer(path)
    with entrance(folder), alone(folder, purpose="mended"):
        if _is_sound(folder):
            return RepairReport(healthy=True)
        kept = _keep_old(folder, now().strftime("%Y%m%dT%H%M%S"))
        work = folder / "work" / "repair"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700, parents=True)
        old, new = work / "old.db", work / "new.db"
        for ending in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{kept}{ending}", f"{old}{ending}")
        report = _salvage(old, new, kept)
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)  # else SQLite would apply the old log to the new file
        new.rename(path)
        sync_folder(folder)
        (folder / MENDING).unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
    return report


def _refuse_newer(path: Path) -> None:
    """A newer program's journal is not damaged: we would drop all of it that we do not know."""
    try:
        with contextlib.closing(connect(path, write=False)) as found:
            version_of(found)
    except StoreError as error:
        if error.code == "store.newer":
            raise
    except sqlite3.Error:
        return  # this is what we are here for


def _is_sound(folder: Path) -> bool:
    """Whether every page, row and index is as it should be, and no event belongs to a run that is lost."""
    path = folder / DATABASE
    if (folder / MENDING).exists() or journal_is_gone(folder):
        return False
    try:
        with contextlib.closing(connect(path, write=False)) as found:
            (verdict,) = found.execute("PRAGMA integrity_check").fetchone()
            return verdict == "ok" and version_of(found) > 0 and not has_orphans(found)
    except (sqlite3.Error, StoreError):
        return False


def _keep_old(folder: Path, stamp: str) -> Path:
    """Copy the old file and its log aside, and mark the folder as being mended until the new file is in place."""
    marker = folder / MENDING
    if marker.exists():
        return folder / marker.read_text(encoding="utf-8")
    kept = folder / f"journal.damaged-{stamp}.db"
    for ending in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            _copy_synced(Path(f"{folder / DATABASE}{ending}"), Path(f"{kept}{ending}"))
    sync_folder(folder)
    marker.write_text(kept.name, encoding="utf-8")
    _sync(marker)
    sync_folder(folder)
    return kept


def _copy_synced(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o600)
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _salvage(old: Path, new: Path, kept: Path) -> RepairReport:
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as target:
        migrate(target)
        if not _readable(old):
            _lend_tables(new, old)
        rows: dict[str, int] = {}
        gaps: dict[str, int] = {}
        with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as source:
            target.execute("BEGIN")
            for table in _TABLES:
                rows[table], gaps[table] = _copy_table(source, target, table)
            rebuilt_runs = rebuild_runs(target)
            rebuilt = _rebuild(target)
            drop_orphans(target)
            target.execute("COMMIT")
        (verdict,) = target.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise StoreError(f"the mended journal is not sound: {verdict}", code="store.damaged")
    with contextlib.closing(connect(new, write=True)):
        pass  # leaves it in WAL mode, its log folded in
    _sync(new)
    return RepairReport(kept if kept.exists() else None, rows, gaps, rebuilt, rebuilt_runs)


def _readable(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError:
        return False
    return "submissions" in names


def _lend_tables(template: Path, broken: Path) -> None:
    """Put the pages of an empty journal that list the tables into a file that lost its own.

    They lie where those of a full one lie, and say the same. The first page, which is the file's header as well, is
    lent only where that does not suffice: the log of what was written last belongs to the old header.
    """
    with template.open("rb") as file:
        pages = [file.read(_PAGE_BYTES)]
        children = _children(pages[0])
        for number in children:
            file.seek((number - 1) * _PAGE_BYTES)
            pages.append(file.read(_PAGE_BYTES))
    with broken.open("r+b") as file:
        header = file.read(_PAGE_BYTES)
        for number, page in zip(children, pages[1:], strict=True):
            file.seek((number - 1) * _PAGE_BYTES)
            file.write(page)
        size = file.seek(0, os.SEEK_END)
        told = int.from_bytes(header[28:32], "big") * _PAGE_BYTES
        if header.startswith(_MAGIC) and told > size:
            file.truncate(told)  # a file that was cut off: what lay beyond cannot be read, and the rest can
    if not _readable(broken):
        _lend_first_page(pages[0], broken)


def _children(page: bytes) -> list[int]:
    """The pages below the root of the list of tables, which is one page or two floors of them."""
    header = 100  # of the file, before the page's own
    if page[header] != _INNER_PAGE:
        return []
    cells = int.from_bytes(page[header + 3 : header + 5], "big")
    starts = [page[header + 12 + 2 * cell : header + 14 + 2 * cell] for cell in range(cells)]
    places = [int.from_bytes(start, "big") for start in starts]
    return [int.from_bytes(page[place : place + 4], "big") for place in (*places, header + 8)]


def _lend_first_page(lent: bytes, broken: Path) -> None:
    page = bytearray(lent)
    with broken.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        page[18:20] = b"\x01\x01"  # no log: the old one belongs to a header that is gone
        page[28:32] = (size // _PAGE_BYTES).to_bytes(4, "big")
        page[32:40] = bytes(8)  # no list of free pages
        page[92:96] = page[24:28]  # the page count above holds for this change counter
        file.seek(0)
        file.write(page)
    Path(f"{broken}-wal").unlink(missing_ok=True)


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> tuple[int, int]:
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    statement = f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(columns))})"
    count, gaps = 0, [0]
    for row in _rows(source, table, columns, gaps):
        if table == "submissions" and not _is_submission(dict(zip(columns, row, strict=True))):
            gaps[0] += 1
            continue
        with contextlib.suppress(sqlite3.IntegrityError):  # a column lost its value
            count += target.execute(statement, row).rowcount
    return count, gaps[0]


def _is_submission(row: dict[str, Any]) -> bool:
    texts = (row["account"], row["fingerprint"], row["run_id"], row["step"])
    return row["state"] in _STATES and all(isinstance(text, str) for text in texts)


def _rows(source: sqlite3.Connection, table: str, columns: list[str], gaps: list[int]) -> Iterator[tuple[Any, ...]]:
    """All rows that can be read, in the order of their numbers."""
    statement = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT ?"

    def read(after: int, limit: int) -> list[tuple[Any, ...]] | None:
        try:
            rows = source.execute(statement, (after, limit)).fetchall()
        except sqlite3.DatabaseError:
            return None
        # What lies between may lead back to where we were: rows that do not go on are as good as unreadable.
        return rows if all(isinstance(row[0], int) and row[0] > after for row in rows) else None

    last, in_vain = -1, 0
    while True:
        rows = read(last, _PAGE_ROWS)
        if rows is None:
            rows = read(last, 1)  # up to the very row that cannot be read
        if rows is None:
            gaps[0] += 1
            beyond = _leap(last, read, gap=1 << in_vain)  # further each time, where nothing came of the last one
            if beyond is None:
                return
            last, in_vain = beyond, in_vain + 1
        elif not rows:
            return
        else:
            yield from rows
            last, in_vain = rows[-1][0], 0


def _leap(last: int, read: Callable[[int, int], list[tuple[Any, ...]] | None], gap: int) -> int | None:
    """The first number after which rows can be read again: found by doubling from `gap`, then by halving."""
    bad = last + gap - 1
    while last + gap <= _LAST:
        if read(last + gap, 1) is not None:
            break
        bad, gap = last + gap, gap * 2
    else:
        return None
    good = last + gap
    while good - bad > 1:
        middle = (good + bad) // 2
        if read(middle, 1) is None:
            bad = middle
        else:
            good = middle
    return good


def _rebuild(target: sqlite3.Connection) -> int:
    """Make lost submissions again from events; without an id, what became of them is unknown."""
    known = {number for (number,) in target.execute("SELECT id FROM submissions")}
    lost: dict[int, dict[str, Any]] = {}
    rows = target.execute(
        f"SELECT runs.id, runs.service, at, kind, task, body FROM events JOIN runs ON number = events.id >> 32 "
        f"WHERE kind IN {_LEDGER_EVENTS} ORDER BY events.id"
    ).fetchall()
    done = set()
    for run_id, service, at, kind, task, body in rows:
        fields = _fields(body)
        number = fields.get("submission")
        if kind in {"TaskSucceeded", "TaskCached"}:
            done.add(fields.get("prediction_id"))
        elif isinstance(number, int) and number not in known:
            made = lost.setdefault(number, {"run_id": run_id, "service": service, "at": at, "task": text_out(task)})
            made.update(fields)
    accounts = dict(target.execute("SELECT run_id, account FROM submissions ORDER BY id").fetchall())
    return sum(_insert_lost(target, number, made, accounts, done) for number, made in sorted(lost.items()))


def _fields(body: str) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _insert_lost(
    target: sqlite3.Connection, number: int, made: dict[str, Any], accounts: dict[str, str], done: set[Any]
) -> int:
    """One lost submission; its account is that of its run's others, else of any other at this service."""
    service, prediction = made["service"], made.get("prediction_id")
    others = [account for account in accounts.values() if account.startswith(f"{service}|")]
    account = accounts.get(made["run_id"]) or (others[-1] if others else None)
    if account is None or "fingerprint" not in made:
        return 0
    state = "unknown" if prediction is None else "succeeded" if prediction in done else "created"
    step, _, key = made["task"].partition("@")
    try:
        target.execute(
            "INSERT INTO submissions (id, account, fingerprint, state, run_id, paid_run_id, step, key, price, "
            "prediction_id, requested_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10)",
            (
                number,
                account,
                made["fingerprint"],
                state,
                made["run_id"],
                step,
                text_in(key),
                made.get("price"),
                prediction,
                made["at"],
            ),
        )
    except sqlite3.IntegrityError:  # another row stands open for this fingerprint
        return 0
    return 1
