"""A pipeline over words, run in process against an emulator that is paid: what the tests about money share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from speedpix_pipe.app.redo import RedoRequest, redo
from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import RunOutcome, run
from speedpix_pipe.clock import SystemClock
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread, Fault, WorkflowError
from speedpix_pipe.settings import load_settings
from speedpix_pipe.store import Store

WORDS = ["ant", "bee", "cat", "dog"]
SPEC = """\
apiVersion: speedpix-pipe/v1
name: money
params: {words: {type: array, default: [ant, bee, cat, dog]}}
limits: {LIMITS}
defaults: {DEFAULTS}
steps:
  first:
    workflow: first
    for_each: ${{ params.words }}
    input: {word: "${{ item }}"}
  second:
    workflow: second
    for_each: ${{ steps.first }}
    input: {word: "${{ steps.first.output.said }}"}
"""


class HurriedClock(SystemClock):
    """Whoever sleeps, sleeps little; `slept` says what was asked for."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(min(seconds, 0.01))


class Shifted(SystemClock):
    """Beside the machine's clock by so much."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by


class Shop:
    """One folder with a spec, one emulator. Workflows answer `said`; those named in `fails` fail for a word."""

    def __init__(self, folder: Path, limits: str = "concurrency: 4", defaults: str = "cache: true") -> None:
        self.folder = folder
        self.write(SPEC.replace("LIMITS", limits).replace("DEFAULTS", defaults))
        self.fails: set[str] = set()
        self.hold = threading.Event()  # while set, workflows do not answer
        self.events: list[Any] = []
        self.clock = HurriedClock()
        names = ("first", "second")
        self.emulator = EmulatorThread(EmulatorOptions(workflows={name: self._workflow(name) for name in names}))

    def __enter__(self) -> Self:
        self.emulator.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.clear()
        self.emulator.close()

    def _workflow(self, name: str) -> Callable[[Any], Any]:
        def answer(inputs: Any) -> dict[str, str]:
            while self.hold.is_set():
                threading.Event().wait(0.005)
            word = inputs.text("word")
            if f"{name}:{word}" in self.fails:
                raise WorkflowError("no")
            return {"said": f"{word}!"}

        return answer

    def write(self, spec: str) -> None:
        (self.folder / "pipeline.yaml").write_text(spec, encoding="utf-8")

    def edit(self, old: str, new: str) -> None:
        text = (self.folder / "pipeline.yaml").read_text(encoding="utf-8")
        assert old in text
        self.write(text.replace(old, new))

    def arm(self, fault: str) -> None:
        self.emulator.add_fault(Fault.parse(fault))

    @property
    def settings(self) -> Any:
        options = self.emulator.options
        environment = {
            "SPEEDPIX_APP_KEY": options.app_key,
            "SPEEDPIX_APP_SECRET": options.app_secret,
            "SPEEDPIX_ENDPOINT": self.emulator.url,
        }
        return load_settings(None, environment)

    def request(self, params: Mapping[str, list[str]] | None = None, **options: Any) -> RunRequest:
        spec = SpecRequest(Path("pipeline.yaml"), self.folder, self.settings, params=params or {})
        return RunRequest(spec, **{"clock": self.clock, **options})

    def run(self, **options: Any) -> RunOutcome:
        return asyncio.run(self.going(**options))

    async def going(self, **options: Any) -> RunOutcome:
        self.events = []
        return await run(self.request(**options), lambda *_: [self])

    def redo(self, **options: Any) -> RunOutcome:
        self.events = []
        request = RedoRequest(
            state_folder=self.folder / ".speedpix", settings=self.settings, clock=self.clock, **options
        )
        return asyncio.run(redo(request, lambda *_: [self]))

    def __call__(self, event: Any) -> None:
        self.events.append(event)

    def close(self) -> None:
        """The end of a subscription."""

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    @property
    def made(self) -> int:
        """Predictions that were paid for."""
        return int(self.emulator.counters["predictions"])

    def words(self, workflow: str) -> list[str]:
        """What a workflow was paid for, in order."""
        made = self.emulator.predictions()
        return [one["inputs"]["word"] for one in made if one["workflow"] == workflow]

    def rows(self) -> dict[str, list[str]]:
        """States of the ledger's rows, by task."""
        found: dict[str, list[str]] = {}
        with Store.open(self.folder / ".speedpix", write=False) as store:
            for row in store._reader.all("SELECT step, key, state FROM submissions ORDER BY id"):
                found.setdefault(f"{row[0]}@{row[1]}", []).append(row[2])
        return found


def counts(outcome: RunOutcome) -> dict[str, int]:
    """Task counts that are not zero."""
    return {status.value: count for status, count in outcome.summary.tasks.items() if count}
