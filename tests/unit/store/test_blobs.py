from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import StoreError
from speedpix_pipe.events import TaskSucceeded
from speedpix_pipe.model import KeptFile
from speedpix_pipe.store import Pruned, Store, blobs
from speedpix_pipe.store.locks import RunLocks, run_lives

from .conftest import House


def adopt(house: House, run: Any, content: bytes, *, idle: float = 0) -> str:
    part, sha256, size = house.blob(content)
    path = run(house.store.blobs.adopt(part, sha256, size))
    used = house.clock().timestamp() - idle
    os.utime(path, (used, used))
    return sha256


def test_a_part_becomes_a_blob_under_its_digest(house: House, run: Any) -> None:
    part, sha256, size = house.blob(b"one")
    assert not house.store.blobs.has(sha256, size)
    path = run(house.store.blobs.adopt(part, sha256, size))
    assert path == house.store.blobs.path(sha256) == house.store.folder / "blobs" / sha256
    assert path.read_bytes() == b"one"
    assert not part.exists()
    assert house.store.blobs.has(sha256, size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_adopting_again_keeps_the_first(house: House, run: Any) -> None:
    sha256 = adopt(house, run, b"one")
    inode = house.store.blobs.path(sha256).stat().st_ino
    assert adopt(house, run, b"one") == sha256
    assert house.store.blobs.path(sha256).stat().st_ino == inode


def test_many_at_once_are_all_adopted(house: House, run: Any) -> None:
    async def main() -> list[Path]:
        parts = [house.blob(b"%d" % number) for number in range(100)]
        return await asyncio.gather(*(house.store.blobs.adopt(*part) for part in parts))

    assert [path.read_bytes() for path in run(main())] == [b"%d" % number for number in range(100)]


def test_a_part_of_the_wrong_size_is_refused(house: House, run: Any) -> None:
    part, sha256, size = house.blob(b"one")
    with pytest.raises(StoreError, match="has 3 bytes and not 4"):
        run(house.store.blobs.adopt(part, sha256, size + 1))


def test_a_blob_that_lost_bytes_does_not_count_and_is_replaced(house: House, run: Any) -> None:
    sha256 = adopt(house, run, b"one")
    house.store.blobs.path(sha256).write_bytes(b"on")
    assert not house.store.blobs.has(sha256, 3)
    adopt(house, run, b"one")
    assert house.store.blobs.has(sha256, 3)


def test_pruning_takes_the_longest_unused_beyond_the_budget(house: House, run: Any) -> None:
    old, middle, new = (
        adopt(house, run, content, idle=idle) for content, idle in ((b"old", 9e5), (b"mid", 8e5), (b"new", 7e5))
    )
    assert house.store.prune(max_bytes=6) == Pruned(1, 3, 2, 6)
    blobs = house.store.blobs
    assert [blobs.path(sha256).exists() for sha256 in (old, middle, new)] == [False, True, True]


def test_a_look_counts_as_a_use(house: House, run: Any) -> None:
    first, second = adopt(house, run, b"one", idle=9e5), adopt(house, run, b"two", idle=8e5)
    assert house.store.blobs.has(first, 3)
    house.store.prune(max_bytes=3)
    assert house.store.blobs.path(first).exists()
    assert not house.store.blobs.path(second).exists()


def test_pruning_by_age_takes_what_is_older(house: House, run: Any) -> None:
    adopt(house, run, b"one", idle=9e5)
    adopt(house, run, b"two", idle=7e3)
    assert house.store.prune(max_bytes=None, max_age=timedelta(days=1)) == Pruned(1, 3, 1, 3)


def test_what_was_used_within_the_hour_is_never_pruned(house: House, run: Any) -> None:
    adopt(house, run, b"one", idle=3000)
    assert house.store.prune(max_bytes=0).files == 0


def test_what_was_used_while_the_clock_was_ahead_is_pruned_an_hour_after_that_is_seen(house: House, run: Any) -> None:
    ahead = adopt(house, run, b"one", idle=-365 * 86400)
    assert house.store.prune(max_bytes=0).files == 0, "it may be in use this very moment"
    house.clock.pass_seconds(3601)
    assert house.store.prune(max_bytes=0).files == 1
    assert not house.store.blobs.has(ahead, 3)


def test_a_use_after_the_clock_was_put_right_has_the_right_time(house: House, run: Any) -> None:
    ahead = adopt(house, run, b"one", idle=-365 * 86400)
    assert house.store.blobs.has(ahead, 3)
    assert house.store.blobs.path(ahead).stat().st_mtime == pytest.approx(house.clock().timestamp())


def test_what_an_unfinished_run_needs_is_never_pruned(house: House, run: Any) -> None:
    sha256 = adopt(house, run, b"one", idle=9e5)
    file = KeptFile(place="", sha256=sha256, size=3, media_type="", extension="png")

    async def main() -> None:
        await house.begin()
        house.store.journal.record(TaskSucceeded(run_id="run-1", seq=2, step="a", key="", seconds=1.0, files=(file,)))
        await house.store.flush()

    run(main())
    assert house.store.prune(max_bytes=0).files == 0
    assert house.store.blobs.path(sha256).exists()


def test_a_use_in_the_moment_of_pruning_saves_the_blob(house: House, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = adopt(house, run, b"one", idle=9e5)
    rename = Path.rename

    def use_first(path: Path, target: Path) -> Path:
        monkeypatch.undo()
        assert house.store.blobs.has(sha256, 3)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", use_first)
    assert house.store.prune(max_bytes=0).files == 0
    assert house.store.blobs.path(sha256).read_bytes() == b"one"


def test_a_removal_that_another_prune_died_in_is_finished(house: House, run: Any) -> None:
    sha256 = adopt(house, run, b"one", idle=9e5)
    path = house.store.blobs.path(sha256)
    path.rename(path.with_name(f"{path.name}.1.2"))
    assert house.store.prune() == Pruned(0, 0, 0, 0)
    assert list(path.parent.iterdir()) == []


def test_so_it_is_where_the_clock_was_ahead(house: House, run: Any) -> None:
    path = house.store.blobs.path(adopt(house, run, b"one", idle=-7200))
    path.rename(path.with_name(f"{path.name}.1.1"))
    assert house.store.prune() == Pruned(0, 0, 0, 0)
    assert list(path.parent.iterdir()) == []


def test_the_next_start_removes_the_work_of_dead_runs_only(house: House, folder: Path, run: Any) -> None:
    run(house.begin("alive"))
    for name in ("alive", "dead"):
        (house.store.blobs.work_folder(name) / "half").write_bytes(b"half")
    with Store.open(folder):
        pass
    assert [entry.name for entry in (folder / "work").iterdir()] == ["alive"]


def test_work_that_is_no_runs_stays_while_its_process_is_there(house: House, folder: Path) -> None:
    with house.store.presence() as name:
        half = house.store.blobs.work_folder(name) / "half"
        half.write_bytes(b"half")
        with Store.open(folder), Store.open(folder):
            pass
        assert half.read_bytes() == b"half"
    assert list((folder / "work").iterdir()) == []
    assert not list((folder / "locks").glob("run-*"))


def test_what_a_killed_process_left_goes_with_its_lock(house: House, folder: Path) -> None:
    (house.store.blobs.work_folder("shared-0123") / "half").write_bytes(b"half")
    (folder / "locks" / "run-shared-0123").touch()
    with Store.open(folder):
        pass
    assert list((folder / "work").iterdir()) == []
    assert not list((folder / "locks").glob("run-*"))


def test_who_takes_a_run_up_again_waits_until_its_work_is_swept(
    house: House, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.store.blobs.work_folder("run-1")
    remove, seen = blobs._remove, []

    def look(work: Path) -> None:
        with (folder / "locks" / "run-run-1").open("rb") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as `RunLocks.take` does, which would wait
        seen.append(run_lives(folder, "run-1"))
        remove(work)

    monkeypatch.setattr(blobs, "_remove", look)
    with Store.open(folder):
        pass
    assert seen == [False], "and nobody who asks meanwhile takes it for alive"
    assert not list((folder / "locks").glob("run-*"))


def test_a_run_that_is_taken_up_in_the_moment_of_sweeping_keeps_its_work(house: House, folder: Path, run: Any) -> None:
    half = house.store.blobs.work_folder("run-1") / "half"
    half.write_bytes(b"half")
    locks = RunLocks(folder)

    @contextmanager
    def just_before(run_id: str) -> Iterator[bool]:
        run(house.begin(run_id))
        with locks.dead(run_id) as dead:
            yield dead

    house.store.blobs.sweep(just_before)
    assert half.read_bytes() == b"half"


def test_the_digest_of_a_blob_is_that_of_its_bytes(house: House, run: Any) -> None:
    sha256 = adopt(house, run, b"three")
    assert hashlib.sha256(house.store.blobs.path(sha256).read_bytes()).hexdigest() == sha256
