"""SIGKILL at each point of a claim, a verdict and a move; then a start. Nothing lost, nothing doubled, nothing paid twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.emulator import EmulatorThread, Fault
from tests.functional.watching import SPEC, Desk, created, emulator

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("watch_and_die.py")
STEPS = [
    *("claim.folder", "claim.renamed", "claim.unwritten", "claim.journaled", "batch.journaled"),
    *("verdict.unwritten", "verdict.journaled"),
    *("move.journaled", "move.reserved", "move.noted", "move.renamed", "move.placed"),
]
FILES = [f"{number}.dat" for number in range(6)]


@pytest.fixture
def service() -> Iterator[EmulatorThread]:
    with emulator() as thread:
        yield thread


def _watch(desk: Desk, step: str = "none", nth: int = 1) -> int:
    environment = {**os.environ, **desk.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(desk.folder), step, str(nth)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def _all_is_well(desk: Desk, failed: str) -> None:
    assert desk.claims == []
    assert desk.names(desk.failed) == [failed, f"{failed}.error.json"]
    assert desk.names(desk.done) == [name for name in FILES if name != failed]
    for folder in (desk.done, desk.failed):
        for path in folder.glob("*.dat"):
            assert path.read_bytes() == path.name.encode()
    assert [name for name in desk.names(desk.inbox) if name.endswith(".dat")] == []


@pytest.mark.parametrize(("step", "nth"), [*[(step, 1) for step in STEPS], ("claim.renamed", 3), ("move.renamed", 3)])
def test_a_watcher_killed_anywhere_loses_nothing_and_pays_once(
    tmp_path: Path, service: EmulatorThread, step: str, nth: int
) -> None:
    desk = Desk(tmp_path, service)
    service.add_fault(Fault("task-failed", "submit", match="4.dat", times=0))
    for name in FILES:
        desk.drop(name)
    assert _watch(desk, step, nth) == -9
    _watch(desk)
    _all_is_well(desk, "4.dat")
    inputs = [prediction["inputs"]["name"] for prediction in service.predictions()]
    paid = [name for name in inputs if name != "4.dat"]
    assert sorted(paid) == sorted(name for name in FILES if name != "4.dat")


@pytest.mark.parametrize("step", ["move.renamed", "move.placed"])
def test_the_note_of_a_failure_goes_with_the_next_arrival_though_its_watcher_is_killed(
    tmp_path: Path, service: EmulatorThread, step: str
) -> None:
    desk = Desk(tmp_path, service)
    service.add_fault(Fault("task-failed", "poll"))
    desk.drop("a.dat")
    _watch(desk)
    (desk.failed / "a.dat").rename(desk.inbox / "a.dat")
    assert desk.names(desk.failed) == ["a.dat.error.json"]
    assert _watch(desk, step) == -9
    _watch(desk)
    assert (desk.names(desk.done), desk.names(desk.failed), desk.claims) == (["a.dat"], [], [])


@pytest.mark.parametrize("step", ["move.copied", "move.arrived", "move.renamed"])
def test_a_move_to_another_file_system_survives_a_kill(service: EmulatorThread, tmp_path: Path, step: str) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    finished = other / f"speedpix-{os.getpid()}-{step}"
    try:
        desk = Desk(tmp_path, service, SPEC + f"  on_success: {{move: {finished}}}\n")
        desk.drop("a.dat")
        assert _watch(desk, step) == -9
        assert _watch(desk) == 0
        assert desk.claims == []
        whole = [path for path in finished.iterdir() if not path.name.startswith(".")]
        assert [path.read_bytes() for path in whole] == [b"a.dat"]
        assert desk.predictions == 1
    finally:
        subprocess.run(["rm", "-rf", str(finished)], check=True)


def test_a_watcher_killed_while_predictions_are_out_joins_them(tmp_path: Path) -> None:
    with emulator(latency=3.0) as service:
        desk = Desk(tmp_path, service, SPEC.replace("    input:", "    cache: false\n    input:"))
        for name in FILES:
            desk.drop(name)
        environment = {**os.environ, **desk.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        watcher = subprocess.Popen([sys.executable, str(SCRIPT), str(tmp_path), "none", "1"], env=environment)
        try:
            while created(desk) < len(FILES):
                assert watcher.poll() is None
        finally:
            watcher.kill()
            watcher.wait()
        assert _watch(desk) == 0
        assert desk.predictions == len(FILES), "steps without a cache find their own predictions again, too"
        assert desk.names(desk.done) == FILES


def test_a_burst_with_kills_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, service: EmulatorThread) -> None:
    desk = Desk(tmp_path, service)
    names = [f"{number:03}.dat" for number in range(150)]
    for name in names:
        desk.drop(name)
    environment = {**os.environ, **desk.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    for wanted in (1, 20, 50, 90):
        watcher = subprocess.Popen([sys.executable, str(SCRIPT), str(tmp_path), "none", "1"], env=environment)
        while desk.predictions < wanted and watcher.poll() is None:
            pass
        watcher.kill()
        watcher.wait()
    _watch(desk)
    assert desk.claims == []
    placed = [path.name for folder in (desk.done, desk.failed) if folder.is_dir() for path in folder.glob("*.dat")]
    assert sorted(placed) == names
    sent = [prediction["inputs"]["name"] for prediction in service.predictions()]
    assert len(sent) == len(set(sent)), "paid twice"
    unknown = [path.name for path in desk.failed.glob("*.dat")] if desk.failed.is_dir() else []
    assert all("accepted" in desk.note(name)["message"] for name in unknown)


@pytest.mark.parametrize("step", ["batch.journaled", "verdict.journaled", "move.journaled"])
def test_a_file_that_is_written_to_after_its_watcher_was_killed_is_a_new_arrival(
    tmp_path: Path, service: EmulatorThread, step: str
) -> None:
    desk = Desk(tmp_path, service)
    desk.drop("a.dat", b"first")
    assert _watch(desk, step) == -9
    (claimed,) = desk.claims
    with claimed.open("ab") as late:
        late.write(b" and more")
    _watch(desk)  # takes it up, and puts it back
    _watch(desk)
    assert desk.claims == []
    assert [path.read_bytes() for path in desk.done.iterdir()] == [b"first and more"]
    assert desk.names(desk.inbox) == ["done"]


@pytest.mark.parametrize("step", ["back.marked", "back.given", "back.taken"])
def test_a_file_that_is_being_put_back_when_its_watcher_is_killed_is_there_once(
    tmp_path: Path, service: EmulatorThread, step: str
) -> None:
    desk = Desk(tmp_path, service)
    desk.drop("a.dat", b"first")
    assert _watch(desk, "verdict.journaled") == -9
    (claimed,) = desk.claims
    claimed.write_bytes(b"first and more")
    assert _watch(desk, step) == -9
    _watch(desk)
    _watch(desk)
    assert desk.claims == []
    assert [path.read_bytes() for path in desk.done.iterdir()] == [b"first and more"]
    assert desk.predictions == 2, "one for each content"
