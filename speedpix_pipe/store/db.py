"""One writer thread with one connection, and commits in groups.

Everything that was queued while a commit ran goes into the next one, so a commit's sync to disk is shared by all
who wait for it, and nobody waits for a timer. Rows that nobody waits for (events) linger for some milliseconds, so
that a slow trickle of history does not cost one sync each; they go along with whatever commits before that.

SQLite gives up the interpreter's lock around each statement, and a busy event loop is slow to hand it back. That is
why rows are written many to a statement: a group of a thousand rows costs a dozen hand-overs and not a thousand.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future as ThreadFuture
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import StoreError
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.complaints import BUSY_SECONDS, is_full, translated
from speedpix_pipe.store.migrations import version_of

Hook = Callable[[str], None]
Outcomes = Sequence[Any]  # for each value of a batch what its caller gets; an exception is raised there

_LINGER_SECONDS = 0.02
_COMPANY = 3  # so many askers in one group: many tasks are under way, and more will ask at once
_COMPANY_SECONDS = 0.003  # what the next group then waits for them; it halves the commits of a busy run
_LAZY_ROWS = 512  # so many rows that nobody waits for are a group of their own
_MOST_ROWS = 4096  # events in one transaction, so that an intent never waits behind a million of them
_MOST_MARKS = 256  # values in one question
_MOST_COMMON = 8  # values beside those
_MARKS = [f"?{number}" for number in range(1, _MOST_MARKS + _MOST_COMMON + 1)]
_LARGE = (256, 64, 32)  # rows to a statement; fewer than the last go together, whatever their number


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """A connection that its owner may use from any one thread at a time."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_mode = WAL" if write else "PRAGMA query_only = ON")
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Reader:
    """Looks at what is committed, each in a short transaction of its own, with SQLite's complaints in our words."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _identity(path)  # while it is open, no other file gets its number
        self._connection = connect(path, write=False)

    def is_current(self) -> bool:
        """Is the file still the one at its path? A folder may be deleted, a journal mended, while somebody reads."""
        return self._file is not None and self._file == _identity(self._path)

    def all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def one(self, statement: str, values: Sequence[Any] = ()) -> Any:
        try:
            return self._connection.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def many(self, statement: str, values: Sequence[Any], *common: Any) -> list[Any]:
        """All rows for any of these values; the statement has `{marks}` in the place of their list, as often as it
        likes, and `?1` and so on for the values that are common to all.
        """
        found: list[Any] = []
        for start in range(0, len(values), _MOST_MARKS):
            part = values[start : start + _MOST_MARKS]
            marks = ",".join(_MARKS[len(common) : len(common) + len(part)])
            found += self.all(statement.format(marks=marks), (*common, *part))
        return found

    def version(self) -> int:
        try:
            return version_of(self._connection)
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def close(self) -> None:
        self._connection.close()


def write_rows(
    connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]], *, distinct: bool = False
) -> None:
    """Run a statement with `{rows}` in it over many rows at once.

    `distinct` keeps rows of one statement apart that begin with the same value: an UPDATE ... FROM with two matches
    for a row would pick either.
    """
    if distinct and len({row[0] for row in rows}) < len(rows):
        rest: list[tuple[Any, ...]] = list(rows)
        while rest:
            first: dict[Any, tuple[Any, ...]] = {}
            later = [row for row in rest if first.setdefault(row[0], row) is not row]
            write_rows(connection, statement, list(first.values()))
            rest = later
        return
    start = 0
    while left := len(rows) - start:
        size = next((size for size in _LARGE if left >= size), left)
        part = rows[start : start + size]
        marks = "(" + ",".join("?" * len(part[0])) + ")"
        connection.execute(statement.format(rows=",".join([marks] * size)), [value for row in part for value in row])
        start += size


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of work for the writer. In a group, lower ranks go first; `name` is what crash tests stop at."""

    name: str
    rank: int
    work: Callable[[sqlite3.Connection, list[Any]], Outcomes | None]


def row_kind(name: str, rank: int, statement: str, *, distinct: bool = False) -> Kind:
    """Work that is a row for one statement."""

    def work(connection: sqlite3.Connection, values: list[Any]) -> None:
        write_rows(connection, statement, values, distinct=distinct)

    return Kind(name, rank, work)


def _call(connection: sqlite3.Connection, values: list[Any]) -> Outcomes:
    outcomes: list[Any] = []
    for function in values:
        connection.execute("SAVEPOINT work")
        try:
            outcomes.append(function(connection))
        except StoreError as error:
            connection.execute("ROLLBACK TO work")
            outcomes.append(error)
        connection.execute("RELEASE work")
    return outcomes


CALL = Kind("store.call", 9, _call)  # the rare things: begin a run, finish one, ask for a stop

EventRow = tuple[int, int, str, "str | bytes | None", str]
_EVENTS = "INSERT INTO events (id, at, kind, task, body) VALUES {rows}"


@dataclass(slots=True)
class _Item:
    kind: Kind
    value: Any
    event: EventRow | Callable[[Any], EventRow] | None = None
    future: asyncio.Future[Any] | None = None
    waiter: ThreadFuture[Any] | None = None

    def answer(self, outcome: Any) -> None:
        future = self.future if self.future is not None else self.waiter
        if future is None or future.done():
            return  # nobody waits, or whoever did was cancelled
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


class Writer:
    """The only one in this process that writes to the journal's file.

    Ended by `close`, or by the first write that cannot be done: from then on everything that is asked of it raises
    `failure`, so that nothing is paid for that could not be written down.
    """

    def __init__(self, path: Path, *, hook: Hook | None, make_room: Callable[[], bool]) -> None:
        self.failure: StoreError | None = None
        self.commits = 0
        self.rows = 0
        self._path = path
        self._hook = hook
        self._make_room = make_room
        self._items: deque[_Item] = deque()
        self._events: deque[EventRow] = deque()
        self._group_items: list[_Item] = []
        self._askers = 0  # items in the last group
        self._events_queued = 0
        self._events_written = 0
        # Not a SimpleQueue: before Python 3.13 its `get` with a time-out may wait for ever, once in some ten thousand
        # calls, where somebody has just put and got.
        self._bell = threading.Event()
        self._awake = False  # a group is due: true from the first item until the thread looks at the queues
        self._noticed = False  # the same for events, which may linger
        self._closing = threading.Event()
        self._connection = connect(path, write=True)
        self._thread = threading.Thread(target=self._work, name="speedpix-store", daemon=True)
        self._thread.start()

    # --- asked from any thread -------------------------------------------------------------------

    def event(self, row: EventRow) -> None:
        """Queue one row of history. Never blocks."""
        if self.failure is not None:
            raise self.failure
        self._events.append(row)
        self._events_queued += 1
        if not self._noticed:
            self._noticed = True
            self._bell.set()
        elif not self._awake and len(self._events) >= _LAZY_ROWS:
            self._rouse()

    def put(self, kind: Kind, value: Any) -> None:
        """Queue work that nobody waits for."""
        self._queue(_Item(kind, value))

    def ask(
        self, kind: Kind, value: Any, event: EventRow | Callable[[Any], EventRow] | None = None
    ) -> asyncio.Future[Any]:
        """Queue work now; the future is done after its commit.

        An event goes into the same transaction; it may be made from the work's outcome.
        """
        future = asyncio.get_running_loop().create_future()
        self._queue(_Item(kind, value, event, future))
        return future

    def wait(self, kind: Kind, value: Any) -> Any:
        """Queue work and block until its commit: for commands outside any loop."""
        waiter: ThreadFuture[Any] = ThreadFuture()
        self._queue(_Item(kind, value, waiter=waiter))
        return waiter.result()

    @property
    def backlog(self) -> int:
        """Rows of history that are not on disk yet."""
        return len(self._events)

    async def drain(self) -> None:
        """Return when everything queued before is on disk."""
        goal = self._events_queued
        await self.ask(CALL, _nothing)
        while self._events_written < goal:
            await self.ask(CALL, _nothing)

    def close(self) -> None:
        """Write what is queued, then end. Safe to call twice."""
        self._closing.set()
        self._bell.set()
        self._thread.join()

    def _queue(self, item: _Item) -> None:
        if self.failure is not None:
            raise self.failure
        self._items.append(item)
        if not self._awake:
            self._rouse()

    def _rouse(self) -> None:
        self._awake = True
        self._bell.set()

    # --- the thread ------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while self._look():
                pass
        finally:
            self._connection.close()
            if self.failure is None:
                self._end(StoreError("the state folder is closed", code="store.closed"))

    def _look(self) -> bool:
        """Wait for something to do and do it. False at the end."""
        self._bell.clear()
        self._awake = self._noticed = False  # before the look: who queues after it wakes us again
        if self._items or len(self._events) >= _LAZY_ROWS or self._closing.is_set():
            if self._askers >= _COMPANY:
                self._closing.wait(
                    _COMPANY_SECONDS
                )  # who is about to ask comes along; a chain of tasks is alone, and pays nothing
            return self._step()
        if not self._events:
            self._bell.wait()
            return True
        while not self._awake and not self._closing.is_set():
            if not self._bell.wait(_LINGER_SECONDS):
                return self._step()
            self._bell.clear()
        return True

    def _step(self) -> bool:
        """Write one group. False when there is nothing more to come."""
        waiting = min(len(self._events), _MOST_ROWS)  # counted first: no event gets to disk before what it tells of
        items = self._group_items = [self._items.popleft() for _ in range(len(self._items))]
        rows = [self._events.popleft() for _ in range(waiting)]
        if not items and not rows:
            return not self._closing.is_set()
        self._askers = len(items)
        try:
            outcomes = self._commit(items, rows)
        except (sqlite3.Error, OSError) as error:
            self._end(translated(error, self._path))
            return False
        self._events_written += len(rows)
        self._group_items = []
        self._answer(items, outcomes)
        return True

    def _commit(self, items: list[_Item], rows: list[EventRow]) -> dict[int, Any]:
        try:
            return self._group(items, rows)
        except sqlite3.Error as error:
            if not is_full(error) or not self._make_room():
                raise
        return self._group(items, rows)  # with the reserve gone there is room for what was in flight

    def _group(self, items: list[_Item], rows: list[EventRow]) -> dict[int, Any]:
        connection = self._connection
        by_kind: dict[str, list[_Item]] = {}
        for item in items:
            by_kind.setdefault(item.kind.name, []).append(item)
        batches = sorted(by_kind.values(), key=lambda batch: batch[0].kind.rank)
        outcomes: dict[int, Any] = {}
        connection.execute("BEGIN IMMEDIATE")
        try:
            events = list(rows)
            for batch in batches:
                results = batch[0].kind.work(connection, [item.value for item in batch])
                for item, result in zip(batch, results or [None] * len(batch), strict=True):
                    outcomes[id(item)] = result
                    if item.event is not None and not isinstance(result, BaseException):
                        events.append(item.event(result) if callable(item.event) else item.event)
            write_rows(connection, _EVENTS, events)
            self._pass("committing", batches)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
                connection.execute("ROLLBACK")
            raise
        self.commits += 1
        self.rows += len(items) + len(events)
        self._pass("committed", batches)
        return outcomes

    def _pass(self, moment: str, batches: list[list[_Item]]) -> None:
        if self._hook is not None:
            for batch in batches:
                self._hook(f"{batch[0].kind.name}.{moment}")

    def _answer(self, items: list[_Item], outcomes: dict[int, Any]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Item, Any]]] = {}
        for item in items:
            outcome = outcomes[id(item)]
            if item.future is not None:
                by_loop.setdefault(item.future.get_loop(), []).append((item, outcome))
            else:
                item.answer(outcome)
        for loop, answers in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: its waiters are gone too
                loop.call_soon_threadsafe(_answer_all, answers)

    def _end(self, failure: StoreError) -> None:
        """From now on everything raises; whoever waits learns it here."""
        self.failure = failure
        items = [*self._group_items, *self._items]
        self._answer(items, {id(item): failure for item in items})


def _nothing(_connection: sqlite3.Connection) -> None:
    return None


def _answer_all(answers: list[tuple[_Item, Any]]) -> None:
    for item, outcome in answers:
        item.answer(outcome)
