"""Digests of claimed files: hashed when they were claimed, believed while they look the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from speedpix_pipe.triggers import base
from speedpix_pipe.triggers.base import ClaimedDigests, Guest
from speedpix_pipe.triggers.claims import Claim
from speedpix_pipe.triggers.settle import Signature


def guest(path: Path, *, still: bool = True) -> Guest:
    claim = Claim("01A", path.name, path, Signature.of(path.lstat()))
    return Guest("01A", path.name, path, claim, hashlib.sha256(path.read_bytes()).hexdigest(), 1, still=still)


def test_a_file_that_looks_as_it_did_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    digests = ClaimedDigests([guest(path)])
    monkeypatch.setattr(base, "sha256_file", lambda _: pytest.fail("read again"))
    assert digests.peek(path) == digests.digest(path) == hashlib.sha256(b"1").hexdigest()


def test_a_file_that_was_written_to_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    found = path.stat()
    digests = ClaimedDigests([guest(path)])
    while path.stat().st_ctime_ns == found.st_ctime_ns:  # some kernels move it every few milliseconds only
        path.write_bytes(b"2")
        os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))  # its size and time as before: only ctime tells
    assert digests.peek(path) is None
    assert digests.digest(path) == hashlib.sha256(b"2").hexdigest()


def test_a_file_that_had_not_stood_still_for_long_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    digests = ClaimedDigests([guest(path, still=False)])
    assert digests.peek(path) is None
    assert digests.digest(path) == hashlib.sha256(b"1").hexdigest()


def test_a_file_that_is_gone_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    digests = ClaimedDigests([guest(path)])
    path.unlink()
    assert digests.peek(path) is None
    with pytest.raises(FileNotFoundError):
        digests.digest(path)
