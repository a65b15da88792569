"""An image step: what is left of it when it is cancelled."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from speedpix_pipe.steps.base import Prepared
from speedpix_pipe.steps.picture import ImageKind

PART, WHOLE = ".image.png.part", "image.png"


class Pool:
    """Works for ever, and leaves a part behind."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def pixels(self, _function: str, _operations: Any, _inputs: Any, folder: str) -> None:
        Path(folder, PART).write_bytes(b"x")
        self.begun.set()
        await asyncio.Event().wait()


async def cancelled(work: Path) -> None:
    """A step is cancelled while its picture is worked on."""
    pool = Pool()
    keeper = SimpleNamespace(work=work, path=work.joinpath)
    kit: Any = SimpleNamespace(keeper=keeper, executor=pool, service=SimpleNamespace(digest_of=lambda _: "0"))
    job: Any = SimpleNamespace(prepared=Prepared("f", {"image": "https://r/a.png"}, {}, operations=[("strip", {})]))
    running = asyncio.ensure_future(ImageKind(kit).run(job))
    await pool.begun.wait()
    running.cancel()
    await running


@pytest.mark.parametrize("call", ["unlink", "rmdir"])
def test_a_process_that_still_writes_does_not_turn_a_cancelled_step_into_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call)

    def meanwhile(*arguments: Any, **options: Any) -> None:
        monkeypatch.undo()
        (folder,) = tmp_path.iterdir()
        (folder / WHOLE).write_bytes(b"x")
        (folder / PART).unlink(missing_ok=True)
        real(*arguments, **options)

    monkeypatch.setattr(os, call, meanwhile)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled(tmp_path))


def test_a_cancelled_step_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled(tmp_path))
    assert list(tmp_path.iterdir()) == []
