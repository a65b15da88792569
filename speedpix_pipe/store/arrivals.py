"""Files that reached a watched folder: where each came from, where its bytes are, and what became of it.

The claims folder on disk is the truth about what is there; a row is the truth about what is known of it. The hot
folder's own rules (what settles, what is moved where) are the triggers' business.
"""

# ruff: noqa: S608
# Statements are put together from the constants of this file; values are always bound.

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import StoreError
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.codec import from_stamp, optional_moment, text_in, text_out, to_stamp
from speedpix_pipe.store.db import CALL, Reader, Writer, row_kind

_COLUMNS = (
    "id, watcher, path, bytes_path, sha256, size, state, verdict, reason, step, run_id, arrived_at, judged_at, "
    "placed_at"
)
_CLAIM = (
    "INSERT INTO arrivals (id, watcher, path, bytes_path, sha256, size, state, arrived_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET bytes_path = excluded.bytes_path, watcher = excluded.watcher"
)
_FAILED_SINCE = (
    "path = ? AND verdict = 'failed' AND state = 'placed' AND number > coalesce((SELECT number FROM arrivals "
    "WHERE path = ? AND verdict = 'done' AND state = 'placed' AND id <> ? ORDER BY number DESC LIMIT 1), 0)"
)
_JUDGE = "UPDATE arrivals SET state = 'judged', verdict = ?, reason = ?, step = ?, judged_at = ? WHERE id = ?"
_PLACE = "UPDATE arrivals SET state = 'placed', placed_at = ? WHERE id = ?"
_CLAIMED = row_kind(
    "arrival.claimed",
    8,
    "INSERT INTO arrivals (id, watcher, path, bytes_path, sha256, size, state, arrived_at) VALUES {rows} "
    "ON CONFLICT (id) DO UPDATE SET bytes_path = excluded.bytes_path, watcher = excluded.watcher",
)


class ArrivalState(StrEnum):
    CLAIMED = "claimed"  # ours, not in a run yet
    RUNNING = "running"  # given to a run
    JUDGED = "judged"  # has its verdict, still to be moved
    PLACED = "placed"  # moved where its verdict says


class Verdict(StrEnum):
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One file that reached a watched folder. `id` is also the name of its claim folder."""

    id: str
    watcher: str
    path: Path  # where it arrived: what expressions and keys see
    bytes_path: Path  # where its bytes lie now
    sha256: str
    size: int
    state: ArrivalState
    arrived_at: datetime
    verdict: Verdict | None = None
    reason: str | None = None
    step: str | None = None
    run_id: str | None = None
    judged_at: datetime | None = None
    placed_at: datetime | None = None


class Arrivals:
    """The rows of arrivals; every change is on disk when awaited."""

    def __init__(self, reader: Reader, writer: Writer | None, *, now: Callable[[], datetime]) -> None:
        self._reader = reader
        self._open_writer = writer
        self._now = now

    def open(self, watcher: str) -> list[Arrival]:
        """Arrivals of a watcher that are not in their last place yet, oldest first."""
        return self._read("watcher = ? AND state <> 'placed'", (watcher,))

    def get(self, arrival_id: str) -> Arrival | None:
        found = self._read("id = ?", (arrival_id,))
        return found[0] if found else None

    def undecided(self, path: Path) -> bool:
        """Has an earlier arrival at this path no verdict yet? Then the next one is not claimed."""
        return bool(self._read("path = ? AND verdict IS NULL", (os.fsencode(path),)))

    def of_run(self, run_id: str) -> list[Arrival]:
        return self._read("run_id = ?", (run_id,))

    def where(self, path: Path, sha256: str) -> Path | None:
        """Where the bytes that once arrived at a path lie now, for report and redo."""
        found = self._read("path = ? AND sha256 = ?", (os.fsencode(path), sha256))
        return found[-1].bytes_path if found else None

    def _read(self, condition: str, values: tuple[Any, ...]) -> list[Arrival]:
        rows = self._reader.all(f"SELECT {_COLUMNS} FROM arrivals WHERE {condition} ORDER BY number", values)
        return [_arrival(row) for row in rows]

    def claimed(
        self, arrival_id: str, *, watcher: str, path: Path, bytes_path: Path, sha256: str, size: int
    ) -> Awaitable[None]:
        """A file was claimed. Again for the same id: it was taken over, or lies elsewhere."""
        row = (
            arrival_id,
            watcher,
            os.fsencode(path),
            os.fsencode(bytes_path),
            sha256,
            size,
            ArrivalState.CLAIMED.value,
            to_stamp(self._now()),
        )
        return self._writer.ask(_CLAIMED, row)

    def all_claimed(self, arrivals: Iterable[Arrival]) -> Awaitable[None]:
        """Several at once, in one transaction; see `claimed`."""
        rows = [
            (
                *(arrival.id, arrival.watcher, os.fsencode(arrival.path), os.fsencode(arrival.bytes_path)),
                *(arrival.sha256, arrival.size, ArrivalState.CLAIMED.value, to_stamp(arrival.arrived_at)),
            )
            for arrival in arrivals
        ]
        return self._change(_CLAIM, rows)

    def running(self, arrival_ids: list[str], run_id: str) -> Awaitable[None]:
        """These were given to a run."""
        rows = [(run_id, arrival_id) for arrival_id in arrival_ids]
        return self._change("UPDATE arrivals SET state = 'running', run_id = ? WHERE id = ?", rows)

    def judged(
        self, arrival_id: str, verdict: Verdict, *, reason: str | None = None, step: str | None = None
    ) -> Awaitable[None]:
        """The verdict is known."""
        row = (verdict.value, _text(reason), _text(step), to_stamp(self._now()), arrival_id)
        return self._change(_JUDGE, [row])

    def all_judged(self, verdicts: Iterable[tuple[str, Verdict, str | None, str | None]]) -> Awaitable[None]:
        """The verdicts (id, verdict, reason, step) on a whole batch: all of them are known after a crash, or none."""
        at = to_stamp(self._now())
        rows = [
            (verdict.value, _text(reason), _text(step), at, arrival_id)
            for arrival_id, verdict, reason, step in verdicts
        ]
        return self._change(_JUDGE, rows)

    def all_moving(self, destinations: Mapping[str, Path]) -> Awaitable[None]:
        """Where several files are about to be moved; see `moving`."""
        rows = [(os.fsencode(destination), arrival_id) for arrival_id, destination in destinations.items()]
        return self._change("UPDATE arrivals SET bytes_path = ? WHERE id = ?", rows)

    def all_placed(self, arrival_ids: Iterable[str]) -> Awaitable[None]:
        """Several are where their verdicts send them."""
        at = to_stamp(self._now())
        return self._change(_PLACE, [(at, arrival_id) for arrival_id in arrival_ids])

    def failed_before(self, done: Mapping[str, Path]) -> list[Arrival]:
        """Of arrivals (id: path) that are done, those at the same paths that failed since the last one that was, too.

        Their notes are out of date now. A device that calls all its files the same has thousands of arrivals at one
        path, of which no more than these are read.
        """
        return [
            arrival
            for identity, path in done.items()
            for arrival in self._read(_FAILED_SINCE, (os.fsencode(path), os.fsencode(path), identity))
        ]

    def moving(self, arrival_id: str, destination: Path) -> Awaitable[None]:
        """A destination is reserved, and the bytes are about to be moved there."""
        row = (os.fsencode(destination), arrival_id)
        return self._change("UPDATE arrivals SET bytes_path = ? WHERE id = ?", [row])

    def placed(self, arrival_id: str) -> Awaitable[None]:
        """The bytes are where their verdict sends them."""
        return self.all_placed([arrival_id])

    def _change(self, statement: str, rows: list[tuple[Any, ...]]) -> Awaitable[None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(statement, rows)

        return self._writer.ask(CALL, work)

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise StoreError("this state folder was opened for reading only", code="store.read-only")
        return self._open_writer


def _text(text: str | None) -> str | bytes | None:
    """A step's name holds a key, and with it the name of a file, which need not be valid UTF-8."""
    return None if text is None else text_in(text)


def _arrival(row: tuple[Any, ...]) -> Arrival:
    return Arrival(
        id=row[0],
        watcher=row[1],
        path=Path(os.fsdecode(row[2])),
        bytes_path=Path(os.fsdecode(row[3])),
        sha256=row[4],
        size=row[5],
        state=ArrivalState(row[6]),
        arrived_at=from_stamp(row[11]),
        verdict=None if row[7] is None else Verdict(row[7]),
        reason=None if row[8] is None else text_out(row[8]),
        step=None if row[9] is None else text_out(row[9]),
        run_id=row[10],
        judged_at=optional_moment(row[12]),
        placed_at=optional_moment(row[13]),
    )
