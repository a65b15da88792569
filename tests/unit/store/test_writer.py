"""Groups, order, failure: what the one writer promises."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import StoreError
from speedpix_pipe.events import Warned
from speedpix_pipe.store import Store
from speedpix_pipe.store.complaints import translated
from speedpix_pipe.store.db import write_rows

from .conftest import House


def test_who_waits_at_the_same_time_shares_commits(house: House, run: Any) -> None:
    async def main() -> None:
        before = house.store.commits
        await asyncio.gather(*(house.intend(f"f{n}") for n in range(500)))
        assert house.store.commits - before < 50

    run(main())


def test_events_alone_are_written_in_few_commits(house: House, run: Any) -> None:
    async def main() -> None:
        await house.begin()
        before = house.store.commits, house.store.rows
        for seq in range(2, 5002):
            house.store.journal.record(Warned(run_id="run-1", seq=seq, code="c", message="m"))
        await house.store.flush()
        assert house.store.rows - before[1] >= 5000
        assert house.store.commits - before[0] < 100

    run(main())


def test_each_durable_step_is_announced_before_and_after(folder: Path, clock: Any, run: Any) -> None:
    points: list[str] = []
    with Store.open(folder, now=clock, hook=points.append) as store:
        run(House(store, clock).intend())
    assert points == ["ledger.intend.committing", "ledger.intend.committed"]


def test_whatever_cannot_be_written_ends_everything_that_waits_and_all_that_follows(
    folder: Path, clock: Any, run: Any
) -> None:
    def fail(point: str) -> None:
        if point == "ledger.created.committing":
            raise OSError(5, "Input/output error")

    async def main(house: House) -> None:
        await house.begin()
        row = await house.intend()
        waits = [house.store.ledger.created(row.id, "p-1"), house.store.ledger.adopt(row.id, "run-2")]
        answers = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreError, StoreError]
        assert "Input/output error" in str(house.store.failure)
        with pytest.raises(StoreError):
            house.store.journal.record(Warned(run_id="run-1", seq=2, code="c", message="m"))
        with pytest.raises(StoreError):
            await house.intend("f2")
        with pytest.raises(StoreError):
            await house.store.journal.drain()
        found = house.store.ledger.row(row.id)
        assert found is not None
        assert found.prediction_id is None

    with Store.open(folder, now=clock, hook=fail) as store:
        run(main(House(store, clock)))


def test_a_bug_in_the_writer_hangs_nobody(folder: Path, clock: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(point: str) -> None:
        raise RuntimeError(point)

    seen: list[Any] = []
    monkeypatch.setattr("threading.excepthook", seen.append)
    with Store.open(folder, now=clock, hook=bug) as store:
        with pytest.raises(StoreError):
            run(House(store, clock).intend())
    assert [found.exc_type for found in seen] == [RuntimeError]


def test_a_full_disk_costs_the_reserve_and_not_the_id_in_flight(folder: Path, clock: Any, run: Any) -> None:
    full: list[str] = []

    def fill(point: str) -> None:
        if point == "ledger.created.committing" and not full:
            full.append(point)
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

    async def main(house: House) -> None:
        row = await house.intend()
        await house.store.ledger.created(row.id, "p-1")
        found = house.store.ledger.row(row.id)
        assert found is not None
        assert found.prediction_id == "p-1"
        assert not (folder / "reserve").exists()

    with Store.open(folder, now=clock, hook=fill) as store:
        run(main(House(store, clock)))
    Store.open(folder).close()
    assert (folder / "reserve").exists()


def test_a_disk_that_stays_full_is_named(house: House, run: Any) -> None:
    assert house.store._writer is not None
    house.store._writer._connection.execute("PRAGMA max_page_count = 1")

    async def main() -> None:
        with pytest.raises(StoreError, match="is full") as caught:
            await asyncio.gather(*(house.intend(f"f{n}") for n in range(500)))
        assert "--resume" in (caught.value.hint or "")

    run(main())


FULL = textwrap.dedent("""
    import asyncio, os, sys
    from pathlib import Path
    from speedpix_pipe.store import Store

    async def main(store):
        row = await store.ledger.intend(account="s|k", fingerprint="f", run_id="r", step="a", key="", price=None, event=None)
        with open(sys.argv[1] + "/junk", "wb", buffering=0) as junk:
            try:
                while junk.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass
        for number in range(40):
            await store.ledger.created(row.id, f"p-{number}")
            await store.ledger.intend(account="s|k", fingerprint=f"g{number}", run_id="r", step="a", key="k" * 2000, price=None, event=None)
        assert store.ledger.row(row.id).prediction_id == "p-0"
        assert not (store.folder / "reserve").exists()

    with Store.open(Path(sys.argv[1]) / ".speedpix") as store:
        assert not store.free_space_ok()
        asyncio.run(main(store))
    print("written")
""")


@pytest.mark.slow
def test_a_really_full_disk_still_takes_what_was_in_flight(tmp_path: Path) -> None:
    inside = f'mount -t tmpfs -o size=24m tmpfs {tmp_path} && exec "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", inside, "sh", sys.executable, "-c", FULL, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.stdout == "written\n", done.stderr


@pytest.mark.parametrize("count", [0, 1, 5, 256, 1000])
def test_rows_are_written_whatever_their_number(count: int) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a, b)")
    write_rows(connection, "INSERT INTO t VALUES {rows}", [(n, n * 2) for n in range(count)])
    assert connection.execute("SELECT count(*), coalesce(sum(b), 0) FROM t").fetchone() == (count, count * (count - 1))
    connection.close()


def test_complaints_of_sqlite_come_with_a_remedy(tmp_path: Path) -> None:
    class Complaint(Exception):
        def __init__(self, name: str) -> None:
            self.sqlite_errorname = name

    path = tmp_path / "journal.db"
    assert "runs repair" in (translated(Complaint("SQLITE_CORRUPT"), path).hint or "")
    assert translated(Complaint("SQLITE_FULL"), path).code == "store.full"
    assert translated(Complaint("SQLITE_BUSY_SNAPSHOT"), path).code == "store.busy"
    assert translated(Complaint("SQLITE_IOERR_FSYNC"), path).code == "store.write"


SCRIPT = textwrap.dedent("""
    import asyncio, os, sys
    from pathlib import Path
    from speedpix_pipe.store import Store

    def hook(point):
        os.write(int(sys.argv[2]), f"{point}\\n".encode())

    async def main(store):
        await store.ledger.intend(account="s|k", fingerprint="f", run_id="r", step="a", key="", price=None, event=None)
        os.write(int(sys.argv[2]), b"POST\\n")

    with Store.open(Path(sys.argv[1]), hook=hook) as store:
        asyncio.run(main(store))
""")


@pytest.mark.slow
def test_a_sync_of_the_log_stands_between_the_intent_and_what_is_sent(folder: Path, tmp_path: Path) -> None:
    """No SIGKILL can show this: the kernel keeps what was written, synced or not."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace, marks = tmp_path / "trace", tmp_path / "marks"
    descriptor = os.open(marks, os.O_CREAT | os.O_WRONLY)
    command = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", trace]
    done = subprocess.run(
        [*command, sys.executable, "-c", SCRIPT, folder, str(descriptor)],
        pass_fds=[descriptor],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(descriptor)
    if "ptrace" in done.stderr.lower():
        pytest.skip("this system does not let a process be traced")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    began = next(n for n, line in enumerate(lines) if "ledger.intend.committing" in line)
    sent = next(n for n, line in enumerate(lines) if '"POST' in line)
    syncs = [line for line in lines[began:sent] if "sync(" in line and "journal.db-wal" in line]
    assert syncs, "\n".join(lines[began : sent + 1])
