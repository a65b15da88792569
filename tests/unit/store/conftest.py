"""A real store in a folder of its own, a clock that stands still, and the events of a small run."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.events import RunStarted
from speedpix_pipe.model import Submission
from speedpix_pipe.store import Store


class Clock:
    def __init__(self) -> None:
        self.moment = datetime.now(UTC).replace(microsecond=123456)

    def __call__(self) -> datetime:
        return self.moment

    def pass_seconds(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class House:
    """A store with the words that tests need often."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def started(self, run_id: str = "run-1", **changes: Any) -> RunStarted:
        fields: dict[str, Any] = {
            "run_id": run_id,
            "seq": 1,
            "at": self.clock(),
            "pipeline": "shots",
            "spec_path": "/specs/shots.yaml",
            "spec_digest": "d" * 64,
            "state_folder": str(self.store.folder),
            "service": "service.example:443",
            "params": {"looks": ["sun", "snow"]},
            "steps": ("white", "looks"),
        }
        return RunStarted(**{**fields, **changes})

    async def begin(self, run_id: str = "run-1", **changes: Any) -> None:
        await self.store.journal.begin_run(self.started(run_id, **changes))

    async def intend(self, fingerprint: str = "f1", **changes: Any) -> Submission:
        fields: dict[str, Any] = {
            "account": "service.example:443|key-a",
            "fingerprint": fingerprint,
            "run_id": "run-1",
            "step": "white",
            "key": "cup",
            "price": 0.5,
            "event": None,
        }
        return await self.store.ledger.intend(**{**fields, **changes})

    def blob(self, content: bytes) -> tuple[Path, str, int]:
        """A finished part in a work folder, with its digest and size."""
        sha256 = hashlib.sha256(content).hexdigest()
        part = self.store.blobs.work_folder("run-1") / f"part-{sha256[:8]}"
        part.write_bytes(content)
        return part, sha256, len(content)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".speedpix"


@pytest.fixture
def house(folder: Path, clock: Clock) -> Iterator[House]:
    with Store.open(folder, now=clock) as store:
        yield House(store, clock)


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return asyncio.run
