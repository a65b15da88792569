from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import StoreError
from speedpix_pipe.events import PredictionCreated, PredictionRequested, RunFinished, TaskSucceeded
from speedpix_pipe.model import Result, RunStatus, SubmissionState
from speedpix_pipe.store import Store, repair
from speedpix_pipe.store.folder import MENDING
from speedpix_pipe.store.repair import _rows

from .conftest import House

ACCOUNT = "service.example:443|key-a"
ROWS = 400
PAGE = 4096


@pytest.fixture
def full(house: House, folder: Path, run: Any) -> Path:
    """A closed journal with 400 submissions in all states, and their events."""

    async def one(number: int) -> None:
        store, seq = house.store, 10 * number + 2
        task: dict[str, Any] = {"run_id": "run-1", "at": house.clock(), "step": "white", "key": f"photo-{number}.jpg"}
        asked = PredictionRequested(**task, seq=seq, submission=0, fingerprint=f"f{number}", price=0.5)
        row = await house.intend(f"f{number}", key=task["key"], event=asked)
        if number % 4:
            born = PredictionCreated(**task, seq=seq + 1, submission=row.id, prediction_id=f"p{number}")
            store.ledger.created(row.id, f"p{number}", event=born)
        if number % 4 > 1:
            store.ledger.settle(row.id, SubmissionState.SUCCEEDED)
            store.ledger.keep_result(f"f{number}", "service.example:443", Result(output=number), kind="workflow")
            store.journal.record(TaskSucceeded(**task, seq=seq + 2, seconds=1.0, prediction_id=f"p{number}"))

    async def main() -> None:
        await house.begin()
        await asyncio.gather(*(one(number) for number in range(ROWS)))
        await house.store.flush()

    run(main())
    house.store.close()
    return folder


def pages_of(folder: Path, name: str) -> list[int]:
    """Pages whose bytes mention what only rows of `name` have; page 1 is never among them."""
    data = (folder / "journal.db").read_bytes()
    pages = [data[start : start + PAGE] for start in range(0, len(data), PAGE)]
    return [number for number, page in enumerate(pages) if number and name.encode() in page]


def spoil(folder: Path, pages: list[int]) -> None:
    with (folder / "journal.db").open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(b"\xa5" * PAGE)


def states(folder: Path) -> dict[str, tuple[str, str | None]]:
    with Store.open(folder) as store:
        found = {f"f{number}": store.ledger.rows(f"f{number}") for number in range(ROWS)}
    return {name: (rows[-1].state.value, rows[-1].prediction_id) for name, rows in found.items() if rows}


def whole() -> dict[str, tuple[str, str | None]]:
    kinds = ["requested", "created", "succeeded", "succeeded"]
    return {f"f{n}": (kinds[n % 4], f"p{n}" if n % 4 else None) for n in range(ROWS)}


def test_a_sound_journal_is_left_as_it_is(full: Path, clock: Callable[[], Any]) -> None:
    before = (full / "journal.db").read_bytes()
    report = repair(full, now=clock)
    assert report.healthy
    assert report.kept is None
    assert (full / "journal.db").read_bytes() == before
    assert not list(full.glob("journal.damaged-*"))
    assert states(full) == whole()


def test_a_mended_journal_is_sound(full: Path, clock: Callable[[], Any]) -> None:
    spoil(full, [0])
    assert not repair(full, now=clock).healthy
    assert repair(full, now=clock).healthy


def page_of(folder: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return int(root) - 1


def run_rows(folder: Path) -> list[Any]:
    with Store.open(folder) as store:
        return store.journal.runs()


@pytest.mark.parametrize("ended", [True, False])
def test_a_run_whose_row_is_lost_is_made_again_from_its_events(
    full: Path, clock: Callable[[], Any], run: Any, ended: bool
) -> None:
    if ended:
        with Store.open(full, now=clock) as store:
            end = RunFinished(
                run_id="run-1", seq=9000, at=clock(), status=RunStatus.FAILED, resumable=True, seconds=2.5, reason="why"
            )
            run(store.journal.finish_run(end))
    (before,) = run_rows(full)
    spoil(full, [page_of(full, "runs")])
    report = repair(full, now=clock)
    assert report.rows["runs"] == 0
    assert report.rebuilt_runs == 1
    (after,) = run_rows(full)
    assert after == dataclasses.replace(before, pid=0, host="", counts={})


def test_a_run_that_made_no_prediction_gets_a_name_by_its_beginning(house: House, folder: Path, run: Any) -> None:
    run(house.begin("run-of-no-predictions"))
    house.store.close()
    spoil(folder, [page_of(folder, "runs")])
    assert repair(folder, now=house.clock).rebuilt_runs == 1
    (found,) = run_rows(folder)
    assert found.id == f"{house.clock():%Y%m%dT%H%M%S}-000001"
    assert found.started_at == house.clock()


def test_events_of_a_run_that_cannot_be_made_again_do_not_stand_in_the_way_of_the_next(
    full: Path, clock: Callable[[], Any], run: Any
) -> None:
    spoil(full, [page_of(full, "runs")])
    with contextlib.closing(sqlite3.connect(full / "journal.db")) as connection:
        connection.execute("UPDATE events SET body = 'spoiled' WHERE kind = 'RunStarted'")
        connection.commit()
    assert repair(full, now=clock).rebuilt_runs == 0
    with Store.open(full, now=clock) as store:
        run(House(store, clock).begin("run-2"))
        assert [event.run_id for event in store.journal.events("run-2")] == ["run-2"]


def test_each_page_that_lists_the_tables_is_lent_by_an_empty_journal(full: Path, clock: Callable[[], Any]) -> None:
    pages = [page for page in pages_of(full, "CREATE ") if page]
    assert pages, "the list of tables has outgrown the first page"
    for page in pages:
        spoil(full, [page])
        with pytest.raises(StoreError, match="is damaged"):
            Store.open(full)
        assert repair(full, now=clock).rows["submissions"] == ROWS
        assert states(full) == whole()


def test_a_file_that_was_cut_off_gives_back_what_lies_before_the_cut(full: Path, clock: Callable[[], Any]) -> None:
    data = (full / "journal.db").read_bytes()
    (full / "journal.db").write_bytes(data[: len(data) // 2])
    spoil(full, [page for page in pages_of(full, "CREATE ") if page])  # else the half that has it needs no help
    report = repair(full, now=clock)
    # How many lie there depends on which rows came to share a commit: perhaps all, with their events.
    assert 0 < report.rows["submissions"] + report.rebuilt <= ROWS
    in_doubt = {name: ("unknown", None) for name, (state, _) in whole().items() if state == "requested"}
    assert states(full).items() <= whole().items() | in_doubt.items()


class Moody:
    """A table whose pages answer as spoiled ones may: not at all, otherwise than a moment ago, or with what was before."""

    def __init__(self, answer: Callable[[int, int, int], list[Any] | None]) -> None:
        self.asked, self._answer = 0, answer

    def execute(self, _statement: str, values: tuple[int, int]) -> Moody:
        self.asked += 1
        self.rows = self._answer(self.asked, *values)
        if self.rows is None:
            raise sqlite3.DatabaseError("malformed")
        return self

    def fetchall(self) -> list[Any]:
        return self.rows or []


@pytest.mark.parametrize(
    "answer",
    [
        lambda _, after, limit: [(0, "the same again")],
        lambda _, after, limit: [(after, "the same again")],
        lambda _, after, limit: [(None, "no number")],
        lambda asked, after, limit: None if asked % 3 else [],
        lambda asked, after, limit: None if limit > 1 or asked % 2 else [(after + 1, "one by one")][: after < 50],
        lambda _, after, limit: None,
    ],
)
def test_whatever_spoiled_pages_answer_the_reading_comes_to_an_end(answer: Any) -> None:
    table, gaps = Moody(answer), [0]
    rows = list(_rows(table, "events", ["id", "body"], gaps))  # type: ignore[arg-type]  # a connection's one method
    assert table.asked < 6000
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})


@pytest.mark.parametrize("gone", [True, False])
def test_a_journal_that_is_empty_or_gone_beside_results_is_no_new_folder(
    full: Path, clock: Callable[[], Any], gone: bool
) -> None:
    (full / "blobs" / "ab").mkdir()
    (full / "journal.db").unlink()
    if not gone:
        (full / "journal.db").touch()
    with pytest.raises(StoreError, match="empty or gone") as caught:
        Store.open(full)
    assert caught.value.code == "store.damaged"
    report = repair(full, now=clock)
    assert (report.kept is None) is gone
    assert states(full) == {}


def test_a_ledger_with_spoiled_pages_stops_everything_until_it_is_mended(full: Path, clock: Callable[[], Any]) -> None:
    rows = [page for page in pages_of(full, "run-1run-1white") if page % 2]
    assert len(rows) > 3
    spoil(full, rows)
    with pytest.raises(StoreError, match="is damaged") as caught:
        Store.open(full)
    assert "speedpix-pipe runs repair" in (caught.value.hint or "")
    assert caught.value.exit_code == 2
    report = repair(full, now=clock)
    assert report.gaps["submissions"] > 0
    assert report.rows["submissions"] < ROWS
    assert report.rows["submissions"] + report.rebuilt == ROWS
    expected = {name: ("unknown", None) if state == "requested" else (state, p) for name, (state, p) in whole().items()}
    found = states(full)
    assert {
        name: ("unknown", None) if state == "requested" else (state, p) for name, (state, p) in found.items()
    } == expected


def test_a_spoiled_index_is_noticed_and_made_anew(full: Path, clock: Callable[[], Any]) -> None:
    with sqlite3.connect(full / "journal.db") as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'submissions_open'").fetchone()
    connection.close()
    spoil(full, [root - 1])
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(full)
    report = repair(full, now=clock)
    assert report.rows["submissions"] == ROWS
    assert states(full) == whole()


def test_an_index_that_misses_a_row_is_noticed_after_a_crash(
    full: Path, tmp_path: Path, clock: Callable[[], Any]
) -> None:
    """What a disk leaves that said a page was written and lost it: every page is sound, and a lookup finds nothing."""
    path, name = full / "journal.db", ("submissions_of_fingerprint",)
    hidden = sqlite3.connect(path, isolation_level=None)
    hidden.execute("PRAGMA writable_schema = ON")
    row = hidden.execute("SELECT * FROM sqlite_master WHERE name = ?", name).fetchone()
    hidden.execute("DELETE FROM sqlite_master WHERE name = ?", name)
    hidden.close()
    writing = sqlite3.connect(path, isolation_level=None)
    writing.execute("DELETE FROM submissions WHERE id = 5")
    writing.execute("PRAGMA writable_schema = ON")
    writing.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
    copy = tmp_path / "copy"
    (copy / "locks").mkdir(parents=True)
    for ending in ("", "-wal"):  # as a crash leaves them
        (copy / f"journal.db{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
    writing.close()
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(copy)
    assert repair(copy, now=clock).rebuilt == 1
    assert len(states(copy)) == ROWS


def test_a_lost_first_page_is_lent_by_an_empty_journal(full: Path, clock: Callable[[], Any]) -> None:
    spoil(full, [0])
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(full)
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(full, write=False)
    report = repair(full, now=clock)
    assert report.rows["submissions"] == ROWS
    assert states(full) == whole()


def test_a_file_of_nothing_gives_an_empty_journal_and_keeps_the_file(full: Path, clock: Callable[[], Any]) -> None:
    (full / "journal.db").write_bytes(b"no database at all")
    report = repair(full, now=clock)
    assert report.rows["submissions"] == 0
    assert report.kept is not None
    assert report.kept.read_bytes() == b"no database at all"
    assert states(full) == {}


def test_a_repair_that_died_is_told_and_done_again_from_the_kept_file(full: Path, clock: Callable[[], Any]) -> None:
    spoil(full, [0])
    first = repair(full, now=clock)
    assert first.kept is not None
    (full / MENDING).write_text(first.kept.name)
    (full / "journal.db").write_bytes(b"half of a new file")
    with pytest.raises(StoreError, match="did not come to its end"):
        Store.open(full)
    again = repair(full, now=clock)
    assert again.kept == first.kept
    assert states(full) == whole()


def test_a_lost_submission_of_a_file_whose_name_is_no_utf_8_is_made_again(house: House, folder: Path, run: Any) -> None:
    odd = os.fsdecode(b"caf\xe9.jpg")

    async def main() -> None:
        await house.begin()
        for seq, key in ((2, "a.jpg"), (3, odd)):
            task: dict[str, Any] = {"run_id": "run-1", "at": house.clock(), "step": "white", "key": key}
            asked = PredictionRequested(**task, seq=seq, submission=0, fingerprint=f"f{seq}")
            await house.intend(f"f{seq}", key=key, event=asked)

    run(main())
    house.store.close()
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as connection, connection:
        connection.execute("DELETE FROM submissions WHERE fingerprint = 'f3'")
    (folder / "journal.db").rename(folder / "kept.db")
    (folder / MENDING).write_text("kept.db")
    repair(folder, now=house.clock)
    with Store.open(folder) as store:
        assert [(row.state, row.key) for row in store.ledger.rows("f3")] == [(SubmissionState.UNKNOWN, odd)]


def test_what_stands_only_in_the_log_is_saved_too(
    house: House, folder: Path, tmp_path: Path, run: Any, clock: Any
) -> None:
    run(house.intend())
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "locks").mkdir()
    for name in ("journal.db", "journal.db-wal"):  # as a crash leaves them: the log is not folded in
        (copy / name).write_bytes((folder / name).read_bytes())
    assert (copy / "journal.db-wal").stat().st_size > 0
    spoil(copy, [page_of(copy, "digests")])
    assert repair(copy, now=clock).rows["submissions"] == 1


def test_a_folder_in_use_is_not_mended(house: House, folder: Path, clock: Any) -> None:
    with pytest.raises(StoreError, match="another process uses"):
        repair(folder, now=clock)


def test_there_must_be_something_to_mend(tmp_path: Path, clock: Any) -> None:
    with pytest.raises(StoreError, match="no journal"):
        repair(tmp_path, now=clock)
    assert os.listdir(tmp_path) == []


def test_the_journal_of_a_newer_version_is_refused_and_left_alone(full: Path, house: House) -> None:
    with contextlib.closing(sqlite3.connect(full / "journal.db")) as journal:
        journal.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreError, match="newer"):
        repair(full, now=house.clock)
    assert not list(full.glob("journal.damaged-*"))
    with contextlib.closing(sqlite3.connect(full / "journal.db")) as journal:
        assert journal.execute("PRAGMA user_version").fetchone() == (999,)
