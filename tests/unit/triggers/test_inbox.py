"""One root while it is looked at: how often, and whether it is still the same. Time is virtual, folders are real."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.model import Mark, Watch
from speedpix_pipe.triggers import inbox as inbox_module
from speedpix_pipe.triggers.health import Health
from speedpix_pipe.triggers.inbox import ADOPT_SECONDS, LONGEST, QUICKEST, SHORTEST, Inbox
from speedpix_pipe.triggers.places import Places
from speedpix_pipe.triggers.scan import Found, Tree


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


async def whole(path: str) -> None:
    """Every picture is one."""


class Root:
    """An inbox of a folder, and the things that it is asked for."""

    def __init__(self, folder: Path, settle: float = 2.0, verify: Callable[[str], Awaitable[object]] = whole) -> None:
        self.folder = folder
        self.clock = Clock()
        self.lines: list[str] = []
        self.ours: bool | None = None
        watch = Watch("root", "photos", Mark("hot.yaml", 1, 1), settle_seconds=settle)
        places = Places(folder, folder / "done", folder / "failed", "root")
        self.inbox = Inbox(
            watch,
            places,
            Tree(str(folder), ["*"], []),
            clock=self.clock,
            verify=verify,
            health=Health(None, self.clock.now, self.lines.append),
            nudge=lambda: None,
            watch_over=lambda task: None,
            may=lambda _: True,
            recognized=lambda: self.ours,
        )

    async def find(self) -> bool:
        found = await self.inbox.find()
        if found:
            self.inbox.arrived()
        return found

    async def look(self, after: float) -> float:
        """A look after some seconds; seconds until the next."""
        self.clock.seconds += after
        await self.inbox.scan()
        self.inbox.advance()
        return self.inbox.next_scan()


def carry_out(work: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def test_looks_become_rarer_while_nothing_happens_and_quick_again_when_something_does(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder)
        await root.find()
        await root.look(0)
        waits = [await root.look(9) for _ in range(9)]
        assert waits == sorted(waits)
        assert waits[-1] == pytest.approx(LONGEST)
        (folder / "a").touch()
        assert await root.look(5) == pytest.approx(SHORTEST, abs=0.02)
        await root.inbox.close()

    carry_out(work)


def test_files_that_are_not_settled_are_looked_at_four_times_before_they_are(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder, settle=2.0)
        await root.find()
        (folder / "a").touch()
        await root.look(0)
        waits = [await root.look(0.3) for _ in range(5)]
        assert max(waits) == pytest.approx(0.5)
        root.clock.seconds += 2
        root.inbox.advance()
        assert root.inbox.waiting.ready == 1
        assert await root.look(0) > 0.5
        await root.inbox.close()

    carry_out(work)


def test_a_closed_file_is_looked_at_at_once_and_one_that_is_begun_a_little_later(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder)
        await root.find()
        for _ in range(9):
            await root.look(9)
        root.clock.seconds += 0.001
        root.inbox._woken(hurry=False)
        assert root.inbox.next_scan() == pytest.approx(SHORTEST - 0.001)
        root.inbox._woken(hurry=True)
        assert root.inbox.next_scan() == pytest.approx(QUICKEST - 0.001)
        await root.inbox.close()

    carry_out(work)


def test_looks_that_are_dear_are_rarer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        root = Root(folder)
        await root.find()
        monkeypatch.setattr(root.inbox, "_timed_scan", lambda: (root.inbox.tree.scan(), 0.25))
        root.inbox._woken(hurry=True)
        await root.look(0)
        root.inbox._woken(hurry=True)
        assert root.inbox.next_scan() == pytest.approx(20 * 0.25), "a twentieth of a processor, whatever happens"
        await root.inbox.close()

    carry_out(work)


def test_a_root_that_goes_and_comes_back_is_the_same(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder)
        assert await root.find()
        (folder / "a").touch()
        await root.look(0)
        folder.rename(folder.with_name("away"))
        assert not await root.find()
        assert not root.inbox.present
        assert root.inbox.waiting.files == {}
        folder.with_name("away").rename(folder)
        assert await root.find()
        await root.inbox.close()
        assert root.lines[0] == "the watched folder root is not there: waiting for it"
        assert root.lines[1].startswith("over:")

    carry_out(work)


def swap(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.mkdir()


def test_another_folder_in_its_place_is_taken_after_a_while(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder)
        await root.find()
        swap(folder)
        assert not await root.find()
        root.clock.seconds += ADOPT_SECONDS - 0.1
        assert not await root.find()
        root.clock.seconds += 0.2
        assert await root.find()
        await root.inbox.close()

    carry_out(work)


def test_another_folder_is_never_taken_while_files_of_the_old_one_are_at_work(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder)
        await root.find()
        swap(folder)
        root.ours = False
        for _ in range(5):
            root.clock.seconds += ADOPT_SECONDS
            assert not await root.find()
        assert any("files of the old one are being worked on" in line for line in root.lines)
        folder.rmdir()
        folder.with_name("away").rename(folder)
        assert await root.find()
        await root.inbox.close()

    carry_out(work)


def test_a_folder_in_which_the_files_at_work_lie_is_the_old_one_under_another_number(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder)
        await root.find()
        swap(folder)
        root.ours = True
        assert await root.find()
        await root.inbox.close()

    carry_out(work)


def test_a_mount_point_without_its_mount_is_never_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        root = Root(folder)
        monkeypatch.setattr(root.inbox, "_identity_now", lambda: ((7, 1), True))
        assert await root.find()
        monkeypatch.setattr(root.inbox, "_identity_now", lambda: ((8, 2), False))
        for ours in (None, True, False):
            root.ours = ours
            root.clock.seconds += 10 * ADOPT_SECONDS
            assert not await root.find()
        assert root.lines[-1] == "root is not mounted any more: waiting for it"
        monkeypatch.setattr(root.inbox, "_identity_now", lambda: ((7, 1), True))
        assert await root.find()
        await root.inbox.close()

    carry_out(work)


def test_a_file_in_its_place_is_no_folder(folder: Path) -> None:
    async def work() -> None:
        folder.rmdir()
        folder.touch()
        root = Root(folder)
        assert not await root.find()
        assert root.lines == ["the watched folder root is no folder: waiting for it"]

    carry_out(work)


def test_it_is_said_once_when_the_clock_alone_makes_it_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from speedpix_pipe.triggers import wakeup

    async def work() -> None:
        monkeypatch.setattr(wakeup, "_mounts", lambda: "1 1 0:1 / / rw - cifs //server/x rw\n")
        root = Root(folder)
        await root.find()
        await root.look(0)
        await root.look(9)
        assert (root.inbox.health.mode, root.inbox.health.mode_why) == (
            "scanning",
            "cifs tells nothing of what other machines do",
        )
        assert root.lines == ["root is looked through by the clock: cifs tells nothing of what other machines do"]
        await root.inbox.close()

    carry_out(work)


def test_pictures_are_decoded_many_at_once_and_an_answer_about_an_older_one_counts_for_nothing(folder: Path) -> None:
    async def work() -> None:
        asked: list[str] = []
        go_on = asyncio.Event()

        async def slowly(path: str) -> None:
            asked.append(Path(path).name)
            await go_on.wait()

        root = Root(folder, verify=slowly)
        await root.find()
        (folder / "a.jpg").write_bytes(b"1")
        (folder / "b.jpg").write_bytes(b"1")
        await root.look(0)
        await root.look(1.0)
        await asyncio.sleep(0)
        assert sorted(asked) == ["a.jpg", "b.jpg"]
        (folder / "a.jpg").write_bytes(b"22")
        (folder / "b.jpg").unlink()
        await root.look(0.5)
        (folder / "b.jpg").write_bytes(b"333")
        await root.look(0.5)
        go_on.set()
        for _ in range(5):
            await asyncio.sleep(0)
        await root.look(1.5)
        for _ in range(5):
            await asyncio.sleep(0)
        assert sorted(asked) == ["a.jpg", "a.jpg", "b.jpg", "b.jpg"], "each as it is now, too"
        root.clock.seconds += 2.0
        root.inbox.advance()
        assert sorted(sighting.name for sighting in root.inbox.waiting.take(9)) == ["a.jpg", "b.jpg"]
        await root.inbox.close()

    carry_out(work)


def test_the_module_keeps_to_what_the_contract_says_of_its_pace() -> None:
    assert (inbox_module.SHORTEST, inbox_module.LONGEST) == (0.05, 5.0)


@pytest.mark.parametrize("kind", ["unreadable", "other_devices"])
def test_a_name_that_is_no_utf_8_can_be_told_and_written_whatever_is_wrong_with_it(folder: Path, kind: str) -> None:
    async def work() -> None:
        root = Root(folder)
        await root.find()
        root.inbox.tree.scan = lambda: Found(**{kind: [os.fsdecode(b"caf\xe9")]})  # type: ignore[method-assign]
        await root.look(0)
        await root.inbox.close()
        assert root.lines[-1].encode().startswith(rb"caf\xe9 in root ")

    carry_out(work)


def test_a_root_that_is_replaced_is_looked_for_until_its_claims_could_be_taken_up(folder: Path) -> None:
    async def work() -> None:
        root = Root(folder)
        root.ours = True
        await root.find()
        folder.rename(folder.with_name("old"))
        folder.mkdir()
        assert await root.inbox.find()
        assert await root.inbox.find()  # they could not be read
        root.inbox.arrived()
        assert not await root.inbox.find()
        await root.inbox.close()

    carry_out(work)


def test_a_root_that_is_replaced_again_and_again_leaves_no_descriptor_open(folder: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def work() -> None:
        root = Root(folder)
        root.ours = True
        await root.find()
        before = descriptors()
        for number in range(3):
            folder.rename(folder.with_name(f"old-{number}"))
            folder.mkdir()
            assert await root.find()
            await root.look(after=1)
        assert descriptors() == before
        (folder / "shoe.dat").write_bytes(b"1")
        await asyncio.sleep(0.05)
        assert root.inbox.stale, "events come from the folder that stands there now"
        await root.inbox.close()

    carry_out(work)
