"""What a hot folder must not do: lose a note, take up a name for ever, or stop in silence."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.app import watch as watch_module
from speedpix_pipe.emulator import EmulatorThread, Fault
from speedpix_pipe.errors import AccessError
from tests.functional.watching import SPEC, Desk, emulator, jpeg, sent, typed, until

pytestmark = pytest.mark.slow


# --- notes and names ---


def test_a_file_that_got_a_number_takes_its_note_along_when_it_is_dragged_back(
    desk: Desk, service: EmulatorThread
) -> None:
    service.add_fault(Fault("task-failed", "poll", times=2))
    for number in range(2):
        desk.drop("shoe.jpg", jpeg(number))
        assert desk.once().failed == 1
    assert "shoe-1.jpg.error.json" in desk.names(desk.failed)
    (desk.failed / "shoe-1.jpg").rename(desk.inbox / "shoe-1.jpg")
    assert desk.once().done == 1
    assert desk.names(desk.failed) == ["shoe.jpg", "shoe.jpg.error.json"]


def test_a_note_that_was_dragged_back_with_its_file_goes_and_one_of_somebody_else_stays(
    desk: Desk, service: EmulatorThread
) -> None:
    service.add_fault(Fault("task-failed", "submit", match="shoe", times=1))
    desk.drop("shoe.jpg", jpeg(1))
    assert desk.once().failed == 1
    for name in ("shoe.jpg", "shoe.jpg.error.json"):
        (desk.failed / name).rename(desk.inbox / name)
    desk.drop("hat.jpg", jpeg(2))
    desk.drop("hat.jpg.error.json", b'{"message": "of another program"}')
    assert desk.once().done == 2
    assert [name for name in desk.names(desk.inbox) if name not in {"done", "failed"}] == ["hat.jpg.error.json"]


def test_files_that_meet_in_a_step_are_not_torn_apart_for_want_of_room(tmp_path: Path) -> None:
    gather = SPEC.replace(
        "watch:",
        """  sheet:
    workflow: work
    input: {name: "sheet of ${{ steps.work.outputs | length }}"}
watch:""",
    ).replace("settle: 100ms", "settle: 100ms\n  batch: {max_files: 10, max_wait: 3s}")
    with emulator(latency=0.1) as service:
        desk = Desk(tmp_path, service, gather)
        for number in range(50):
            desk.drop(f"{number}.dat")

        async def work() -> None:
            async with desk.watching(concurrency=1):  # room for 34 files
                await until(lambda: len(desk.names(desk.done)) == 50, 100)

        asyncio.run(work())
        assert [run.total for run in desk.runs] == [11] * 5


def test_the_thousandth_file_of_a_name_is_not_looked_for_a_thousand_times(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scanner that calls everything scan.dat. Looks are counted, not timed."""
    desk.done.mkdir()
    for number in range(1000):
        (desk.done / (f"scan-{number}.dat" if number else "scan.dat")).touch()
    looks = 0
    lexists = os.path.lexists

    def counting(path: Any) -> bool:
        nonlocal looks
        looks += str(path).startswith(f"{desk.done}/scan")
        return lexists(path)

    monkeypatch.setattr(os.path, "lexists", counting)

    async def work() -> None:
        async with desk.watching():
            for number in range(1000, 1005):
                desk.drop("scan.dat", b"%d" % number)
                await until((desk.done / f"scan-{number}.dat").exists)

    asyncio.run(work())
    assert looks <= 1000 + 5 * 3


# --- what must not end in silence ---


def test_a_bug_in_a_task_of_the_watcher_ends_it_with_the_file_still_claimed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speedpix_pipe.app import batches

    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    desk.drop("a.dat")
    with monkeypatch.context() as patched:
        patched.setattr(batches, "OneRun", broken)
        with pytest.raises(KeyError, match="a bug"):
            asyncio.run(asyncio.wait_for(desk.watch(), 20))
    assert len(desk.claims) == 1
    assert desk.once().done == 1


@pytest.mark.parametrize("where", ["triggers.hotfolder.HotFolder._take", "triggers.placing.Placing._choose"])
def test_a_bug_elsewhere_ends_it_too(desk: Desk, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    desk.drop("a.dat")
    with monkeypatch.context() as patched:
        patched.setattr(f"speedpix_pipe.{where}", broken)
        with pytest.raises(KeyError, match="a bug"):
            asyncio.run(asyncio.wait_for(desk.watch(), 20))
    assert desk.once().exit_code == 0
    assert desk.names(desk.done) == ["a.dat"]
    assert desk.predictions == 1


def test_a_bug_in_the_very_first_look_ends_once_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("speedpix_pipe.triggers.hotfolder.HotFolder._look", broken)
    with pytest.raises(KeyError, match="a bug"):
        asyncio.run(asyncio.wait_for(desk.watch(once=True), 20))


def test_a_signal_ends_once_while_the_first_look_has_not_come_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("speedpix_pipe.triggers.hotfolder.HotFolder._look", stuck)

    async def work() -> None:
        async with desk.watching(once=True):
            pass

    asyncio.run(asyncio.wait_for(work(), 20))
    assert desk.outcome is not None
    assert desk.outcome.exit_code == 130


def test_a_service_that_cannot_be_reached_is_waited_for_and_nobody_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speedpix_pipe.app import batches

    monkeypatch.setattr(batches, "POSTPONED_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with emulator() as reachable:
        desk = Desk(tmp_path, reachable, SPEC.replace("defaults:", "").replace("steps:", NO_PATIENCE, 1))
        environment = {**desk.environment, "SPEEDPIX_ENDPOINT": f"http://127.0.0.1:{port}"}
        with monkeypatch.context() as patched:
            patched.setattr(Desk, "environment", environment)
            desk.drop("a.dat")
            with pytest.raises(AccessError):
                desk.once()

            async def work() -> None:
                async with desk.watching(health=tmp_path / "health.json"):
                    await until(lambda: any("files wait" in line for line in desk.lines))
                    await until(lambda: '"red"' in (tmp_path / "health.json").read_text())
                    with emulator(port=port):
                        await until((desk.done / "a.dat").exists)
                        await until(lambda: '"green"' in (tmp_path / "health.json").read_text())

            asyncio.run(work())
    assert desk.names(desk.failed) == []
    assert [run.total for run in desk.runs] == [1, 1], "the one with --once, and the one that came to its end"


NO_PATIENCE = "defaults: {retry: {attempts: 1}}\nsteps:"


def test_a_share_that_does_not_answer_turns_the_health_red(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from speedpix_pipe.triggers.scan import Tree

    scan = Tree.scan
    go_on = threading.Event()

    def hanging(self: Tree) -> Any:
        if desk.names(desk.done):
            go_on.wait(20)
        return scan(self)

    monkeypatch.setattr(Tree, "scan", hanging)
    monkeypatch.setattr(watch_module, "HANG_SECONDS", 0.5)
    health = desk.folder / "health.json"

    async def work() -> None:
        async with desk.watching(health=health):
            desk.drop("a.dat")
            await until(lambda: health.exists() and "has not come back" in health.read_text())
            go_on.set()
            await until(lambda: '"green"' in health.read_text())

    asyncio.run(work())
    assert sum("has not come back" in line for line in desk.lines) == 2, "told when it begins and when it is over"


def test_large_files_do_not_wait_until_all_of_them_have_been_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from speedpix_pipe.triggers import hotfolder

    digest = hotfolder.sha256_file

    def slowly(path: Path) -> str:
        time.sleep(0.06)
        return digest(path)

    monkeypatch.setattr(hotfolder, "sha256_file", slowly)
    for number in range(12):
        desk.drop(f"{number:02}.dat")

    async def work() -> None:
        async with desk.watching():
            await until(lambda: len(desk.names(desk.done)) == 12)

    asyncio.run(work())
    assert max(run.total for run in desk.runs) <= 3
    assert sorted(sent(desk)) == [f"{number:02}.dat" for number in range(12)]


def test_decoders_that_are_killed_are_started_again_and_no_picture_is_blamed(desk: Desk) -> None:
    with typed(desk.folder, "hot.yaml", **desk.environment) as watcher:
        desk.drop("first.jpg", jpeg(1))
        asyncio.run(until((desk.done / "first.jpg").exists, 60))
        for child in descendants(watcher.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for number in range(4):
            desk.drop(f"{number}.jpg", jpeg(number + 2))
        asyncio.run(until(lambda: len(desk.names(desk.done)) == 5, 60))
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(60) == 130
    assert desk.names(desk.failed) == []


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for listed in children for child in listed.read_text(encoding="ascii").split()]
    return [*found, *[below for child in found for below in descendants(child)]]


def test_a_folder_whose_own_name_is_no_utf_8_is_watched_as_any_other(tmp_path: Path, service: EmulatorThread) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 \xf0\x9f\x91\x9f\nx")
    folder.mkdir()
    desk = Desk(folder, service)
    desk.drop("a.dat")
    with typed(folder, "hot.yaml", "--once", "--json", "--health", "health.json", **desk.environment) as watcher:
        assert watcher.wait(60) == 0, (folder / "stderr").read_text()
    assert desk.names(desk.done) == ["a.dat"]
    assert '"done": 1' in (folder / "health.json").read_text()
