"""The tables, as a list of steps from one version to the next. Landed steps are never edited: add one at the end.

All times are microseconds since 1970. Rows of `submissions` are never deleted, so that an id stays the name of one
submission for ever; `events.id` is the run's number and the event's place in it, in one integer.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

from speedpix_pipe.errors import StoreError

APPLICATION_ID = 0x53505058  # how `file` and we tell our database from any other

_FIRST = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    pipeline TEXT NOT NULL,
    spec_path TEXT NOT NULL,
    spec_digest TEXT NOT NULL,
    service TEXT NOT NULL,
    params TEXT NOT NULL,
    arguments TEXT NOT NULL,
    origin TEXT,                      -- the run that a redo goes back to
    status TEXT NOT NULL,             -- running succeeded failed cancelled
    resumable INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    seconds REAL,
    outputs TEXT,
    counts TEXT,
    cancel_requested_at INTEGER,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    process_started TEXT NOT NULL     -- as the kernel counts it: tells a process from a later one with its pid
);
CREATE INDEX runs_of_spec ON runs (spec_path, number);

CREATE TABLE events (
    id INTEGER PRIMARY KEY,           -- runs.number << 32 | seq
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    task TEXT,                        -- step@key
    body TEXT NOT NULL
);

CREATE TABLE submissions (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,            -- endpoint|digest of the app key
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    run_id TEXT NOT NULL,             -- who looks after it now
    paid_run_id TEXT NOT NULL,        -- whose limits it counts for
    step TEXT NOT NULL,
    key TEXT NOT NULL,
    price REAL,
    prediction_id TEXT,
    requested_at INTEGER NOT NULL,
    created_at INTEGER,
    finished_at INTEGER,
    message TEXT
);
CREATE UNIQUE INDEX submissions_open ON submissions (account, fingerprint)
    WHERE state IN ('requested', 'created', 'unknown');
CREATE INDEX submissions_of_fingerprint ON submissions (fingerprint);
CREATE INDEX submissions_of_run ON submissions (paid_run_id);

CREATE TABLE results (
    number INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    output TEXT NOT NULL,
    files TEXT NOT NULL,
    prediction_id TEXT,
    received_at INTEGER
);

CREATE TABLE outputs (
    number INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,        -- the bytes of the absolute path
    sha256 TEXT NOT NULL,
    run_id TEXT NOT NULL,
    stat BLOB NOT NULL,               -- device, inode, size and mtime of the file as we left it
    saved_at INTEGER NOT NULL
);
CREATE TABLE output_folders (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    folder BLOB NOT NULL,
    UNIQUE (run_id, folder)
);

CREATE TABLE uploads (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    content_type TEXT NOT NULL,
    url TEXT NOT NULL,
    size INTEGER NOT NULL,
    uploaded_at INTEGER NOT NULL,
    expires_at INTEGER,
    UNIQUE (account, sha256, content_type)
);

CREATE TABLE digests (
    number INTEGER PRIMARY KEY,
    place BLOB NOT NULL UNIQUE,       -- device and inode
    state BLOB NOT NULL,              -- size, mtime and ctime when it was hashed
    sha256 TEXT NOT NULL
);

CREATE TABLE arrivals (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,          -- ULID, also the name of its claim folder
    watcher TEXT NOT NULL,
    path BLOB NOT NULL,               -- where it arrived: what expressions and keys see
    bytes_path BLOB NOT NULL,         -- where its bytes lie now
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    state TEXT NOT NULL,              -- claimed running judged placed
    verdict TEXT,                     -- done failed
    reason TEXT,
    step TEXT,
    run_id TEXT,
    arrived_at INTEGER NOT NULL,
    judged_at INTEGER,
    placed_at INTEGER
);
CREATE INDEX arrivals_open ON arrivals (watcher) WHERE state <> 'placed';
CREATE INDEX arrivals_of_path ON arrivals (path);
"""


def _first(connection: sqlite3.Connection) -> None:
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _seeds(connection: sqlite3.Connection) -> None:
    """Seeds that somebody chose over those of the spec (`runs redo --new-seed`)."""
    connection.execute(
        """
        CREATE TABLE seeds (
            number INTEGER PRIMARY KEY,
            base TEXT NOT NULL,           -- the fingerprint of the task as the spec has it
            task TEXT NOT NULL,           -- step@key
            seed TEXT NOT NULL,           -- the fields that are sent instead; null: the service draws
            fingerprint TEXT NOT NULL,    -- of the task as it is sent
            run_id TEXT NOT NULL,         -- where it was drawn
            chosen_at INTEGER NOT NULL,
            UNIQUE (base, task)
        )
        """
    )


MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [_first, _seeds]


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables; refuses tables that a newer program made, and files of other programs."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application not in {0, APPLICATION_ID} or (version and not application):
        raise StoreError("journal.db belongs to another program", code="store.foreign")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the state folder was written by a newer speedpix-pipe (tables of version {version}, "
            f"this one knows {len(MIGRATIONS)})",
            code="store.newer",
            hint="update speedpix-pipe, or set SPEEDPIX_STATE_DIR to another folder",
        )
    return int(version)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date in one transaction. The caller holds the lock that keeps everybody else out."""
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for step in MIGRATIONS[version_of(connection) :]:
            step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
            connection.execute("ROLLBACK")
        raise
