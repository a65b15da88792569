"""Tasks with one fingerprint: whatever is asked of them is paid for once, and all of them get what was made."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.app.redo import RedoRequest, redo
from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import run
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread
from speedpix_pipe.events import PredictionCreated, TaskSucceeded
from speedpix_pipe.settings import load_settings
from speedpix_pipe.steps.workflow import WorkflowKind
from tests.functional.money import Shifted, counts

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: equals
params: {words: {type: array}}
limits: {concurrency: CONCURRENCY}
steps:
  one:
    workflow: count
    for_each: ${{ params.words }}
    key: ${{ index }}
    input: {word: "${{ item }}"}
    cache: {max_age: 1h}
"""


class World:
    """A spec of one step over words. The workflow answers how often it has been asked; a word may be held up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Shifted()
        self.asked: list[str] = []
        self.numbers = itertools.count(1)
        self.held: dict[str, threading.Event] = {}
        self.options = EmulatorOptions(workflows={"count": self._count})
        self.emulator = EmulatorThread(self.options)

    def _count(self, inputs: Any) -> dict[str, int]:
        word = inputs.text("word")
        self.asked.append(word)
        if word in self.held:
            assert self.held[word].wait(60)
        return {"number": next(self.numbers)}

    def write(self, concurrency: int = 4) -> None:
        for name in ("equals.yaml", "others.yaml"):
            (self.folder / name).write_text(SPEC.replace("CONCURRENCY", str(concurrency)))

    @property
    def settings(self) -> Any:
        return load_settings(
            None,
            {
                "SPEEDPIX_APP_KEY": self.options.app_key,
                "SPEEDPIX_APP_SECRET": self.options.app_secret,
                "SPEEDPIX_ENDPOINT": self.emulator.url,
            },
        )

    async def going(
        self, words: list[str], tell: Callable[[Any], None] = lambda _: None, name: str = "equals.yaml"
    ) -> Told:
        told = Told(tell)
        spec = SpecRequest(Path(name), self.folder, self.settings, params={"words": [json.dumps(words)]})
        told.outcome = await run(RunRequest(spec, clock=self.clock), lambda *_: [told])
        return told

    def run(self, words: list[str]) -> Told:
        return asyncio.run(self.going(words))

    def redo(self, **options: Any) -> Told:
        told = Told()
        request = RedoRequest(self.folder / ".speedpix", self.settings, clock=self.clock, **options)
        told.outcome = asyncio.run(redo(request, lambda *_: [told]))
        return told


class Told:
    """What one run told."""

    def __init__(self, tell: Callable[[Any], None] = lambda _: None) -> None:
        self.events: list[Any] = []
        self.outcome: Any = None
        self._tell = tell

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._tell(event)

    def close(self) -> None:
        """The end of a subscription."""

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    @property
    def numbers(self) -> dict[str, int]:
        return {event.key: event.output["number"] for event in self.events if getattr(event, "output", None)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with made.emulator:
        yield made


@pytest.mark.parametrize("apart", [1, 31, 32, 33, 34, 35])
def test_a_redo_gives_all_equal_tasks_the_new_result(world: World, apart: int) -> None:
    world.write(concurrency=1)
    words = ["same", *(f"w{number}" for number in range(1, 37))]
    words[apart] = "same"
    world.run(words)
    told = world.redo(tasks=["one@*"])
    assert told.outcome.exit_code == 0
    assert told.numbers["0"] == told.numbers[str(apart)] > 36
    assert world.asked.count("same") == 2


def test_a_redo_of_failed_equal_tasks_pays_once_however_their_checks_fall(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write()
    told: Told | None = None
    checks = itertools.count(1)

    def broken(_kind: Any, _step: Any, result: Any) -> list[str]:
        """What was made before the redo is no good."""
        return [] if result.output["number"] > 1 else ["no good"]

    async def faults(kind: Any, step: Any, _prepared: Any, result: Any) -> list[str]:
        """The redo's second check takes until the other task's new result is told."""
        if told is not None and next(checks) == 2:
            while not told.of(TaskSucceeded):
                await asyncio.sleep(0.005)
        return broken(kind, step, result)

    monkeypatch.setattr(WorkflowKind, "broken", broken)
    monkeypatch.setattr(WorkflowKind, "faults", faults)
    assert counts(world.run(["same", "same"]).outcome) == {"failed": 2}
    told = Told()
    request = RedoRequest(world.folder / ".speedpix", world.settings, clock=world.clock, failed=True)
    outcome = asyncio.run(redo(request, lambda *_: [told]))
    assert outcome.exit_code == 0
    assert world.asked == ["same", "same"]  # once by the run, once by the redo
    assert told.numbers == {"0": 2, "1": 2}


def test_a_result_that_another_run_made_a_moment_ago_is_not_too_old(world: World) -> None:
    world.write(concurrency=1)
    world.run(["same"])
    world.run(["first"])
    world.clock.by = timedelta(hours=2)
    world.held["first"] = threading.Event()

    async def both() -> tuple[Told, Told]:
        """The second run has looked at the old result, and waits for its place while the first makes a new one."""
        at_work = asyncio.Event()
        waiting = asyncio.create_task(
            world.going(["first", "same"], lambda event: at_work.set() if type(event) is PredictionCreated else None)
        )
        await at_work.wait()
        await asyncio.sleep(0.3)  # the other task has come as far as it can
        quick = await world.going(["same"], name="others.yaml")
        world.held["first"].set()
        return quick, await waiting

    quick, waited = asyncio.run(both())
    assert quick.numbers["0"] == waited.numbers["1"]
    assert world.asked == ["same", "first", "first", "same"]
