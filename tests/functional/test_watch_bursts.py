"""Many files at once: none lost, none doubled. `BURST_FILES` makes them larger (10000 by hand, 400 in CI)."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.functional.watching import Desk, emulator, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MANY = int(os.environ.get("BURST_FILES", "400"))
STALL_SECONDS = 8.0 if MANY > 1000 else 1.0


def _each_once(desk: Desk, count: int) -> None:
    sent = Counter(prediction["inputs"]["name"] for prediction in desk.emulator.predictions())
    assert len(sent) == count, "lost"
    assert set(sent.values()) == {1}, "doubled"
    assert len(desk.names(desk.done)) == count
    assert desk.claims == []


def test_a_burst_is_taken_whole_and_once(tmp_path: Path) -> None:
    with emulator() as service:
        desk = Desk(tmp_path, service)

        async def work() -> None:
            async with desk.watching():
                await asyncio.to_thread(lambda: [desk.drop(f"{number}.dat") for number in range(MANY)])
                await until(lambda: len(desk.names(desk.done)) == MANY, 800)

        asyncio.run(work())
        _each_once(desk, MANY)


def test_files_that_come_while_the_consumer_stands_still_are_found_by_the_scan(tmp_path: Path) -> None:
    with emulator() as service:
        desk = Desk(tmp_path, service)

        async def work() -> None:
            async with desk.watching():
                end = time.monotonic() + STALL_SECONDS
                for number in range(2 * MANY):
                    desk.drop(f"{number}.dat")
                time.sleep(max(0.0, end - time.monotonic()))
                await until(lambda: len(desk.names(desk.done)) == 2 * MANY, 800)

        asyncio.run(work())
        _each_once(desk, 2 * MANY)


def test_a_backlog_is_an_arrival_like_any_other(tmp_path: Path) -> None:
    with emulator() as service:
        desk = Desk(tmp_path, service)
        for number in range(MANY // 4):
            desk.drop(f"{number}.dat")
        outcome = desk.once()
        assert (outcome.exit_code, outcome.done) == (0, MANY // 4)
        _each_once(desk, MANY // 4)


def test_without_events_the_scanner_finds_everything_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from speedpix_pipe.triggers import wakeup

    monkeypatch.setattr(wakeup, "_mounts", lambda: "1 1 0:1 / / rw - nfs4 server:/ rw\n")
    with emulator() as service:
        desk = Desk(tmp_path, service)

        async def work() -> None:
            async with desk.watching(health=tmp_path / "health.json"):
                await asyncio.sleep(0.5)
                for number in range(20):
                    desk.drop(f"{number}.dat")
                await until(lambda: len(desk.names(desk.done)) == 20)
                assert '"mode": "scanning"' in (tmp_path / "health.json").read_text()

        asyncio.run(work())
        _each_once(desk, 20)
