"""Hot folders on shares: answers that are not true, and reads and writes that fail for once."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.store import ArrivalState, Verdict
from speedpix_pipe.triggers import hotfolder
from speedpix_pipe.triggers.settle import Look, Signature
from tests.functional.watching import SPEC, Desk, arrivals, emulator, until

pytestmark = pytest.mark.slow
UNCACHED = SPEC.replace("    save:", "    cache: false\n    save:")


@pytest.mark.parametrize("content", [b"the only copy", b""])
def test_a_move_that_is_done_and_reported_as_failed_loses_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """A share whose answer got lost is asked again, and then knows of no such file."""
    rename = Path.rename

    def lying(self: Path, target: Path) -> Path:
        new = rename(self, target)
        if Path(target).parent in {desk.done, desk.failed}:
            raise FileNotFoundError(2, "No such file or directory")
        return new

    monkeypatch.setattr(Path, "rename", lying)
    desk.drop("shoe.dat", content)
    outcome = desk.once()
    assert outcome.done + outcome.failed == 1
    (row,) = arrivals(desk)
    assert row.state is ArrivalState.PLACED
    assert row.bytes_path.read_bytes() == content


def test_a_file_that_is_taken_out_of_its_claim_leaves_no_empty_one_behind(desk: Desk) -> None:
    def step(name: str) -> None:
        if name == "move.reserved":
            desk.claims[0].unlink()

    desk.drop("shoe.dat")
    desk.once(step=step)
    assert [(row.state, row.verdict) for row in arrivals(desk)] == [(ArrivalState.PLACED, Verdict.DONE)]
    assert desk.names(desk.done) == []


@pytest.mark.parametrize("written", [False, True])
def test_a_share_that_comes_back_with_other_numbers_brings_no_file_twice(tmp_path: Path, written: bool) -> None:
    """A copy of it stands for the share. What was written to meanwhile, in one tick of its clock, is a new arrival."""
    with emulator(latency=1.5) as service:
        desk = Desk(tmp_path, service, UNCACHED)

        async def work() -> None:
            async with desk.watching():
                desk.drop("shoe.dat", b"old")
                await until(lambda: desk.predictions == 1)
                away = desk.inbox.rename(desk.folder / "away")
                (claimed,) = away.rglob("shoe.dat")
                if written:
                    times = claimed.stat()
                    claimed.write_bytes(b"new")
                    os.utime(claimed, ns=(times.st_atime_ns, times.st_mtime_ns))
                await until(lambda: len(desk.runs) == 1)
                shutil.copytree(away, desk.folder / "copy")
                (desk.folder / "copy").rename(desk.inbox)
                await until(lambda: (desk.done / "shoe.dat").exists() and not desk.claims)

        asyncio.run(work())
        assert (desk.done / "shoe.dat").read_bytes() == (b"new" if written else b"old")
        assert len(arrivals(desk)) == desk.predictions == 1 + written
        assert any("went on changing" in line for line in desk.lines) is written


def test_a_claim_that_cannot_be_read_at_the_start_is_tried_again_and_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with emulator(latency=1.0) as service:
        desk = Desk(tmp_path, service, UNCACHED)

        async def first() -> None:
            async with desk.watching(grace_seconds=0.01):
                desk.drop("shoe.dat")
                await until(lambda: desk.predictions == 1)

        asyncio.run(first())
        failures = [OSError(5, "Input/output error")]
        digest = hotfolder.sha256_file

        def failing(path: Path) -> str:
            if failures:
                raise failures.pop()
            return digest(path)

        async def second() -> None:
            async with desk.watching():
                await until((desk.done / "shoe.dat").exists)

        monkeypatch.setattr(hotfolder, "sha256_file", failing)
        asyncio.run(second())
        trouble = "what was being worked on in inbox cannot be taken up: shoe.dat cannot be read"
        assert {trouble, f"over: {trouble}"} <= set(desk.lines)
        assert len(arrivals(desk)) == desk.predictions == 1


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("fails", ["touch", "unlink"])
def test_a_file_that_cannot_be_put_back_from_its_claim_is_taken_up_without_another_start(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fails: str, once: bool
) -> None:
    """Its writer replaced it between the last look and the claim, and the disk was too full to return it."""
    real_look, real = hotfolder.last_look, getattr(Path, fails)
    looks, failures = [1], [1]

    def look(path: str, signature: Signature) -> Look:
        found = real_look(path, signature)
        if looks:
            looks.pop()
            Path(path).unlink()
            Path(path).write_bytes(b"replaced")
        return found

    def failing(self: Path, **keys: Any) -> None:
        if failures and not looks and (self.name == ".returning" or ".speedpix-claims" in self.parts):
            failures.pop()
            raise OSError(28, "No space left on device")
        real(self, **keys)

    monkeypatch.setattr(hotfolder, "last_look", look)
    monkeypatch.setattr(Path, fails, failing)
    desk.drop("a.dat")

    async def work() -> None:
        async with desk.watching():
            await until(lambda: (desk.done / "a.dat").exists() and not desk.claims)

    if once:
        assert desk.once().done == 1
    else:
        asyncio.run(work())
    assert failures == []
    assert (desk.done / "a.dat").read_bytes() == b"replaced"
    assert desk.names(desk.inbox) == ["done"]
    assert desk.predictions == 1
