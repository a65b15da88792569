from __future__ import annotations

import asyncio
import errno
import gc
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.errors import StoreError, TaskError, TaskErrorKind
from speedpix_pipe.events import RunFinished
from speedpix_pipe.model import RunStatus
from speedpix_pipe.store import Published, PublishedKind, Store, copying, outputs
from speedpix_pipe.store.syncing import alone

from .conftest import House

Kind = PublishedKind


def kept(house: House, content: bytes) -> tuple[Path, str, int]:
    part, sha256, size = house.blob(content)
    return alone(house.store.blobs.adopting(part, sha256, size, set())), sha256, size


def publish(
    house: House, run: Any, content: bytes, target: Path, run_id: str = "run-1", *, verify: bool = False
) -> Published:
    blob, sha256, size = kept(house, content)
    published: Published = run(
        house.store.outputs.publish(blob, target, sha256=sha256, run_id=run_id, size=size, verify=verify)
    )
    assert published.path == target
    return published


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "white"


def test_a_new_file_appears_whole_with_its_folders(house: House, run: Any, out: Path) -> None:
    assert publish(house, run, b"one", out / "a.png").kind is Kind.NEW
    assert (out / "a.png").read_bytes() == b"one"
    assert names(out) == ["a.png"]
    assert house.store.outputs.recorded(out / "a.png") == hashlib.sha256(b"one").hexdigest()


def test_a_new_file_has_the_rights_that_the_user_gives_to_files(house: House, run: Any, out: Path) -> None:
    before = os.umask(0o027)
    try:
        publish(house, run, b"one", out / "a.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((out / "a.png").stat().st_mode) == 0o640


def current(house: House, target: Path, sha256: str) -> bool:
    record = house.store.outputs.records([target]).get(target)
    return record is not None and house.store.outputs.current(target, sha256, record)


def test_the_same_result_again_changes_nothing(house: House, run: Any, out: Path) -> None:
    publish(house, run, b"one", out / "a.png")
    before = (out / "a.png").stat()
    assert publish(house, run, b"one", out / "a.png").kind is Kind.SAME
    sha256 = hashlib.sha256(b"one").hexdigest()
    assert current(house, out / "a.png", sha256)
    assert not current(house, out / "a.png", "other")
    assert not current(house, out / "b.png", sha256)
    (out / "a.png").touch()
    assert not current(house, out / "a.png", sha256)
    assert publish(house, run, b"one", out / "a.png").kind is Kind.SAME
    assert (out / "a.png").stat().st_ino == before.st_ino


def test_an_equal_file_of_unknown_origin_is_taken_for_ours(house: House, run: Any, out: Path) -> None:
    out.mkdir(parents=True)
    (out / "a.png").write_bytes(b"one")
    assert publish(house, run, b"one", out / "a.png").kind is Kind.SAME
    assert publish(house, run, b"two", out / "a.png").kind is Kind.REPLACED
    assert names(out) == ["a.png"]


def test_a_deleted_file_is_restored(house: House, run: Any, out: Path) -> None:
    publish(house, run, b"one", out / "a.png")
    (out / "a.png").unlink()
    assert publish(house, run, b"one", out / "a.png", verify=True).kind is Kind.RESTORED
    (out / "a.png").unlink()
    assert publish(house, run, b"one", out / "a.png").kind is Kind.NEW, "made anew"
    assert (out / "a.png").read_bytes() == b"one"


def test_our_own_older_result_is_replaced(house: House, run: Any, out: Path) -> None:
    publish(house, run, b"one", out / "a.png")
    published = publish(house, run, b"two", out / "a.png")
    assert (published.kind, published.moved_aside) == (Kind.REPLACED, None)
    assert (out / "a.png").read_bytes() == b"two"
    assert names(out) == ["a.png"]


def test_an_edited_file_is_left_alone_while_the_result_is_the_same(house: House, run: Any, out: Path) -> None:
    publish(house, run, b"one", out / "a.png")
    (out / "a.png").write_bytes(b"mine")
    for _ in range(2):
        assert publish(house, run, b"one", out / "a.png").kind is Kind.CHANGED
    assert (out / "a.png").read_bytes() == b"mine"


def test_an_edited_file_is_moved_aside_for_a_new_result(house: House, run: Any, out: Path) -> None:
    for number, content in enumerate([b"one", b"two", b"three"], start=1):
        published = publish(house, run, content, out / "a.png")
        assert published.moved_aside == (out / f"a.edited-{number - 1}.png" if number > 1 else None)
        (out / "a.png").write_bytes(b"mine %d" % number)
    assert names(out) == ["a.edited-1.png", "a.edited-2.png", "a.png"]
    assert (out / "a.edited-1.png").read_bytes() == b"mine 1"
    assert (out / "a.edited-2.png").read_bytes() == b"mine 2"


def test_an_edit_of_equal_size_and_time_is_still_an_edit(house: House, run: Any, out: Path) -> None:
    publish(house, run, b"one", out / "a.png")
    was = (out / "a.png").stat()
    (out / "b.png").write_bytes(b"two")
    os.utime(out / "b.png", ns=(was.st_atime_ns, was.st_mtime_ns))
    (out / "b.png").rename(out / "a.png")  # as editors save
    assert publish(house, run, b"one", out / "a.png").kind is Kind.CHANGED


def test_foreign_bytes_are_moved_aside_and_a_link_is_not_followed(
    house: House, run: Any, out: Path, tmp_path: Path
) -> None:
    out.mkdir(parents=True)
    (tmp_path / "precious").write_bytes(b"precious")
    (out / "a.png").symlink_to(tmp_path / "precious")
    published = publish(house, run, b"one", out / "a.png")
    assert published == Published(Kind.REPLACED, out / "a.png", out / "a.edited-1.png")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (out / "a.png").read_bytes() == b"one"


def test_editing_an_output_leaves_the_kept_copy_as_it_was(house: House, run: Any, out: Path) -> None:
    publish(house, run, b"one", out / "a.png")
    with (out / "a.png").open("r+b") as file:
        file.write(b"ONE")
    assert house.store.blobs.path(hashlib.sha256(b"one").hexdigest()).read_bytes() == b"one"


@pytest.mark.parametrize(
    "name",
    [
        "caf\u00e9.png",
        "阿里云.png",
        "名" * 83 + ".png",
        "x" * 251 + ".png",
        "\udcff.png",
        ".hidden",
        "x" * 255,
        "🖼" * 62 + ".webp",
    ],
)
def test_any_name_that_fits_is_saved_under_exactly_that_name(house: House, run: Any, out: Path, name: str) -> None:
    publish(house, run, b"one", out / name)
    assert names(out) == [name]
    (out / name).write_bytes(b"mine")
    aside = publish(house, run, b"two", out / name).moved_aside
    assert aside is not None
    assert aside.read_bytes() == b"mine"
    assert ".edited-1" in aside.name
    assert len(os.fsencode(aside.name)) <= 255


def test_the_two_forms_of_an_accent_are_two_files(house: House, run: Any, out: Path) -> None:
    publish(house, run, b"one", out / "caf\u00e9.png")
    assert publish(house, run, b"two", out / "cafe\u0301.png").kind is Kind.NEW
    assert len(names(out)) == 2


@pytest.mark.parametrize("refusal", sorted(copying._NO_REFLINK), ids=errno.errorcode.get)
def test_a_file_system_that_cannot_share_blocks_gets_a_copy(
    house: House, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    asked = []

    def refuse(target: int, request: int, source: int) -> None:
        asked.append((request, os.fstat(source).st_size, os.fstat(target).st_size))
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(copying.fcntl, "ioctl", refuse)
    content = os.urandom(3_000_000)
    blob, _, _ = kept(house, content)
    assert publish(house, run, content, out / "a.png").kind is Kind.NEW
    assert asked == [(copying._FICLONE, len(content), 0)]
    assert (out / "a.png").read_bytes() == content
    assert not (out / "a.png").samefile(blob)
    with (out / "a.png").open("r+b") as file:  # an editor that writes in place
        file.write(b"mine")
    assert blob.read_bytes() == content


def test_a_full_disk_is_no_reason_to_copy_instead(
    house: House, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(copying.fcntl, "ioctl", full)
    with pytest.raises(TaskError, match="the disk is full"):
        publish(house, run, b"one", out / "a.png")
    assert names(out) == []


def test_without_reflinks_and_kernel_copies_the_bytes_are_the_same(
    house: House, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(3 << 20)
    monkeypatch.setattr(outputs, "reflink", lambda source, target: False)
    publish(house, run, content, out / "a.bin")

    def refuse(*_: int) -> int:
        raise OSError(errno.EXDEV, "no")

    monkeypatch.setattr(copying.os, "copy_file_range", refuse)
    publish(house, run, content, out / "b.bin")
    assert (out / "a.bin").read_bytes() == (out / "b.bin").read_bytes() == content


def test_without_hard_links_nothing_is_lost_either(
    house: House, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Path) -> None:
        raise OSError(errno.EPERM, "no")

    monkeypatch.setattr(outputs.os, "link", refuse)
    assert publish(house, run, b"one", out / "a.png").kind is Kind.NEW
    (out / "a.png").write_bytes(b"mine")
    assert publish(house, run, b"two", out / "a.png").moved_aside == out / "a.edited-1.png"
    assert names(out) == ["a.edited-1.png", "a.png"]


def test_who_writes_there_this_very_moment_is_not_overwritten(folder: Path, run: Any, out: Path, clock: Any) -> None:
    points: list[str] = []

    def write(point: str) -> None:
        points.append(point)
        if points.count("output.synced") == 1 and point == "output.synced":
            (out / "a.png").write_bytes(b"mine")

    with Store.open(folder, now=clock, hook=write) as store:
        published = publish(House(store, clock), run, b"one", out / "a.png")
    assert published.moved_aside == out / "a.edited-1.png"
    assert (out / "a.edited-1.png").read_bytes() == b"mine"
    assert (out / "a.png").read_bytes() == b"one"


def test_a_program_that_never_stops_writing_there_wins(folder: Path, run: Any, out: Path, clock: Any) -> None:
    def write(point: str) -> None:
        if point == "output.synced":
            (out / "a.png").write_bytes(b"mine")

    with Store.open(folder, now=clock, hook=write) as store:
        with pytest.raises(TaskError, match="another program keeps writing there"):
            publish(House(store, clock), run, b"one", out / "a.png")
    assert not [name for name in names(out) if name.endswith(".part")]


# --- kept files that rot -------------------------------------------------------------------------


def verified(house: House, blob: Path, sha256: str, *targets: Path) -> list[Any]:
    """What comes of publishing a kept file to these, at once, after reading it."""

    async def main() -> list[Any]:
        publish = house.store.outputs.publish
        works = [publish(blob, target, sha256=sha256, run_id="run-1", size=3, verify=True) for target in targets]
        return await asyncio.gather(*works, return_exceptions=True)

    return asyncio.run(main())


def test_a_kept_file_that_has_rotted_is_thrown_away(house: House, out: Path) -> None:
    blob, sha256, _ = kept(house, b"one")
    blob.write_bytes(b"0ne")
    (error,) = verified(house, blob, sha256, out / "a.png")
    assert (type(error), error.code) == (StoreError, "store.spoiled")
    assert not blob.exists()
    assert not out.exists()


def test_of_two_who_find_it_rotted_both_fetch_it_again(house: House, out: Path) -> None:
    blob, sha256, _ = kept(house, b"one")
    blob.write_bytes(b"0ne")
    errors = verified(house, blob, sha256, out / "a.png", out / "b.png")
    assert [(type(error), error.code) for error in errors] == [(StoreError, "store.spoiled")] * 2


def test_what_was_fetched_anew_stays_while_somebody_still_reads_what_has_rotted(
    house: House, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob, sha256, _ = kept(house, b"one")
    blob.write_bytes(b"0ne")
    file_digest = hashlib.file_digest

    def slowly(file: Any, name: str) -> Any:
        blob.unlink()
        kept(house, b"one")
        return file_digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", slowly)
    (error,) = verified(house, blob, sha256, out / "a.png")
    assert error.code == "store.spoiled"
    assert blob.read_bytes() == b"one"


# --- several at once -----------------------------------------------------------------------------


class Gate:
    """A hook that holds a thread at a durable step until it is opened."""

    def __init__(self, point: str) -> None:
        self._point = point
        self._reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, point: str) -> None:
        if point == self._point and not self._open.is_set():
            self._reached.set()
            assert self._open.wait(30)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 30)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Gate:
    return Gate("output.synced")


@pytest.fixture
def held(folder: Path, clock: Any, gate: Gate) -> Iterator[House]:
    """A store whose first publication waits at the gate."""
    with Store.open(folder, now=clock, hook=gate) as store:
        yield House(store, clock)


def begun(house: House, content: bytes, target: Path) -> asyncio.Task[Published]:
    blob, sha256, size = kept(house, content)
    return asyncio.create_task(
        house.store.outputs.publish(blob, target, sha256=sha256, run_id=f"run-{content.decode()}", size=size)
    )


def test_of_results_that_come_at_once_none_is_taken_for_a_users(house: House, run: Any, out: Path) -> None:
    async def main() -> list[Published]:
        return await asyncio.gather(*(begun(house, content, out / "a.png") for content in (b"one", b"two", b"three")))

    for first in (Kind.NEW, Kind.REPLACED):
        published = run(main())
        assert [one.kind for one in published] == [first, Kind.REPLACED, Kind.REPLACED]
        assert [one.moved_aside for one in published] == [None] * 3
        assert names(out) == ["a.png"]
        assert (out / "a.png").read_bytes() == b"three"
    assert not house.store.outputs._turns, "nothing is remembered of them"


def test_equal_results_that_come_at_once_are_one_file(house: House, run: Any, out: Path) -> None:
    async def main() -> list[Published]:
        return await asyncio.gather(*(begun(house, b"one", out / "a.png") for _ in range(3)))

    assert [one.kind for one in run(main())] == [Kind.NEW, Kind.SAME, Kind.SAME]


def test_who_is_cancelled_while_it_waits_for_another_lets_the_next_one_go_on(
    held: House, gate: Gate, run: Any, out: Path
) -> None:
    async def main() -> Published:
        first, second, third = (begun(held, content, out / "a.png") for content in (b"one", b"two", b"three"))
        await gate.reached()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.open()
        await first
        return await third

    published = run(main())
    assert (published.kind, published.moved_aside) == (Kind.REPLACED, None)
    assert (out / "a.png").read_bytes() == b"three"
    gc.collect()  # an exception's frames
    assert not held.store.outputs._turns


def test_who_is_cancelled_while_it_writes_ends_that_and_its_bytes_are_known_as_ours(
    held: House, gate: Gate, run: Any, out: Path
) -> None:
    async def main() -> Published:
        first, second = (begun(held, content, out / "a.png") for content in (b"one", b"two"))
        await gate.reached()
        for _ in range(2):  # who is in a hurry may say so twice
            first.cancel()
            await asyncio.wait({first}, timeout=0)
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    published = run(main())
    assert (published.kind, published.moved_aside) == (Kind.REPLACED, None)
    assert names(out) == ["a.png"]


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "its file system is read-only"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_target_that_cannot_be_written_says_why(
    house: House, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    blob, sha256, size = kept(house, b"one")

    def refuse(*_: Any) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(outputs, "make_folders", refuse)
    with pytest.raises(TaskError) as caught:
        run(house.store.outputs.publish(blob, out / "a.png", sha256=sha256, run_id="run-1", size=size))
    assert caught.value.kind is TaskErrorKind.OUTPUT
    assert caught.value.message == f"cannot save {out / 'a.png'}: {reason}"
    assert caught.value.code == "task.cannot-save"
    assert not out.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; the functional tests mount it read-only")
def test_a_folder_without_write_permission_says_so(house: House, run: Any, out: Path) -> None:
    out.mkdir(parents=True)
    out.chmod(0o500)
    with pytest.raises(TaskError, match="permission denied"):
        publish(house, run, b"one", out / "a.png")


def test_a_folder_of_that_name_is_in_the_way(house: House, run: Any, out: Path) -> None:
    (out / "a.png").mkdir(parents=True)
    with pytest.raises(TaskError, match="a folder has this name"):
        publish(house, run, b"one", out / "a.png")


def test_a_kept_file_that_lost_bytes_is_not_published(house: House, run: Any, out: Path) -> None:
    blob, sha256, _ = kept(house, b"one")
    with pytest.raises(StoreError, match="not whole"):
        run(house.store.outputs.publish(blob, out / "a.png", sha256=sha256, run_id="run-1", size=7))
    assert not out.exists()


def test_only_parts_of_the_named_runs_are_swept(house: House, tmp_path: Path) -> None:
    for name in (".a.png.run-1.part", ".b.png.run-2.part", "c.run-1.part", ".d.part", "e.png"):
        (tmp_path / name).write_bytes(b"half")
    assert house.store.outputs.sweep_parts(tmp_path, {"run-1"}) == 1
    assert house.store.outputs.sweep_parts(tmp_path / "gone", {"run-1"}) == 0
    left = [name for name in names(tmp_path) if name != ".speedpix"]
    assert left == [".b.png.run-2.part", ".d.part", "c.run-1.part", "e.png"]


def test_the_next_start_sweeps_what_a_dead_run_left_wherever_it_wrote(
    house: House, folder: Path, run: Any, out: Path
) -> None:
    publish(house, run, b"one", out / "a.png", "dead")
    run(house.begin("alive"))
    publish(house, run, b"one", out / "b.png", "alive")
    (out / ".c.png.dead.part").write_bytes(b"half")
    (out / ".d.png.alive.part").write_bytes(b"half")
    with Store.open(folder):
        pass
    assert names(out) == [".d.png.alive.part", "a.png", "b.png"]


def test_a_run_that_was_forgotten_and_goes_on_is_swept_like_any_other(
    house: House, folder: Path, run: Any, out: Path
) -> None:
    publish(house, run, b"one", out / "a.png", "again")
    house.store.outputs.forget("again")
    publish(house, run, b"two", out / "b.png", "again")
    (out / ".c.png.again.part").write_bytes(b"half")
    with Store.open(folder):
        pass
    assert names(out) == ["a.png", "b.png"]


def test_a_run_that_is_taken_up_in_the_moment_of_sweeping_keeps_its_parts(
    house: House, folder: Path, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(house, run, b"one", out / "a.png", "again")
    (out / ".b.png.again.part").write_bytes(b"half")
    sweep_parts = outputs.Outputs.sweep_parts

    def taken_up(self: Any, where: Path, run_ids: Any) -> int:
        assert run_ids == {"again"}
        run(house.begin("again"))
        return sweep_parts(self, where, run_ids)

    monkeypatch.setattr(outputs.Outputs, "sweep_parts", taken_up)
    with Store.open(folder):
        pass
    assert names(out) == [".b.png.again.part", "a.png"]
    run(
        house.store.journal.finish_run(
            RunFinished(
                run_id="again", seq=2, at=house.clock(), status=RunStatus.CANCELLED, resumable=True, seconds=1.0
            )
        )
    )
    monkeypatch.undo()
    with Store.open(folder):  # its folder was not forgotten
        pass
    assert names(out) == ["a.png"]


def test_a_folder_that_many_runs_wrote_to_is_looked_at_once(
    house: House, folder: Path, run: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        publish(house, run, b"one", out / f"{number}.png", f"run-{number}")
        (out / f".{number}.png.run-{number}.part").write_bytes(b"half")
    looks = []
    scandir = os.scandir

    def look(path: Any) -> Any:
        looks.append(path)
        return scandir(path)

    monkeypatch.setattr(outputs.os, "scandir", look)
    with Store.open(folder):
        pass
    assert looks.count(out) == 1
    assert names(out) == ["0.png", "1.png", "2.png"]
