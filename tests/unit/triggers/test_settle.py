"""The last look before a claim, and the question whether somebody is still writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.triggers.settle import Look, Signature, is_being_written, last_look


@pytest.fixture
def leases() -> Iterator[None]:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


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
    assert last_look(str(tmp_path / "link"), Signature.of((tmp_path / "real").lstat())) is Look.UNREADABLE
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


def test_any_other_refusal_of_a_lease_means_nothing(
    tmp_path: Path, leases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives EACCES on the file of another user, written to or not."""
    import fcntl

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "a"
    path.write_bytes(b"1")
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert last_look(str(path), Signature.of(path.lstat())) is Look.STILL


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
