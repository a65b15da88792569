"""Runs whose row a damaged journal lost, made again from their events.

An event's number begins with the number of its run, so a run that is forgotten leaves events which the next run, given
the same number, would stumble over.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from speedpix_pipe.store.codec import decode_body, encode_json, from_stamp, text_in

_ORPHANS = "id >> 32 NOT IN (SELECT number FROM runs)"


def has_orphans(connection: sqlite3.Connection) -> bool:
    """Are there events of a run that is lost?"""
    return connection.execute(f"SELECT 1 FROM events WHERE {_ORPHANS} LIMIT 1").fetchone() is not None  # noqa: S608


def rebuild_runs(target: sqlite3.Connection) -> int:
    """Rows of lost runs, from how they began and how they ended. One that did not end can be resumed."""
    begun = target.execute(
        f"SELECT id >> 32, at, body FROM events WHERE kind = 'RunStarted' AND {_ORPHANS} ORDER BY id"  # noqa: S608
    ).fetchall()
    made = 0
    for number, at, body in begun:
        try:
            made += _insert(target, number, at, decode_body("RunStarted", body))
        except (ValueError, KeyError, TypeError, sqlite3.IntegrityError):
            continue  # its first event is spoiled as well
    return made


def drop_orphans(target: sqlite3.Connection) -> None:
    """Forget events whose run cannot be made again."""
    target.execute(f"DELETE FROM events WHERE {_ORPHANS}")  # noqa: S608


def _insert(target: sqlite3.Connection, number: int, at: int, started: dict[str, Any]) -> int:
    end = _end_of(target, number)
    return target.execute(
        "INSERT INTO runs (number, id, pipeline, spec_path, spec_digest, service, params, arguments, status, "
        "resumable, reason, started_at, finished_at, seconds, outputs, pid, host, boot_id, process_started) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', '')",
        (
            number,
            _id_of(target, number, at),
            text_in(started["pipeline"]),
            text_in(started["spec_path"]),
            started["spec_digest"],
            started["service"],
            encode_json(started.get("params")),
            encode_json(started.get("arguments")),
            end.get("status", "running"),
            end.get("resumable", not end),
            text_in(end.get("reason", "")),
            at,
            end.get("at"),
            end.get("seconds"),
            encode_json(end.get("outputs")),
        ),
    ).rowcount


def _end_of(target: sqlite3.Connection, number: int) -> dict[str, Any]:
    """The last word about the run; nothing if it was resumed after it, or never ended."""
    row = target.execute(
        "SELECT kind, at, body FROM events WHERE id BETWEEN ? AND ? AND kind IN ('RunFinished', 'RunResumed') "
        "ORDER BY id DESC LIMIT 1",
        (number << 32, number << 32 | 0xFFFFFFFF),
    ).fetchone()
    return {**decode_body(row[0], row[2]), "at": row[1]} if row and row[0] == "RunFinished" else {}


def _id_of(target: sqlite3.Connection, number: int, at: int) -> str:
    """What the run was called, as a submission of it knows; else a name by when it began."""
    row = target.execute(
        "SELECT paid_run_id FROM submissions WHERE id IN (SELECT json_extract(body, '$.submission') FROM events "
        "WHERE id BETWEEN ? AND ? AND kind = 'PredictionRequested')",
        (number << 32, number << 32 | 0xFFFFFFFF),
    ).fetchone()
    return str(row[0]) if row else f"{from_stamp(at):%Y%m%dT%H%M%S}-{number:06x}"
