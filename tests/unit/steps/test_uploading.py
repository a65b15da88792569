"""Uploads that fail: whose trouble it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from speedpix_pipe.clock import SystemClock
from speedpix_pipe.engine.lanes import Lanes
from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Limits
from speedpix_pipe.sdk._bytes import open_source
from speedpix_pipe.steps.service import Service
from speedpix_pipe.store import Store


def test_a_file_that_went_away_before_it_was_sent_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    """As any other that cannot be read: a hot folder then looks whether its disk is there, before it blames the file."""
    path = tmp_path / "a.txt"
    path.write_text("a")
    file = FileValue.local(path, tmp_path)
    assert file.sha256

    async def create(place: Any, **_options: Any) -> Any:
        path.unlink()
        open_source(place)  # as the client does

    async def main(store: Store) -> None:
        clock = SystemClock()
        client = SimpleNamespace(files=SimpleNamespace(create=create))
        service = Service(
            lambda: client, name="service", account="service|key", upload_account="service|key",
            urls_outlive_us=True, uploads=store.uploads, keeper=None, clock=clock, emit=lambda _: None,
        )  # fmt: skip
        gates = Lanes(Limits(), clock, lambda: 0.5)
        await service.sendable({"text": file}, gates, margin_seconds=600)

    with Store.open(tmp_path / ".speedpix") as store, pytest.raises(TaskError) as caught:
        asyncio.run(main(store))
    assert (caught.value.kind, caught.value.code) == (TaskErrorKind.INPUT, "task.file")
    assert str(path) in str(caught.value)
