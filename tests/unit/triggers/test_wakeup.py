"""Events: look now, not later. Real inotify."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speedpix_pipe.triggers.scan import Tree
from speedpix_pipe.triggers.wakeup import Wakeup


class Ear:
    """A wakeup that is listened to; `looked` is what a scan does around it."""

    def __init__(self, root: Path, mountinfo: str | None = None) -> None:
        self.told: list[bool] = []
        self.tree = Tree(str(root), ["**/*.jpg"], [], [str(root / "done")])
        self.wakeup = Wakeup(root, lambda *, hurry: self.told.append(hurry), mountinfo=mountinfo)
        self.wakeup.start()

    def look(self) -> bool:
        self.wakeup.seen()
        return self.wakeup.follow(self.tree.scan().folders)

    async def heard(self) -> list[bool]:
        """What was told by the time that the kernel has surely said it."""
        for _ in range(3):
            await asyncio.sleep(0.002)
        told, self.told = self.told, []
        return told


def test_a_file_that_is_closed_or_moved_in_is_in_a_hurry_and_one_that_is_only_begun_is_not(tmp_path: Path) -> None:
    async def work() -> None:
        root = tmp_path / "root"
        root.mkdir()
        ear = Ear(root)
        ear.look()
        with (root / "a.jpg").open("wb") as out:
            assert await ear.heard() == [False]
            out.write(b"1")
            out.flush()
            assert await ear.heard() == [], "written to: it will be closed"
        assert await ear.heard() == [True]
        ear.look()
        (tmp_path / "b.jpg").touch()
        (tmp_path / "b.jpg").rename(root / "b.jpg")
        assert await ear.heard() == [True]
        ear.look()
        os.link(root / "b.jpg", root / "c.jpg")
        assert await ear.heard() == [False], "a hard link is never closed; the next look by the clock finds it"
        ear.wakeup.stop()

    asyncio.run(work())


def test_a_burst_is_told_once_until_the_next_look(tmp_path: Path) -> None:
    async def work() -> None:
        ear = Ear(tmp_path)
        ear.look()
        for number in range(500):
            (tmp_path / f"{number}.jpg").touch()
            if number % 50 == 0:
                await asyncio.sleep(0)
        assert (await ear.heard()).count(True) == 1
        ear.look()
        assert await ear.heard() == []
        (tmp_path / "one more.jpg").touch()
        assert True in await ear.heard()
        ear.wakeup.stop()

    asyncio.run(work())


def test_folders_are_followed_as_they_come_and_go_and_finished_ones_never(tmp_path: Path) -> None:
    async def work() -> None:
        (tmp_path / "done/monday").mkdir(parents=True)
        ear = Ear(tmp_path)
        assert ear.look()
        assert not ear.look()
        (tmp_path / "done/monday/a.jpg").touch()
        (tmp_path / ".speedpix-claims").mkdir()
        await ear.heard()
        ear.look()
        (tmp_path / ".speedpix-claims/a.jpg").touch()
        assert await ear.heard() == []
        (tmp_path / "sub").mkdir()
        assert await ear.heard() == [True]
        assert ear.look(), "new: what came into it before is looked for at once"
        (tmp_path / "sub/a.jpg").touch()
        assert True in await ear.heard()
        ear.look()
        (tmp_path / "sub").rename(tmp_path / "other")
        assert await ear.heard() == [True]
        ear.look()
        (tmp_path / "other/b.jpg").touch()
        assert True in await ear.heard()
        ear.look()
        shutil.rmtree(tmp_path / "other")
        assert True in await ear.heard()
        ear.look()
        (tmp_path / "other").mkdir()
        await ear.heard()
        assert ear.look(), "perhaps with the inode of the one before, and still another folder"
        (tmp_path / "other/c.jpg").touch()
        assert True in await ear.heard()
        ear.wakeup.stop()

    asyncio.run(work())


def test_a_folder_that_comes_and_goes_within_one_look_is_no_matter(tmp_path: Path) -> None:
    async def work() -> None:
        ear = Ear(tmp_path)
        ear.look()
        folders = ear.tree.scan().folders
        for _ in range(20):
            (tmp_path / "x").mkdir()
            (tmp_path / "x").rename(tmp_path / "y")
            (tmp_path / "y").rmdir()
        ear.wakeup.seen()
        assert not ear.wakeup.follow({**folders, 1: str(tmp_path / "x")})
        assert ear.wakeup.mode == "events"
        ear.wakeup.stop()

    asyncio.run(work())


def test_the_end_of_the_root_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        root = tmp_path / "root"
        root.mkdir()
        ear = Ear(root)
        ear.look()
        root.rename(tmp_path / "away")
        assert await ear.heard() == [True]
        ear.wakeup.stop()

    asyncio.run(work())


def test_a_share_is_told_of_as_one_without_events(tmp_path: Path) -> None:
    async def work() -> None:
        ear = Ear(tmp_path, "1 1 0:1 / / rw - nfs4 server:/ rw\n")
        assert not ear.look()
        assert (ear.wakeup.mode, ear.wakeup.why) == ("scanning", "nfs4 tells nothing of what other machines do")
        ear.wakeup.stop()

    asyncio.run(work())


def test_a_stopped_wakeup_leaves_no_descriptor(tmp_path: Path) -> None:
    async def work() -> None:
        before = len(os.listdir("/proc/self/fd"))
        ear = Ear(tmp_path)
        ear.look()
        ear.wakeup.stop()
        ear.wakeup.stop()
        (tmp_path / "a.jpg").touch()
        assert await ear.heard() == []
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(work())


def _overflows() -> bool:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text("ascii")) <= 100_000


@pytest.mark.slow
@pytest.mark.skipif(not _overflows(), reason="this kernel's queue takes more than is written here")
def test_a_queue_that_overflows_is_one_more_message_and_folders_are_followed_on(tmp_path: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text("ascii"))

    async def work() -> None:
        (tmp_path / "sub").mkdir()
        ear = Ear(tmp_path)
        ear.look()
        # The same event again and again would be one in the queue
        for number in range(most // 2 + 10):
            path = tmp_path / f"{number % 50}.jpg"
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            path.unlink()
        assert True in await ear.heard()
        assert ear.look(), "what the queue lost may have been the end of a watch: all are asked for anew"
        (tmp_path / "sub/a.jpg").touch()
        assert True in await ear.heard()
        ear.wakeup.stop()

    asyncio.run(work())


_FEW = """
import asyncio, sys
from pathlib import Path
from speedpix_pipe.triggers.scan import Tree
from speedpix_pipe.triggers.wakeup import Wakeup

async def work():
    root = Path(sys.argv[1])
    for number in range(5):
        (root / str(number)).mkdir()
    wakeup = Wakeup(root, lambda *, hurry: None)
    wakeup.start()
    wakeup.follow(Tree(str(root), ["**/*.jpg"], []).scan().folders)
    print(wakeup.mode, wakeup.why)
    for number in range(4):
        (root / str(number)).rmdir()
    wakeup.seen()
    wakeup.follow(Tree(str(root), ["**/*.jpg"], []).scan().folders)
    print(wakeup.mode, wakeup.why)

asyncio.run(work())
"""


@pytest.mark.slow
def test_watches_that_are_used_up_leave_the_scanner_to_itself_until_there_are_some_again(tmp_path: Path) -> None:
    limit = "/proc/sys/user/max_inotify_watches"
    script = f'echo 3 > {limit} || exit 77; "$0" -c "$1" "$2"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, sys.executable, _FEW, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode in {1, 77} and not done.stdout:
        pytest.skip("this machine allows no limits of one's own")
    assert done.stdout.splitlines() == ["scanning fs.inotify.max_user_watches is used up", "events "], done.stderr
