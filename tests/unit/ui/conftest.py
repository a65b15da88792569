"""A state folder with a run in it, written event by event, and the live page on it."""

from __future__ import annotations

import asyncio
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image

from speedpix_pipe.events import FileSaved, ItemFound, RunFinished, RunStarted, TaskFailed, TaskStarted, TaskSucceeded
from speedpix_pipe.model import KeptFile, RunStatus
from speedpix_pipe.store import Store
from speedpix_pipe.ui.routes import Acts
from speedpix_pipe.ui.server import LivePage

RUN = "20260101T080000-abc123"
SPEC = {
    "steps": {
        "white": {"workflow": "white-background", "for_each": "${{ params.photos }}"},
        "looks": {"workflow": "relight", "for_each": "${{ steps.white }}"},
        "sheet": {"image": [{"contact-sheet": {}}], "input": {"images": "${{ steps.looks.files }}"}},
    }
}


def png(number):
    target = io.BytesIO()
    Image.new("RGB", (64, 48), (40 * number % 256, 120, 200)).save(target, "PNG")
    return target.getvalue()


def wait(coroutine):
    """In a thread of its own: a browser's tests have a loop in theirs already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class Studio:
    """Writes a run as an engine would."""

    def __init__(self, folder):
        self.folder = folder
        self.store = Store.open(folder)
        self.seq = 1
        self.at = datetime.now(UTC) - timedelta(seconds=30)

    def begin(self, steps=("white", "looks", "sheet"), spec=SPEC):
        event = RunStarted(
            run_id=RUN, seq=1, at=self.at, pipeline="shots", spec_path="/shop/shots.yaml", spec_digest="d",
            state_folder=str(self.folder), service="local", params={}, steps=steps, resolved_spec=spec,
        )  # fmt: skip
        wait(self.store.journal.begin_run(event))

    def emit(self, event, /, **fields):
        self.seq += 1
        at = self.at + timedelta(milliseconds=self.seq)
        self.store.journal.record(event(run_id=RUN, seq=self.seq, at=at, **fields))

    def keep(self, content, media_type="image/png", extension="png"):
        digest = hashlib.sha256(content).hexdigest()
        path = self.store.blobs.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return KeptFile("images.url", digest, len(content), media_type, extension)

    def task(self, step, key, *, ends="succeeded", file=None, message="the workflow said no"):
        self.emit(ItemFound, step=step, key=key, item=key)
        if ends == "waiting":
            return
        self.emit(TaskStarted, step=step, key=key, input={"image": key, "url": "https://x/y?Signature=secret"})
        if ends == "succeeded":
            files = (file or self.keep(png(self.seq)),)
            self.emit(FileSaved, step=step, key=key, path=f"out/{key}.png", sha256=files[0].sha256, size=1)
            self.emit(TaskSucceeded, step=step, key=key, seconds=1.5, files=files)
        elif ends == "failed":
            self.emit(TaskFailed, step=step, key=key, kind="task", code="task.failed", message=message)

    def finish(self):
        self.seq += 1
        event = RunFinished(
            run_id=RUN, seq=self.seq, at=self.at, status=RunStatus.SUCCEEDED, resumable=False, seconds=12.0
        )
        wait(self.store.journal.finish_run(event))

    def flush(self):
        wait(self.store.flush())


@pytest.fixture
def studio(tmp_path):
    made = Studio(tmp_path / ".speedpix")
    yield made
    made.store.close()


@pytest.fixture
def acts():
    """What was asked for."""
    return []


@pytest.fixture
def live(studio, acts):
    done = Acts(
        cancel=lambda run: acts.append(("cancel", run)),
        redo=lambda run, wanted: acts.append(("redo", run, wanted)),
    )
    with LivePage(studio.folder, done) as page:
        yield page


@pytest.fixture
def client(live):
    with httpx.Client(base_url=live.url, trust_env=False) as asking:
        yield asking
