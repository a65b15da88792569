from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import StoreError
from speedpix_pipe.events import PredictionCreated, PredictionRequested, TaskSucceeded
from speedpix_pipe.model import Result, SubmissionState
from speedpix_pipe.store import Store, repair
from speedpix_pipe.store.folder import MENDING

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


def test_a_sound_journal_is_copied_in_full(full: Path, clock: Callable[[], Any]) -> None:
    report = repair(full, now=clock)
    assert report.complete
    assert report.rows["submissions"] == ROWS
    assert report.rebuilt == 0
    assert report.kept.exists()
    assert states(full) == whole()


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
    assert report.kept.read_bytes() == b"no database at all"
    assert states(full) == {}


def test_a_repair_that_died_is_told_and_done_again_from_the_kept_file(full: Path, clock: Callable[[], Any]) -> None:
    first = repair(full, now=clock)
    (full / MENDING).write_text(first.kept.name)
    (full / "journal.db").write_bytes(b"half of a new file")
    with pytest.raises(StoreError, match="did not come to its end"):
        Store.open(full)
    again = repair(full, now=clock)
    assert again.kept == first.kept
    assert states(full) == whole()


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
