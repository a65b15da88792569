"""Moves: a reserved name, nothing replaced, nothing half there; and notes beside what failed."""

from __future__ import annotations

import errno
import itertools
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from speedpix_pipe.triggers import moving
from speedpix_pipe.triggers.naming import fitting, names
from speedpix_pipe.triggers.notes import in_words, note_of, remove_notes, write_note


def test_names_count_up_and_keep_the_ending() -> None:
    assert [path.name for path in itertools.islice(names(Path("shoe.jpg")), 3)] == [
        "shoe.jpg",
        "shoe-1.jpg",
        "shoe-2.jpg",
    ]


def test_names_of_255_bytes_are_cut_where_something_is_added() -> None:
    name = "é" * 125 + "x.jpg"
    assert len(os.fsencode(name)) == 255
    _, second = itertools.islice(names(Path(name)), 2)
    assert len(os.fsencode(second.name)) <= 255
    assert second.name.endswith("-1.jpg")
    second.name.encode()
    assert len(os.fsencode(note_of(Path(name)).name)) <= 255


def test_a_reserved_name_is_nobody_elses(tmp_path: Path) -> None:
    assert moving.reserve(tmp_path / "new/shoe.jpg", tmp_path) is not None
    assert moving.reserve(tmp_path / "new/shoe.jpg", tmp_path) is None
    path, number = moving.free_name(tmp_path / "new/shoe.jpg", {tmp_path / "new/shoe-1.jpg"})
    assert (path.name, number) == ("shoe-2.jpg", 2)


def test_a_move_covers_only_the_own_placeholder(tmp_path: Path) -> None:
    (tmp_path / "claim").write_bytes(b"1")
    moving.reserve(tmp_path / "shoe.jpg", tmp_path)
    moving.move_over(moving.Move("01A", tmp_path / "claim", tmp_path / "shoe.jpg"))
    moving.sync([tmp_path])
    assert (tmp_path / "shoe.jpg").read_bytes() == b"1"
    assert not (tmp_path / "claim").exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system at /dev/shm")
def test_across_file_systems_a_file_is_copied_whole(tmp_path: Path) -> None:
    target = Path(f"/dev/shm/speedpix-move-{os.getpid()}.jpg")
    if target.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is the same file system")
    (tmp_path / "claim").write_bytes(b"12345" * 1000)
    try:
        moving.reserve(target, tmp_path)
        moving.move_over(moving.Move("01A", tmp_path / "claim", target))
        assert target.read_bytes() == b"12345" * 1000
        assert not (tmp_path / "claim").exists()
        assert not target.with_name(".01A.part").exists()
    finally:
        target.unlink(missing_ok=True)


def between_file_systems(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)


def test_a_copy_whose_source_is_removed_and_said_not_to_be_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS does when the answer is lost and the call is repeated."""
    source, target = tmp_path / "claim", tmp_path / "shoe.jpg"
    source.write_bytes(b"the only copy")
    unlink = Path.unlink

    def lying(self: Path, *, missing_ok: bool = False) -> None:
        unlink(self)
        if self == source and not missing_ok:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    between_file_systems(monkeypatch, source)
    monkeypatch.setattr(Path, "unlink", lying)
    moving.move_over(moving.Move("01A", source, target))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"shoe.jpg": b"the only copy"}


@pytest.mark.parametrize("gone", [False, True])
def test_a_copy_is_taken_back_only_while_its_source_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    source, target = tmp_path / "claim", tmp_path / "shoe.jpg"
    source.write_bytes(b"1")
    unlink = Path.unlink

    def failing(self: Path, *, missing_ok: bool = False) -> None:
        if gone or self != source:
            unlink(self, missing_ok=missing_ok)
        if self == source:
            raise OSError(errno.EIO, "Input/output error")

    between_file_systems(monkeypatch, source)
    monkeypatch.setattr(Path, "unlink", failing)
    with pytest.raises(OSError, match="Input/output"):
        moving.move_over(moving.Move("01A", source, target))
    assert [path.name for path in tmp_path.iterdir()] == ["shoe.jpg" if gone else "claim"]


def test_a_note_says_it_in_words_and_for_machines(tmp_path: Path) -> None:
    note = write_note(
        tmp_path / "shoe.jpg",
        message=in_words("the service said no", "white@inbox/shoe.jpg", "shoe.jpg"),
        reason="the service said no",
        step="white@inbox/shoe.jpg",
        run_id="20260101T000000-abcdef",
        arrived="inbox/" + os.fsdecode(b"caf\xe9.jpg"),
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    content = json.loads(note.read_text(encoding="utf-8"))
    assert content["message"].startswith('shoe.jpg could not be finished. The step "white@inbox/shoe.jpg" says')
    assert content["file"] == "inbox/caf\\xe9.jpg"
    assert content["run_id"] == "20260101T000000-abcdef"
    assert [path.name for path in tmp_path.iterdir()] == ["shoe.jpg.error.json"]
    remove_notes([tmp_path / "shoe.jpg", tmp_path / "other.jpg"])
    assert list(tmp_path.iterdir()) == []


def test_a_hopeless_file_is_told_that_it_cost_nothing() -> None:
    assert in_words("is empty", None, "a.jpg") == (
        "a.jpg is empty. It was not processed, and nothing was charged for it."
    )


def test_a_note_speaks_the_language_of_the_watcher() -> None:
    assert in_words("is empty", None, "鞋.jpg", "zh") == "鞋.jpg：是空的。它没有被处理，也没有产生费用。"
    told = in_words("images.url: is no file", "white@inbox/shoe.jpg", "shoe.jpg", "zh")
    assert told.startswith("shoe.jpg 没有做完。步骤 “white@inbox/shoe.jpg” 的原因：images.url：不是文件。")


def test_cutting_keeps_characters_whole() -> None:
    assert fitting("é" * 127, ".x").encode()


def test_a_folder_that_is_gone_by_now_is_not_synced(tmp_path: Path) -> None:
    moving.sync([tmp_path / "gone", tmp_path])
