"""The driver leaves others their turn, however much there is to do at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from speedpix_pipe import steps
from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import run
from speedpix_pipe.settings import load_settings
from tests.bench import noop


@pytest.mark.slow
def test_thousands_of_cached_tasks_leave_signals_and_screens_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(steps.KINDS, "workflow", "tests.bench.noop:NoopKind")
    (tmp_path / "pipeline.yaml").write_text(noop.SPEC, encoding="utf-8")
    settings = load_settings(None, {"SPEEDPIX_APP_KEY": "k", "SPEEDPIX_APP_SECRET": "s"})
    request = RunRequest(SpecRequest(Path("pipeline.yaml"), tmp_path, settings, params={"count": ["1500"]}))
    asyncio.run(run(request, lambda *_: []))

    async def watched() -> tuple[int, int]:
        turns = 0
        going = asyncio.ensure_future(run(request, lambda *_: []))
        while not going.done():
            turns += 1
            await asyncio.sleep(0)
        return turns, (await going).summary.total

    turns, total = asyncio.run(watched())
    assert total == 1500
    assert turns > 10
