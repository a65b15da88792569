"""Settling: the same at every look, for `settle` of monotonic time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.triggers.settle import Look, Settling, Signature, is_being_written, last_look


def sign(size: int = 1, mtime: int = 0, inode: int = 7) -> Signature:
    return Signature(1, inode, size, mtime, mtime)


@pytest.fixture
def leases() -> Iterator[None]:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


def test_a_file_is_settled_after_standing_still_for_its_time() -> None:
    settling = Settling(2.0)
    settling.looked({"a": sign()}, 100.0)
    assert settling.settled(101.9) == []
    assert settling.next_due(101.5) == pytest.approx(0.5)
    settling.looked({"a": sign()}, 101.9)
    assert [sighting.name for sighting in settling.settled(102.0)] == ["a"]


@pytest.mark.parametrize("other", [sign(size=2), sign(mtime=5), sign(inode=8)])
def test_whatever_differs_starts_the_time_over(other: Signature) -> None:
    settling = Settling(2.0)
    settling.looked({"a": sign()}, 100.0)
    settling.looked({"a": other}, 101.0)
    assert settling.settled(102.5) == []
    assert len(settling.settled(103.0)) == 1


def test_times_of_files_are_compared_and_never_subtracted_from_now() -> None:
    """A share whose clock is a year ahead, and a machine whose clock is set back, change nothing."""
    settling = Settling(2.0)
    future = sign(mtime=10**20)
    settling.looked({"a": future}, 5.0)
    assert len(settling.settled(7.0)) == 1


def test_a_change_forgets_what_the_decoder_said() -> None:
    settling = Settling(1.0)
    settling.looked({"a": sign()}, 0.0)
    sighting = settling.waiting["a"]
    sighting.usable, sighting.fault = False, "is cut off"
    settling.looked({"a": sign(size=9)}, 0.5)
    assert (sighting.usable, sighting.fault) == (None, "")


def test_patience_is_ten_times_settle() -> None:
    settling = Settling(0.5)
    settling.looked({"a": sign()}, 0.0)
    sighting = settling.waiting["a"]
    assert not settling.out_of_patience(sighting, 4.9)
    assert settling.out_of_patience(sighting, 5.0)


def test_a_scan_is_the_whole_truth() -> None:
    settling = Settling(1.0)
    assert settling.looked({"a": sign(), "b": sign()}, 0.0) == 2
    assert settling.looked({"b": sign()}, 0.1) == 0
    assert list(settling.waiting) == ["b"]


def test_the_last_look_sees_what_a_scan_may_miss(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    seen = Signature.of(path.lstat())
    assert last_look(str(path), seen) is Look.STILL
    path.write_bytes(b"22")
    assert last_look(str(path), seen) is Look.DIFFERS
    path.unlink()
    assert last_look(str(path), seen) is Look.GONE


def test_the_last_look_follows_no_link_and_waits_for_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    assert last_look(str(tmp_path / "link"), sign()) is Look.UNREADABLE
    assert last_look(str(tmp_path / "pipe"), Signature.of((tmp_path / "pipe").lstat())) is Look.DIFFERS


def test_an_open_writer_is_seen_by_the_lease_and_a_reader_is_not(tmp_path: Path, leases: None) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with path.open("rb"):
            assert not is_being_written(descriptor)
        with path.open("ab"):
            assert is_being_written(descriptor)
        assert not is_being_written(descriptor)
    finally:
        os.close(descriptor)


def test_no_lease_is_asked_for_where_its_signal_would_kill_us(tmp_path: Path, leases: None) -> None:
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    path = tmp_path / "a"
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT)
    try:
        with path.open("ab"):
            assert not is_being_written(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.slow
def test_a_lease_is_dropped_at_once(tmp_path: Path, leases: None) -> None:
    """A held lease would make the next writer wait for up to 45 seconds."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    assert last_look(str(path), Signature.of(path.lstat())) is Look.STILL
    subprocess.run(
        [sys.executable, "-c", "import sys; open(sys.argv[1], 'ab').close()", str(path)], check=True, timeout=10
    )
