"""URLs that grow old while a task waits for its place: what is submitted can still be read."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import RunOutcome, run
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread
from speedpix_pipe.events import PredictionCreated, TaskFailed, UploadFinished
from speedpix_pipe.settings import load_settings
from tests.functional.money import Shifted, counts

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: queue
params: {texts: {type: files, default: "*.txt"}}
limits: {concurrency: 1}
steps:
  one:
    workflow: read
    for_each: ${{ params.texts }}
    input: {text: "${{ item }}"}
"""


class World:
    """Two files, one place at the service. The first prediction waits until `go` is set."""

    def __init__(self, folder: Path, later: timedelta) -> None:
        self.folder, self.later = folder, later
        (folder / "pipeline.yaml").write_text(SPEC)
        for name in ("a", "b"):
            (folder / f"{name}.txt").write_text(name)
        self.clock, self.go = Shifted(), threading.Event()
        self.events: list[object] = []
        self.urls: list[str] = []
        self.options = EmulatorOptions(workflows={"read": self._read})

    def _read(self, inputs):
        self.urls.append(inputs.get("text"))
        assert self.go.wait(60)
        return {"read": len(self.urls)}

    def __call__(self, event: object) -> None:
        self.events.append(event)
        if type(event) in {UploadFinished, PredictionCreated} and self._one_waits():
            asyncio.get_running_loop().call_later(0.3, self._much_later)

    def close(self) -> None:
        """The end of a subscription."""

    def _one_waits(self) -> bool:
        """One is at the service, and the other has all that it needs."""
        return (len(self.of(UploadFinished)), len(self.of(PredictionCreated))) == (2, 1)

    def _much_later(self) -> None:
        self.clock.by = self.later
        self.go.set()

    def of(self, kind: type) -> list:
        return [event for event in self.events if type(event) is kind]

    def run(self) -> RunOutcome:
        with EmulatorThread(self.options) as emulator:
            settings = load_settings(
                None,
                {
                    "SPEEDPIX_APP_KEY": self.options.app_key,
                    "SPEEDPIX_APP_SECRET": self.options.app_secret,
                    "SPEEDPIX_ENDPOINT": emulator.url,
                },
            )
            request = RunRequest(SpecRequest(Path("pipeline.yaml"), self.folder, settings, params={}), clock=self.clock)
            return asyncio.run(run(request, lambda *_: [self]))


@pytest.mark.parametrize(("minutes", "uploads"), [(20, ["a", "b"]), (56, ["a", "b", "b"])])
def test_a_file_is_uploaded_again_only_if_its_url_grew_old_in_our_own_queue(tmp_path, minutes, uploads):
    world = World(tmp_path, timedelta(minutes=minutes))
    outcome = world.run()
    assert counts(outcome) == {"succeeded": 2}, world.of(TaskFailed)
    assert sorted(Path(event.path).stem for event in world.of(UploadFinished)) == uploads
    assert len(set(world.urls)) == 2
