"""When a hot folder rests. Time is virtual, folders are real."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from speedpix_pipe.model import Mark, Watch
from speedpix_pipe.store import Arrivals
from speedpix_pipe.triggers.base import Batch, Surroundings
from speedpix_pipe.triggers.health import Health
from speedpix_pipe.triggers.hotfolder import HotFolder
from speedpix_pipe.triggers.inbox import LONGEST
from speedpix_pipe.triggers.places import Places
from speedpix_pipe.triggers.scan import Tree


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def whole(path: str) -> None:
    """Every picture is one."""


class Unasked(Arrivals):
    """Nothing is written down here."""

    def __init__(self) -> None:
        pass


class Hot:
    def __init__(self, root: Path, *, settle: float = 20.0) -> None:
        self.clock = Clock()
        self.batches: list[Batch] = []
        folders: list[HotFolder] = []
        around = Surroundings(
            watcher="me",
            arrivals=Unasked(),
            clock=self.clock,
            random=bytes,
            verify=whole,
            health=Health(None, self.clock.now, lambda _: None),
            begin=self.batches.append,
            watch_over=lambda _: None,
            folders=folders,
            room=lambda: 100,
        )
        watch = Watch("root", "photos", Mark("hot.yaml", 1, 1), settle_seconds=settle)
        places = Places(root, root / "done", root / "failed", "root")
        self.folder = HotFolder(watch, places, Tree(str(root), ["*"], []), around, gathers=False, single=False)
        folders.append(self.folder)


def test_a_look_that_is_overdue_waits_for_no_file_to_settle(tmp_path: Path) -> None:
    """A large file on a slow share may take longer to claim than the time between two looks."""
    (tmp_path / "later.dat").write_bytes(b"1")

    async def work() -> None:
        hot = Hot(tmp_path)
        inbox = hot.folder.inbox
        await inbox.find()
        inbox.arrived()
        await inbox.scan()
        hot.clock.seconds += LONGEST + 1
        assert inbox.next_scan() < 0
        due = inbox.next_due()
        assert due is not None
        assert due > 10
        await hot.folder._rest()
        assert hot.clock.slept == []
        await inbox.scan()
        await hot.folder._rest()
        assert 0 < hot.clock.slept[0] <= LONGEST
        await hot.folder.close()

    asyncio.run(work())
