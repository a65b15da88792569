"""Many files at once: none lost, none doubled. `BURST_FILES` makes them larger (10000 by hand, 400 in CI).

The watcher is a process of its own, with real inotify; the service is another.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.watching import Desk, emulator, typed, until

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
        with typed(tmp_path, "hot.yaml", **desk.environment) as watcher:
            _until(lambda: "watching" in (tmp_path / "stderr").read_text())
            for number in range(MANY):
                desk.drop(f"{number}.dat")
            _until(lambda: len(desk.names(desk.done)) == MANY)
            _stop(watcher)
        _each_once(desk, MANY)


def test_files_that_come_while_the_watcher_stands_still_are_found_by_the_scan(tmp_path: Path) -> None:
    """It is stopped by a signal: nobody looks, nobody takes events, and with 20,000 files the kernel's queue overflows."""
    with emulator() as service:
        desk = Desk(tmp_path, service)
        with typed(tmp_path, "hot.yaml", "--health", "health.json", **desk.environment) as watcher:
            _until(lambda: '"mode": "events"' in _text(tmp_path / "health.json"))
            watcher.send_signal(signal.SIGSTOP)
            end = time.monotonic() + STALL_SECONDS
            for number in range(2 * MANY):
                desk.drop(f"{number}.dat")
            time.sleep(max(0.0, end - time.monotonic()))
            watcher.send_signal(signal.SIGCONT)
            _until(lambda: len(desk.names(desk.done)) == 2 * MANY)
            _stop(watcher)
        _each_once(desk, 2 * MANY)


def test_of_two_watchers_one_is_killed_and_the_other_takes_over_and_every_file_is_there_once(tmp_path: Path) -> None:
    with emulator(latency=0.3) as service:
        desk = Desk(tmp_path, service)
        shutil.copy(tmp_path / "hot.yaml", tmp_path / "other.yaml")
        other = {**desk.environment, "SPEEDPIX_STATE_DIR": str(tmp_path / "state of the other")}
        (tmp_path / "second").mkdir()
        with (
            typed(tmp_path, "hot.yaml", **desk.environment) as one,
            typed(tmp_path / "second", "../other.yaml", **other) as two,
        ):
            for folder in (tmp_path, tmp_path / "second"):
                _until(lambda: "watching" in _text(folder / "stderr"))  # noqa: B023 - waited for here
            for number in range(MANY):
                desk.drop(f"{number}.dat")
            _until(lambda: len(desk.names(desk.done)) >= MANY // 4 and not _idle(desk, "hot-"))
            one.kill()
            _until(lambda: _whole(desk.done) + len(desk.claims) == MANY and _idle(desk, "other-"))
            _stop(two)
        (left,) = (desk.inbox / ".speedpix-claims").iterdir()
        assert left.name.startswith("hot-"), "what a watcher has claimed is not taken without being asked"
        sent = Counter(prediction["inputs"]["name"] for prediction in desk.emulator.predictions())
        assert set(sent.values()) == {1}
        with typed(tmp_path, "other.yaml", "--once", "--take-over", left.name, **desk.environment) as third:
            third.wait(100)
        # The same state folder as that of the dead one: what it had paid for is joined, what is in doubt fails
        placed = desk.names(desk.done) + [name for name in desk.names(desk.failed) if name.endswith(".dat")]
        assert sorted(placed) == sorted(f"{number}.dat" for number in range(MANY))
        assert desk.claims == []
        sent = Counter(prediction["inputs"]["name"] for prediction in desk.emulator.predictions())
        assert set(sent.values()) == {1}, "paid twice"


def _whole(folder: Path) -> int:
    """Files with something in them: who is killed may leave the empty file by which a name was reserved."""
    return sum(path.stat().st_size > 0 for path in folder.iterdir())


def _idle(desk: Desk, watcher: str) -> bool:
    return not any(path.relative_to(desk.inbox).parts[1].startswith(watcher) for path in desk.claims)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _until(condition: Callable[[], bool]) -> None:
    asyncio.run(until(condition, 800))


def _stop(watcher: subprocess.Popen[str]) -> None:
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(60) == 130


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
