"""Files that are worked on by others: the same all the while, or a ChangedError."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from speedpix_pipe.files import FileValue
from speedpix_pipe.model import KeptFile
from speedpix_pipe.steps import unchanged
from speedpix_pipe.steps.service import ChangedError
from speedpix_pipe.steps.unchanged import check_unchanged, looks_before


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def file(path: Path) -> FileValue:
    return FileValue.local(path, path.parent)


def check(before: list[unchanged.Before]) -> None:
    asyncio.run(check_unchanged(before))


def test_a_file_that_nobody_touched_passes(file: FileValue) -> None:
    check(looks_before([(file, file.sha256)]))
    check([])


def test_a_file_that_changed_before_the_first_look_is_found_by_its_bytes(file: FileValue, path: Path) -> None:
    digest = file.sha256
    path.write_bytes(b"two")
    with pytest.raises(ChangedError, match="keeps changing"):
        check(looks_before([(file, digest)]))


def test_a_file_that_is_as_it_was_again_may_have_been_read_as_another(file: FileValue, path: Path) -> None:
    before = looks_before([(file, file.sha256)])
    path.write_bytes(b"two")
    path.write_bytes(b"one")
    os.utime(path, (1, 1))  # seconds later, in a test that takes none
    with pytest.raises(ChangedError):
        check(before)


def test_a_change_within_one_tick_of_the_clock_is_found_by_the_bytes(
    file: FileValue, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = looks_before([(file, file.sha256)])
    path.write_bytes(b"two")
    monkeypatch.setattr(unchanged, "same_state", lambda one, other: True)
    with pytest.raises(ChangedError):
        check(before)


@pytest.mark.parametrize("late", [False, True])
def test_a_file_that_is_gone_is_not_what_it_was(file: FileValue, path: Path, *, late: bool) -> None:
    digest = file.sha256
    if not late:
        path.unlink()
    before = looks_before([(file, digest)])
    path.unlink(missing_ok=True)
    with pytest.raises(ChangedError):
        check(before)


def test_whoever_starts_over_sees_the_file_as_it_is(file: FileValue, path: Path) -> None:
    digest = file.sha256
    path.write_bytes(b"two")
    with pytest.raises(ChangedError):
        check(looks_before([(file, digest)]))
    assert file.sha256 != digest
    check(looks_before([(file, file.sha256)]))


def test_kept_results_are_not_looked_at(tmp_path: Path) -> None:
    kept = KeptFile("image", "abcd", 9, "image/png", "png", name="a.png")
    assert looks_before([(FileValue.kept(kept, tmp_path / "abcd", None, tmp_path), "abcd")]) == []
