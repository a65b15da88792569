"""The journal: what happened in each run, as rows of events, and the runs themselves.

Writing never blocks and costs a few microseconds an event. Reading works from any process, in short transactions,
and rebuilds the events exactly; `history` folds them into tasks. A run is alive while its lock is held, so a crash
needs no clean-up here to be seen.
"""

# ruff: noqa: S608
# Statements are put together from the constants of this file; values are always bound.

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import StoreError, UsageError
from speedpix_pipe.events import Event, RunFinished, RunResumed, RunStarted, TaskProgressed
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.codec import (
    decode_event,
    decode_json,
    encode_event,
    encode_json,
    from_stamp,
    optional_moment,
    text_in,
    text_out,
    to_stamp,
)
from speedpix_pipe.store.db import CALL, EventRow, Reader, Writer, write_rows
from speedpix_pipe.store.history import RawEvent, TaskRow, fold
from speedpix_pipe.store.locks import Process, RunLocks

_SEQ_BITS = 32
_PAGE = 1000  # rows in one read transaction, so that readers never keep the log from being folded back
_RUN_COLUMNS = (
    "number, id, pipeline, spec_path, spec_digest, service, params, arguments, origin, status, resumable, reason, "
    "started_at, finished_at, seconds, outputs, counts, cancel_requested_at, pid, host"
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, as lists show it."""

    number: int
    id: str
    pipeline: str
    spec_path: str
    spec_digest: str
    service: str
    params: Json
    arguments: Json
    origin: str | None  # the run that a redo goes back to
    status: str  # running succeeded failed cancelled
    resumable: bool  # died, interrupted, or stopped by a limit or `on_error: stop`
    reason: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    outputs: Json
    counts: Mapping[str, int]
    cancel_requested: bool
    pid: int
    host: str
    lives: bool  # a living process carries it out

    @property
    def died(self) -> bool:
        return self.status == "running" and not self.lives

    @property
    def given_up(self) -> bool:
        """Whether `runs cancel` has ended it for good."""
        return self.status == "cancelled" and not self.resumable

    @property
    def watched_folder(self) -> str | None:
        """The watched folder whose batch it took; None for any run that no watcher began."""
        return self.arguments.get("watch") if isinstance(self.arguments, dict) else None


class Journal:
    """Runs and their events."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer | None,
        *,
        locks: RunLocks,
        now: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._open_writer = writer
        self._locks = locks
        self._now = now
        self._numbers: dict[str, int] = {}

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise StoreError("this state folder was opened for reading only", code="store.read-only")
        return self._open_writer

    # --- writing ---------------------------------------------------------------------------------

    def record(self, event: Event) -> None:
        """Queue an event. Never blocks; raises only once the journal can no longer be written."""
        if type(event) is not TaskProgressed:
            self._writer.event(self.encode(event))

    def encode(self, event: Event) -> EventRow:
        """An event as the row that goes to disk."""
        number = self._numbers.get(event.run_id)
        if number is None:
            number = self._numbers[event.run_id] = self._number_of(event.run_id)
        at, kind, task, body = encode_event(event)
        return number << _SEQ_BITS | event.seq, at, kind, task, body

    @property
    def backlog(self) -> int:
        """Events that are not on disk yet."""
        return self._writer.backlog

    async def drain(self) -> None:
        """Return when every event recorded before is on disk."""
        await self._writer.drain()

    async def begin_run(self, event: RunStarted, *, origin: str | None = None) -> None:
        """Enter a new run with its first event, and be the one who carries it out."""
        self._locks.take(event.run_id)
        number = await self._writer.ask(CALL, lambda connection: self._insert_run(connection, event, origin))
        self._numbers[event.run_id] = number

    async def resume_run(self, event: RunResumed) -> None:
        """Take an unfinished run up again under its own id. Its `seq` goes on after `last_seq`.

        What it had asked for when it died, and nobody heard the answer, becomes `unknown` for everybody to see: from
        now on its lock would say that somebody waits for that answer.
        """
        self._locks.take(event.run_id)
        row = self.encode(event)

        def work(connection: sqlite3.Connection) -> None:
            process = Process.current()
            connection.execute(
                "UPDATE runs SET status = 'running', resumable = 1, reason = '', finished_at = NULL, seconds = NULL, "
                "cancel_requested_at = NULL, pid = ?, host = ?, boot_id = ?, process_started = ? WHERE id = ?",
                (process.pid, process.host, process.boot_id, process.started, event.run_id),
            )
            connection.execute(
                "UPDATE submissions SET state = 'unknown', message = 'its run died before the answer came' "
                "WHERE run_id = ? AND state = 'requested'",
                (event.run_id,),
            )
            write_rows(connection, _EVENTS, [row])

        await self._writer.ask(CALL, work)

    async def finish_run(self, event: RunFinished, *, counts: Mapping[str, int] | None = None) -> None:
        """Close a run after all its events, and let go of it."""
        row = self.encode(event)
        await self.drain()

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE runs SET status = ?, resumable = ?, reason = ?, finished_at = ?, seconds = ?, outputs = ?, "
                "counts = ? WHERE id = ?",
                (
                    event.status.value,
                    event.resumable,
                    text_in(event.reason),
                    row[1] or to_stamp(self._now()),
                    event.seconds,
                    encode_json(event.outputs),
                    encode_json(dict(counts or {})),
                    event.run_id,
                ),
            )
            write_rows(connection, _EVENTS, [row])

        await self._writer.ask(CALL, work)
        self._locks.leave(event.run_id)
        self._numbers.pop(event.run_id, None)  # a watcher begins a run for every batch

    def _insert_run(self, connection: sqlite3.Connection, event: RunStarted, origin: str | None) -> int:
        at, kind, task, body = encode_event(event)
        process = Process.current()
        cursor = connection.execute(
            "INSERT INTO runs (id, pipeline, spec_path, spec_digest, service, params, arguments, origin, status, "
            "resumable, started_at, pid, host, boot_id, process_started) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', 1, ?, ?, ?, ?, ?)",
            (
                event.run_id,
                text_in(event.pipeline),
                text_in(event.spec_path),
                event.spec_digest,
                event.service,
                encode_json(event.params),
                encode_json(event.arguments),
                origin,
                at or to_stamp(self._now()),
                process.pid,
                process.host,
                process.boot_id,
                process.started,
            ),
        )
        number = cursor.lastrowid or 0
        write_rows(connection, _EVENTS, [(number << _SEQ_BITS | event.seq, at, kind, task, body)])
        return number

    # --- stopping from outside -------------------------------------------------------------------

    def request_cancel(self, run_id: str) -> None:
        """Ask whoever carries out a run to stop it."""
        at = to_stamp(self._now())

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE runs SET cancel_requested_at = ? WHERE id = ? AND status = 'running'", (at, run_id)
            )

        self._writer.wait(CALL, work)

    def cancel_requested(self, run_id: str) -> bool:
        row = self._reader.one("SELECT cancel_requested_at FROM runs WHERE id = ?", (run_id,))
        return row is not None and row[0] is not None

    async def give_up(self, run_id: str, reason: str) -> None:
        """Note that a run which died shall not be resumed: `runs cancel` of a run that nobody carries out."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE runs SET status = 'cancelled', resumable = 0, reason = ?, finished_at = ? WHERE id = ?",
                (reason, to_stamp(self._now()), run_id),
            )

        await self._writer.ask(CALL, work)

    # --- reading ---------------------------------------------------------------------------------

    def runs(self, *, spec_path: str | None = None, limit: int = -1) -> list[RunRow]:
        """Runs, the newest first."""
        rows = self._reader.all(
            f"SELECT {_RUN_COLUMNS} FROM runs WHERE ?1 IS NULL OR spec_path = ?1 ORDER BY number DESC LIMIT ?2",
            (None if spec_path is None else text_in(spec_path), limit),
        )
        return [self._run_row(row) for row in rows]

    def run(self, prefix: str | None = None) -> RunRow:
        """The run with this id or unique beginning of one; by default the latest."""
        if prefix is None:
            newest = self.runs(limit=1)
            if not newest:
                raise UsageError(
                    "there is no run yet in this state folder",
                    code="usage.no-run",
                    hint="`speedpix-pipe run SPEC --local` makes one, without an account",
                )
            return newest[0]
        rows = self._reader.all(
            f"SELECT {_RUN_COLUMNS} FROM runs WHERE id = ?1 OR substr(id, 1, length(?1)) = ?1 "
            "ORDER BY id <> ?1, number DESC LIMIT 3",
            (prefix,),
        )
        if not rows:
            raise UsageError(
                f'no run "{prefix}"',
                code="usage.no-run",
                hint="`speedpix-pipe runs list` shows the runs of this folder",
            )
        if len(rows) > 1 and rows[0][1] != prefix:
            raise UsageError(
                f'"{prefix}" begins the ids of several runs, such as {rows[0][1]} and {rows[1][1]}',
                code="usage.ambiguous-run",
            )
        return self._run_row(rows[0])

    def last_unfinished(self, spec_path: Path | str) -> RunRow | None:
        """The newest run of a spec that can be resumed: nobody carries it out, and it did not come to its end.

        A redo is none of them: it goes on with `runs redo --rest`. Nor is a batch: the next `watch` takes it up.
        """
        rows = self._reader.all(
            f"SELECT {_RUN_COLUMNS} FROM runs WHERE spec_path = ? AND resumable AND origin IS NULL "
            "ORDER BY number DESC",
            (text_in(str(spec_path)),),
        )
        runs = map(self._run_row, rows)
        return next((run for run in runs if not run.lives and run.watched_folder is None), None)

    def unfinished(self) -> list[RunRow]:
        """Runs that are being carried out or may be resumed: what must find its files again."""
        rows = self._reader.all(f"SELECT {_RUN_COLUMNS} FROM runs WHERE resumable ORDER BY number")
        return [self._run_row(row) for row in rows]

    def last_seq(self, run_id: str) -> int:
        """The number of the newest event of a run; 0 if there is none."""
        first = self._number_of(run_id) << _SEQ_BITS
        (last,) = self._reader.one(
            "SELECT max(id) FROM events WHERE id BETWEEN ? AND ?", (first, first | (1 << _SEQ_BITS) - 1)
        )
        return 0 if last is None else int(last) - first

    def started(self, run_id: str) -> RunStarted:
        """The first event of a run: its params, arguments and resolved spec."""
        for event in self.events(run_id):
            if isinstance(event, RunStarted):
                return event
        raise StoreError(f"the journal of run {run_id} has no beginning", code="store.damaged")

    def events(self, run_id: str, *, after: int = 0) -> Iterator[Event]:
        """The events of a run, equal to those recorded, from the one after `after` on."""
        for seq, at, kind, task, body in self.raw(run_id, after=after):
            yield decode_event(run_id, seq, at, kind, task, body)

    def tasks(self, run_id: str) -> Iterator[TaskRow]:
        """The tasks of a run with all that is known of each, step by step in the order of their birth."""
        return fold(self.raw(run_id))

    def task_names(self, run_id: str, prefix: str, most: int) -> list[str]:
        """The first tasks of a run whose `step@key` begins like this, in the order of their birth."""
        first = self._number_of(run_id) << _SEQ_BITS
        rows = self._reader.all(
            "SELECT DISTINCT task FROM events WHERE id BETWEEN ?1 AND ?2 AND kind = 'ItemFound' "
            "AND substr(task, 1, length(?3)) = ?3 LIMIT ?4",
            (first, first | (1 << _SEQ_BITS) - 1, text_in(prefix), most),
        )
        return [text_out(task) for (task,) in rows]

    def events_of(self, run_id: str, task: str) -> list[Event]:
        """What happened to one `step@key`."""
        number = self._number_of(run_id)
        first = number << _SEQ_BITS
        rows = self._reader.all(
            "SELECT id, at, kind, task, body FROM events WHERE id BETWEEN ? AND ? AND task = ? ORDER BY id",
            (first, first | (1 << _SEQ_BITS) - 1, text_in(task)),
        )
        return [decode_event(run_id, row[0] - first, *row[1:]) for row in rows]

    def events_at(self, run_id: str, numbers: Sequence[int]) -> list[Event]:
        """Some events by their `seq`, in the order of the numbers; what is not there is left out."""
        first = self._number_of(run_id) << _SEQ_BITS
        marks = ",".join("?" * len(numbers))
        rows = self._reader.all(
            f"SELECT id, at, kind, task, body FROM events WHERE id IN ({marks})", [first + seq for seq in numbers]
        )
        found = {row[0] - first: decode_event(run_id, row[0] - first, *row[1:]) for row in rows}
        return [found[seq] for seq in numbers if seq in found]

    def raw(self, run_id: str, *, after: int = 0) -> Iterator[RawEvent]:
        """The events of a run as rows, for who needs to know no more of most of them than that they happened."""
        first = self._number_of(run_id) << _SEQ_BITS
        last, end = first + after, first | (1 << _SEQ_BITS) - 1
        while True:
            rows = self._reader.all(
                "SELECT id, at, kind, task, body FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
                (last, end, _PAGE),
            )
            for identity, at, kind, task, body in rows:
                yield identity - first, at, kind, task, body
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def _number_of(self, run_id: str) -> int:
        row = self._reader.one("SELECT number FROM runs WHERE id = ?", (run_id,))
        if row is None:
            raise StoreError(f'the journal has no run "{run_id}"', code="store.no-run")
        return int(row[0])

    def _run_row(self, row: tuple[Any, ...]) -> RunRow:
        return RunRow(
            number=row[0],
            id=row[1],
            pipeline=text_out(row[2]),
            spec_path=text_out(row[3]),
            spec_digest=row[4],
            service=row[5],
            params=decode_json(row[6]),
            arguments=decode_json(row[7]),
            origin=row[8],
            status=row[9],
            resumable=bool(row[10]),
            reason=text_out(row[11]),
            started_at=from_stamp(row[12]),
            finished_at=optional_moment(row[13]),
            seconds=row[14],
            outputs=decode_json(row[15]),
            counts=decode_json(row[16]) or {},
            cancel_requested=row[17] is not None,
            pid=row[18],
            host=row[19],
            lives=row[9] == "running" and self._locks.lives(row[1]),
        )

    # --- forgetting ------------------------------------------------------------------------------

    def forget_before(self, moment: datetime) -> int:
        """Drop the history of runs that came to their end before a moment; the ledger keeps every submission."""

        def work(connection: sqlite3.Connection) -> int:
            old = connection.execute(
                "SELECT number FROM runs WHERE NOT resumable AND finished_at < ?", (to_stamp(moment),)
            ).fetchall()
            for (number,) in old:
                first = number << _SEQ_BITS
                connection.execute("DELETE FROM events WHERE id BETWEEN ? AND ?", (first, first | (1 << _SEQ_BITS) - 1))
                connection.execute("DELETE FROM runs WHERE number = ?", (number,))
            return len(old)

        return int(self._writer.wait(CALL, work))


_EVENTS = "INSERT INTO events (id, at, kind, task, body) VALUES {rows}"
