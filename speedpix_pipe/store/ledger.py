"""The ledger: one row for each submission that was paid for or perhaps was, across all runs and processes.

A partial unique index over the open rows makes a second submission of the same fingerprint impossible, whoever asks.
Looks are plain reads on a connection of their own; changes go through the writer and are on disk when awaited.
Finished results, by fingerprint, stand beside it: they answer for every account of a service.
"""

# ruff: noqa: S608
# Statements are put together from the constants of this file; values are always bound.

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from speedpix_pipe.errors import StoreError
from speedpix_pipe.events import Event, PredictionRequested
from speedpix_pipe.model import OPEN_STATES, Result, Submission, SubmissionState
from speedpix_pipe.store.absent import Absent
from speedpix_pipe.store.codec import (
    decode_json,
    encode_json,
    from_stamp,
    optional_moment,
    optional_stamp,
    pack_files,
    text_in,
    text_out,
    to_stamp,
    unpack_files,
)
from speedpix_pipe.store.db import EventRow, Kind, Outcomes, Reader, Writer, row_kind, write_rows
from speedpix_pipe.store.locks import RunLocks

_LAST = 2**63 - 1  # of SQLite's integers
_COLUMNS = (
    "id, account, fingerprint, state, run_id, step, key, requested_at, prediction_id, created_at, finished_at, "
    "price, message"
)
_OPEN = "('requested', 'created', 'unknown')"
_LOOK = f"SELECT {_COLUMNS} FROM submissions WHERE fingerprint = ? ORDER BY id"
_RESULT = "SELECT fingerprint, output, files, prediction_id, received_at FROM results WHERE fingerprint"
_AHEAD = (
    f"{_RESULT} IN ({{marks}}) UNION ALL "
    "SELECT fingerprint, NULL, NULL, NULL, NULL FROM submissions WHERE fingerprint IN ({marks})"
)
_LOOK_MANY = (
    f"SELECT {_COLUMNS} FROM submissions WHERE fingerprint IN ({{marks}}) "
    f"AND state IN ('requested', 'created', 'unknown', 'succeeded') ORDER BY id"
)
_INSERT = (
    "INSERT INTO submissions (id, account, fingerprint, state, run_id, paid_run_id, step, key, price, requested_at) "
    "VALUES {rows}"
)
_ABANDON = (
    "WITH v (id, at) AS (VALUES {rows}) UPDATE submissions SET state = 'abandoned', finished_at = v.at "
    f"FROM v WHERE submissions.id = v.id AND state IN {_OPEN}"
)
# A prediction id ends all doubt, also for a row that somebody had already called unknown.
_CREATED = row_kind(
    "ledger.created",
    1,
    "WITH v (id, prediction, at) AS (VALUES {rows}) UPDATE submissions SET state = 'created', "
    "prediction_id = v.prediction, created_at = v.at FROM v "
    "WHERE submissions.id = v.id AND state IN ('requested', 'unknown')",
    distinct=True,
)
_ADOPT = row_kind(
    "ledger.adopt",
    2,
    "WITH v (id, run) AS (VALUES {rows}) UPDATE submissions SET run_id = v.run FROM v WHERE submissions.id = v.id",
    distinct=True,
)
# `unknown` and `refused` speak of a submission without an answer: they never overrule one that has it.
_SETTLE = row_kind(
    "ledger.settle",
    3,
    "WITH v (id, state, message, at) AS (VALUES {rows}) UPDATE submissions SET state = v.state, "
    "message = coalesce(v.message, submissions.message), "
    "finished_at = CASE WHEN v.state <> 'unknown' THEN v.at END FROM v WHERE submissions.id = v.id "
    "AND CASE WHEN v.state IN ('unknown', 'refused') THEN submissions.state IN ('requested', 'unknown') "
    "WHEN v.state = 'failed' THEN submissions.state NOT IN ('succeeded', 'abandoned') ELSE 1 END",
    distinct=True,
)
_KEEP = row_kind(
    "ledger.result",
    5,
    "INSERT INTO results (fingerprint, service, kind, output, files, prediction_id, received_at) VALUES {rows} "
    "ON CONFLICT (fingerprint) DO UPDATE SET service = excluded.service, kind = excluded.kind, "
    "output = excluded.output, files = excluded.files, prediction_id = excluded.prediction_id, "
    "received_at = excluded.received_at",
    distinct=True,
)


class AlreadyOpenError(StoreError):
    """The fingerprint has a row that answers for it already; `row` is that row, to be joined or fetched."""

    code = "store.already-open"

    def __init__(self, row: Submission) -> None:
        super().__init__(f"submission {row.id} of {row.step}@{row.key} is {row.state.value}")
        self.row = row


def service_of(account: str) -> str:
    """The endpoint part of an account: what may share finished results."""
    return account.rpartition("|")[0] or account


def _submission(row: tuple[Any, ...]) -> Submission:
    return Submission(
        id=row[0],
        account=row[1],
        fingerprint=row[2],
        state=SubmissionState(row[3]),
        run_id=row[4],
        step=row[5],
        key=text_out(row[6]),
        requested_at=from_stamp(row[7]),
        prediction_id=row[8],
        created_at=optional_moment(row[9]),
        finished_at=optional_moment(row[10]),
        price=row[11],
        message=None if row[12] is None else text_out(row[12]),
    )


def _pick(rows: Iterable[Submission], account: str) -> Submission | None:
    """What answers for a fingerprint: the account's own open row, else the service's newest success."""
    service, success = service_of(account), None
    for row in rows:
        if row.state in OPEN_STATES:
            if row.account == account:
                return row
        elif row.state is SubmissionState.SUCCEEDED and service_of(row.account) == service:
            success = row
    return success


def _result(row: tuple[Any, ...]) -> Result:
    return Result(
        output=decode_json(row[1]),
        files=unpack_files(decode_json(row[2])),
        prediction_id=row[3],
        received_at=optional_moment(row[4]),
    )


def _set_aside(row: Submission, replaces: int | None) -> bool:
    """The row that is replaced, and the successes before it: who saw the newest asked for a newer one."""
    if replaces is None:
        return False
    return row.id == replaces or (row.id < replaces and row.state is SubmissionState.SUCCEEDED)


class _Intent:
    """What `intend` asks of the writer."""

    __slots__ = ("replaces", "row")

    def __init__(self, row: tuple[Any, ...], replaces: int | None) -> None:
        self.row = row  # of _INSERT, without id
        self.replaces = replaces


def _intend(connection: sqlite3.Connection, intents: list[_Intent]) -> Outcomes:
    """Write the new rows of a group, each refused if another row answers for its fingerprint."""
    standing: dict[str, list[Submission]] = {}
    wanted = list({intent.row[1] for intent in intents})
    for start in range(0, len(wanted), 256):
        part = wanted[start : start + 256]
        for row in connection.execute(_LOOK_MANY.format(marks=",".join("?" * len(part))), part):
            standing.setdefault(row[2], []).append(_submission(row))
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM submissions").fetchone()
    outcomes: list[Any] = []
    rows, abandoned = [], []
    for intent in intents:
        account, fingerprint, _, run_id, _, step, key, price, at = intent.row
        known = standing.setdefault(fingerprint, [])
        found = _pick((row for row in known if not _set_aside(row, intent.replaces)), account)
        if found is not None:
            outcomes.append(AlreadyOpenError(found))
            continue
        if intent.replaces is not None:
            abandoned.append((intent.replaces, at))
        last += 1
        made = Submission(
            id=last,
            account=account,
            fingerprint=fingerprint,
            state=SubmissionState.REQUESTED,
            run_id=run_id,
            step=step,
            key=text_out(key),
            requested_at=from_stamp(at),
            price=price,
        )
        known.append(made)
        rows.append((last, *intent.row))
        outcomes.append(made)
    write_rows(connection, _ABANDON, abandoned)
    write_rows(connection, _INSERT, rows)
    return outcomes


_INTEND = Kind("ledger.intend", 4, _intend)


class Ledger:
    """Submissions and finished results."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer | None,
        *,
        locks: RunLocks,
        encode: Callable[[Event], EventRow],
        now: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._open_writer = writer
        self._locks = locks
        self._last_before: int = reader.one("SELECT coalesce(max(id), 0) FROM submissions")[0]
        self._encode = encode
        self._now = now
        self._no_result, self._no_row = Absent(), Absent()

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise StoreError("this state folder was opened for reading only", code="store.read-only")
        return self._open_writer

    # --- looks -----------------------------------------------------------------------------------

    def look(self, account: str, fingerprint: str) -> Submission | None:
        """What answers for a fingerprint: this account's open row, else the service's newest success, else nothing."""
        if self._no_row.take(fingerprint):
            return None
        rows = self._reader.all(_LOOK, (fingerprint,))
        return _pick(map(_submission, rows), account) if rows else None

    def rows(self, fingerprint: str) -> list[Submission]:
        """Every submission of a fingerprint, oldest first."""
        return [_submission(row) for row in self._reader.all(_LOOK, (fingerprint,))]

    def was_sent(self, account: str, fingerprint: str) -> bool:
        """Did this account ever submit it, unless it surely never ran; or has anybody of the service its success?"""
        service = service_of(account)
        return any(
            row.account == account or (row.state is SubmissionState.SUCCEEDED and service_of(row.account) == service)
            for row in self.rows(fingerprint)
            if row.state is not SubmissionState.REFUSED
        )

    def row(self, submission_id: int) -> Submission | None:
        found = self._reader.one(f"SELECT {_COLUMNS} FROM submissions WHERE id = ?", (submission_id,))
        return None if found is None else _submission(found)

    def owner_lives(self, submission: Submission) -> bool:
        """Is the run that looks after it carried out by a living process?

        A run that we took up again lives, but whoever made its older rows does not.
        """
        if self._locks.holds(submission.run_id):
            return submission.id > self._last_before
        return self._locks.lives(submission.run_id)

    def unknown(self, *, account: str | None = None, run_id: str | None = None) -> list[Submission]:
        """Submissions whose outcome nobody knows: said so, or left without an answer by a run that died."""
        rows = self._reader.all(
            f"SELECT {_COLUMNS} FROM submissions WHERE state IN {_OPEN} AND state <> 'created' "
            "AND ?1 IN (account, '') AND ?2 IN (paid_run_id, run_id, '') ORDER BY id",
            (account or "", run_id or ""),
        )
        found = [_submission(row) for row in rows]
        return [row for row in found if row.state is SubmissionState.UNKNOWN or not self.owner_lives(row)]

    def spent(self, run_id: str) -> tuple[int, float]:
        """Predictions and cost of a run over its whole life, those of unknown outcome included."""
        count, cost = self._reader.one(
            "SELECT count(*), coalesce(sum(price), 0.0) FROM submissions WHERE paid_run_id = ? AND state <> 'refused'",
            (run_id,),
        )
        return int(count), float(cost)

    def posted(self, run_id: str) -> int:
        """Submissions of a run over its whole life, refused ones included."""
        (count,) = self._reader.one("SELECT count(*) FROM submissions WHERE paid_run_id = ?", (run_id,))
        return int(count)

    def paid(self, run_id: str) -> set[str]:
        """The predictions that a run paid for."""
        rows = self._reader.all(
            "SELECT prediction_id FROM submissions WHERE paid_run_id = ? AND prediction_id IS NOT NULL", (run_id,)
        )
        return {row[0] for row in rows}

    def sent_by(self, run_id: str) -> set[tuple[str, str]]:
        """Tasks (step and key) that a run paid for, or may have, and that did not come to nothing."""
        rows = self._reader.all(
            "SELECT step, key FROM submissions WHERE paid_run_id = ? "
            "AND state IN ('requested', 'created', 'succeeded')",
            (run_id,),
        )
        return {(step, text_out(key)) for step, key in rows}

    def failed(self, run_id: str) -> frozenset[str]:
        """Tasks (`step@key`) of a run that cost something and came to nothing, or are unknown: `max_failures`."""
        rows = self._reader.all(
            "SELECT DISTINCT step, key FROM submissions WHERE paid_run_id = ? "
            "AND state IN ('failed', 'unknown', 'gone')",
            (run_id,),
        )
        return frozenset([f"{step}@{text_out(key)}" for step, key in rows])

    def spent_since(self, spec: str, moment: datetime, *, after: int = 0, up_to: int = _LAST) -> int:
        """Predictions of all runs of a spec since a moment, in a range of rows: what `limits.per_day` counts."""
        # The unary plus keeps SQLite from going through every run that the spec has ever had.
        (count,) = self._reader.one(
            "SELECT count(*) FROM submissions JOIN runs ON runs.id = paid_run_id "
            "WHERE submissions.id > ? AND submissions.id <= ? AND requested_at >= ? AND state <> 'refused' "
            "AND +spec_path = ?",
            (after, up_to, to_stamp(moment), text_in(spec)),
        )
        return int(count)

    def answered_up_to(self, moment: datetime, *, after: int = 0) -> int:
        """The last row up to which none of those since a moment waits for its answer: their count will not change."""
        (last,) = self._reader.one(
            "SELECT coalesce("
            "(SELECT min(id) - 1 FROM submissions WHERE id > ? AND state = 'requested' AND requested_at >= ?), "
            "(SELECT max(id) FROM submissions), 0)",
            (after, to_stamp(moment)),
        )
        return int(last)

    def result(self, fingerprint: str) -> Result | None:
        """The kept result of a fingerprint. Its files are for the caller to look for among the blobs."""
        if self._no_result.take(fingerprint):
            return None
        found = self._reader.all(f"{_RESULT} = ?", (fingerprint,))
        return _result(found[0]) if found else None

    def ahead(self, fingerprints: Sequence[str]) -> dict[str, Result]:
        """The kept results of tasks that are about to start, in one look.

        Where there is none, the next `result` knows that, and where no submission is written down, the next `look`:
        should one come meanwhile, from another process, then `intend` finds it.
        """
        results, submitted = {}, set()
        for row in self._reader.many(_AHEAD, fingerprints):
            if row[1] is None:
                submitted.add(row[0])
            else:
                results[row[0]] = _result(row)
        for absent, there in ((self._no_result, results.keys()), (self._no_row, submitted)):
            absent.forget(there)
            absent.put(set(fingerprints) - there)
        return results

    # --- changes ---------------------------------------------------------------------------------

    async def intend(
        self,
        *,
        account: str,
        fingerprint: str,
        run_id: str,
        step: str,
        key: str,
        price: float | None = None,
        event: Event | None = None,
        replaces: int | None = None,
    ) -> Submission:
        """Write down that a submission is about to be sent; on disk when this returns.

        Raises `AlreadyOpenError` where `look` would now find a row other than `replaces`, whatever happened since the
        caller looked. `replaces` names the row that the caller has seen and pays again beside: if open, it becomes
        `abandoned` in the same transaction. A `PredictionRequested` gets the row's number on its way to the journal.
        Cancelled before it returns, the row is taken back first: nothing was sent, and nobody shall take it for a
        submission without an answer.
        """
        self._no_row.forget([fingerprint])
        row = (account, fingerprint, "requested", run_id, run_id, step, text_in(key), price, to_stamp(self._now()))

        def encoded(made: Submission) -> EventRow:
            numbered = replace(event, submission=made.id) if isinstance(event, PredictionRequested) else event
            return self._encode(numbered)  # type: ignore[arg-type]  # used only where there is an event

        asked = self._writer.ask(_INTEND, _Intent(row, replaces), None if event is None else encoded)
        try:
            made: Submission = await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(self._take_back)
            await asyncio.wait({asked})
            raise
        return made

    def _take_back(self, asked: asyncio.Future[Submission]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            row = (asked.result().id, "refused", "taken back before it was sent", to_stamp(self._now()))
            self._writer.put(_SETTLE, row)

    def created(self, submission_id: int, prediction_id: str, *, event: Event | None = None) -> asyncio.Future[Any]:
        """Note the prediction's id: queued by the call itself, on disk when awaited."""
        row = (submission_id, prediction_id, to_stamp(self._now()))
        return self._writer.ask(_CREATED, row, None if event is None else self._encode(event))

    def settle(
        self, submission_id: int, state: SubmissionState, *, message: str | None = None, event: Event | None = None
    ) -> asyncio.Future[Any]:
        """Note how it ended: queued by the call itself, on disk when awaited."""
        row = (submission_id, state.value, None if message is None else text_in(message), to_stamp(self._now()))
        return self._writer.ask(_SETTLE, row, None if event is None else self._encode(event))

    def adopt(self, submission_id: int, run_id: str) -> Awaitable[None]:
        """Join: another run looks after this submission from now on. What it cost stays with the run that sent it."""
        return self._writer.ask(_ADOPT, (submission_id, run_id))

    def keep_result(self, fingerprint: str, service: str, result: Result, *, kind: str) -> asyncio.Future[None]:
        """Keep a finished result for every later run: queued by the call itself, on disk when awaited."""
        row = (
            fingerprint,
            service,
            kind,
            encode_json(result.output),
            encode_json(pack_files(result.files)),
            result.prediction_id,
            optional_stamp(result.received_at),
        )
        written = self._writer.ask(_KEEP, row)
        written.add_done_callback(lambda _: self._no_result.forget([fingerprint]))
        return written

    async def forget_open(self, account: str) -> int:
        """Close the open rows of runs that ended, for a service whose predictions end with its process.

        The embedded emulator is one: its rows cost nothing and can never be joined. Returns how many there were.
        """
        rows = self._reader.all(
            f"SELECT {_COLUMNS} FROM submissions WHERE account = ? AND state IN {_OPEN}", (account,)
        )
        dead = [row for row in map(_submission, rows) if not self.owner_lives(row)]
        at = to_stamp(self._now())
        for row in dead:
            self._writer.put(_FORGET, (row.id, "the local emulator that had it has ended", at))
        await self._writer.drain()
        return len(dead)


_FORGET = row_kind(
    "ledger.forget",
    3,
    "WITH v (id, message, at) AS (VALUES {rows}) UPDATE submissions SET state = 'refused', message = v.message, "
    "finished_at = v.at FROM v WHERE submissions.id = v.id",
)
