"""One task against a service that has a bad day, and what came of it: in that run, and in the run after it.

Time is hurried: pauses of the engine and the SDK take milliseconds, calls that a test leaves unanswered are given up
after half a second. Nothing else differs from a real run over loopback.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import run
from speedpix_pipe.clock import SystemClock
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread, Fault
from speedpix_pipe.emulator.faults import Where
from speedpix_pipe.errors import PipeError
from speedpix_pipe.events import TaskFailed, TaskRetrying
from speedpix_pipe.sdk import AsyncSpeedPix, _sleep
from speedpix_pipe.sdk._async import _calls, _transfer
from speedpix_pipe.settings import load_settings
from speedpix_pipe.store import Store
from speedpix_pipe.summary import RunSummary

UNANSWERED = 0.5
PATIENT = 10.0  # where an answer comes: no pause of a busy machine may pass for one that does not
SPEC = """\
apiVersion: speedpix-pipe/v1
name: faults
workflows:
  stylize: {id: stylize, input: {image: {type: file}, style: {type: string}}, output: {images: {type: file, required: true}}}
steps:
  step:
    workflow: stylize
    timeout: 20s
    input: {image: in.png, style: mono}
    save: out/result.${{ ext }}
"""
PLACES = {
    "upload-sign": "signs",
    "upload": "uploads",
    "submit": "submits",
    "poll": "polls",
    "result": "results",
    "download": "downloads",
}


class HurriedClock(SystemClock):
    """Whoever sleeps, sleeps little."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.005))


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run came to. `status` is the task's; `made` counts predictions since the scene began."""

    status: str
    why: str
    exit_code: int
    made: int
    repeated: bool

    def __str__(self) -> str:
        words = self.status + (f" ({self.why})" if self.why else "")
        return f"{words}, exit {self.exit_code}, {self.made} paid" + (", repeated" if self.repeated else "")


@contextmanager
def hurried(swallowed: Where | None = None) -> Iterator[None]:
    """Back-off of the SDK in milliseconds; half a second for the call that is not answered."""

    def patience(*calls: Where) -> float:
        return UNANSWERED if swallowed in calls else PATIENT

    async def sleep(_self: object, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sleep.AsyncClock, "sleep", sleep)
        patch.setattr(_calls, "SUBMIT_READ_TIMEOUT", patience(Where.SUBMIT))
        files = httpx.Timeout(patience(Where.UPLOAD, Where.DOWNLOAD), connect=PATIENT)
        patch.setattr(_transfer, "_TIMEOUTS", files.as_dict())
        begin = AsyncSpeedPix.__init__
        assert begin.__defaults__ is not None
        # A submission is given no less than the other calls, so these have to be short with it
        calls = patience(Where.UPLOAD_SIGN, Where.POLL, Where.RESULT, Where.SUBMIT)
        patch.setattr(begin, "__defaults__", (None, None, None, calls, *begin.__defaults__[4:]))
        yield


class Scene:
    """A folder, a photo, a spec, and an emulator that was reset."""

    def __init__(self, folder: Path, emulator: EmulatorThread, spec: str = SPEC) -> None:
        self.folder = folder
        self.emulator = emulator
        emulator.reset()
        emulator.clear_faults()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(folder / "in.png")
        (folder / "pipeline.yaml").write_text(spec, encoding="utf-8")
        self.summary: RunSummary | None = None
        self.retries = 0
        self.failure: TaskFailed | None = None

    def saved(self) -> list[bool]:
        """Of each file that the last run saved: was a deleted one put back?"""
        assert self.summary is not None
        with Store.open(self.folder / ".speedpix", write=False) as store:
            return [file.restored for task in store.journal.tasks(self.summary.run_id) for file in task.saved]

    def arm(self, *faults: str) -> None:
        for fault in faults:
            self.emulator.add_fault(Fault.parse(fault))

    @property
    def made(self) -> int:
        return int(self.emulator.counters["predictions"])

    def request(self, **options) -> RunRequest:
        environment = {
            "SPEEDPIX_APP_KEY": self.emulator.options.app_key,
            "SPEEDPIX_APP_SECRET": self.emulator.options.app_secret,
            "SPEEDPIX_ENDPOINT": self.emulator.url,
        }
        spec = SpecRequest(Path("pipeline.yaml"), self.folder, load_settings(None, environment))
        return RunRequest(spec, clock=HurriedClock(), **options)

    def run(self, place: str = "submit", **options) -> Seen:
        self.retries, self.failure = 0, None
        before = self._calls(place)
        try:
            outcome = asyncio.run(run(self.request(**options), lambda *_: [self]))
        except PipeError as error:
            return Seen("refused", error.code, error.exit_code, self.made, repeated=False)
        summary = self.summary = outcome.summary
        status = next(status.value for status, count in summary.tasks.items() if count)
        why = self.failure.kind if self.failure is not None else ""
        calls = self._calls(place) - before
        return Seen(status, why, outcome.exit_code, self.made, repeated=calls > 1 or self.retries > 0)

    def _calls(self, place: str) -> int:
        return int(self.emulator.counters["calls"].get(place, 0))

    def __call__(self, event: object) -> None:
        if isinstance(event, TaskRetrying):
            self.retries += 1
        elif isinstance(event, TaskFailed):
            self.failure = event

    def close(self) -> None:
        """A subscriber is closed at the end of its run."""


@contextmanager
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(EmulatorOptions()) as running:
        yield running
