"""Small files that are held between their digest and their upload: the bytes of the digest, within a budget."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from speedpix_pipe.files import FileValue, held


@pytest.fixture
def file(tmp_path: Path) -> FileValue:
    (tmp_path / "a.bin").write_bytes(b"one")
    return FileValue.local(tmp_path / "a.bin", tmp_path)


def test_what_was_read_for_its_digest_is_given_out_once(file: FileValue) -> None:
    file.study(to_send=True)
    assert file.sha256 == hashlib.sha256(b"one").hexdigest()
    assert file.let_go() == b"one"
    assert file.let_go() is None


def test_nothing_is_held_that_nobody_sends(file: FileValue) -> None:
    file.study()
    assert file.let_go() is None


def test_a_file_that_was_written_to_since_is_read_again(file: FileValue, tmp_path: Path) -> None:
    file.study(to_send=True)
    (tmp_path / "a.bin").write_bytes(b"two")
    assert file.let_go() is None


def test_a_file_that_is_gone_is_not_given_out(file: FileValue, tmp_path: Path) -> None:
    file.study(to_send=True)
    (tmp_path / "a.bin").unlink()
    assert file.let_go() is None


def test_a_file_of_more_than_one_block_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes((1 << 20) + 1))
    large = FileValue.local(tmp_path / "large.bin", tmp_path)
    large.study(to_send=True)
    assert large.let_go() is None


def test_a_file_whose_task_is_over_holds_nothing_and_still_tells_all(file: FileValue, tmp_path: Path) -> None:
    file.study(to_send=True)
    digest = file.sha256
    file.rest()
    assert file.let_go() is None
    assert (file.known, file.sha256, file.size, file.absolute) == (True, digest, 3, tmp_path / "a.bin")


def test_all_together_stay_within_the_budget_and_give_back(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(1 << 20))
    files = [FileValue.local(tmp_path / "a.bin", tmp_path) for _ in range(10)]
    for one in files:
        one.study(to_send=True)
    facts = (tmp_path / "a.bin").stat()
    assert held.hold(bytes(1 << 20), facts) is None
    assert len([one for one in files if one.let_go() is not None]) == 2
    for one in files:
        one.study(to_send=True)  # the digest is known: nothing is read again
    assert held.hold(bytes(1 << 20), facts) is not None
