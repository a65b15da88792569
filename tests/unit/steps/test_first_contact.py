"""How often a submission that cannot connect is made again: as the step says, but a wrong name is known within seconds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from speedpix_pipe.clock import SystemClock
from speedpix_pipe.engine.lanes import Lanes
from speedpix_pipe.errors import AccessError, TaskError, TaskErrorKind
from speedpix_pipe.events import RunStarted, TaskRetrying
from speedpix_pipe.model import Limits, Mark, Retry, Step, StepKind, Workflow
from speedpix_pipe.sdk.errors import ConnectError
from speedpix_pipe.steps.base import Job, Prepared
from speedpix_pipe.steps.prediction import FIRST_PAUSE_SECONDS, Predictions
from speedpix_pipe.steps.seeds import Seeds
from speedpix_pipe.steps.service import Service
from speedpix_pipe.store import Store

ATTEMPTS = 6


@dataclass
class Leaping(SystemClock):
    """Time passes only while somebody sleeps, and while a call is made: `call_seconds`."""

    call_seconds: float = 0.0
    now_: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ += seconds
        await asyncio.sleep(0)


class Unreachable:
    """A service that nobody reaches."""

    def __init__(self, clock: Leaping) -> None:
        self.calls, self._clock = 0, clock

    async def create(self, _workflow: str, _sent: Any, **_options: Any) -> Any:
        self.calls += 1
        self._clock.now_ += self._clock.call_seconds
        raise ConnectError("cannot connect to api.example", retryable=True, surely_never_ran=True)


def submitted(folder: Path, clock: Leaping, *, answered: bool) -> tuple[Unreachable, list[Any], Exception]:
    """One submission that fails for good: the service, the events, and what it ended with."""
    world, events = Unreachable(clock), []

    async def main(store: Store) -> None:
        started = RunStarted(
            run_id="run", seq=1, pipeline="p", spec_path="/p", spec_digest="d", state_folder="", service="service",
            params={}, steps=("step",),
        )  # fmt: skip
        await store.journal.begin_run(started)
        client = SimpleNamespace(predictions=world)
        service = Service(
            lambda: client, name="service", account="service|key", upload_account="service|key",
            urls_outlive_us=True, uploads=store.uploads, keeper=None, clock=clock, emit=lambda _: None,
        )  # fmt: skip
        service.answered = answered
        mark = Mark("x.yaml", 1, 1)
        retry = Retry(attempts=ATTEMPTS, backoff_seconds=4.0, max_backoff_seconds=60.0)
        step = Step(
            name="step", kind=StepKind.WORKFLOW, mark=mark, workflow=Workflow("w", "w", mark), retry=retry
        )  # fmt: skip
        gates = Lanes(Limits(), clock, lambda: 0.5)
        job = Job("run", step, "step", "", (0,), Prepared("fingerprint", {}, None), gates, events.append)
        seeds = Seeds(None, sent=lambda _: False, random=lambda: 0.5, run_id="run")
        await Predictions(service, store.ledger, None, None, clock, lambda: 0.5, seeds).run(job, "fingerprint")

    with Store.open(folder / ".speedpix") as store, pytest.raises((AccessError, TaskError)) as caught:
        asyncio.run(main(store))
    return world, [event for event in events if type(event) is TaskRetrying], caught.value


def test_a_service_that_answered_before_is_called_again_as_the_step_says(tmp_path: Path) -> None:
    world, retries, error = submitted(tmp_path, Leaping(), answered=True)
    assert world.calls == ATTEMPTS
    assert [retry.delay_seconds for retry in retries] == [4.0, 8.0, 16.0, 32.0, 60.0]
    assert isinstance(error, TaskError)
    assert error.kind is TaskErrorKind.TRANSPORT


def test_one_that_never_did_is_called_again_without_long_pauses_and_for_few_seconds(tmp_path: Path) -> None:
    clock = Leaping()
    world, retries, error = submitted(tmp_path, clock, answered=False)
    assert 3 <= world.calls <= ATTEMPTS
    assert {retry.delay_seconds for retry in retries} == {FIRST_PAUSE_SECONDS}
    assert clock.monotonic() <= 5
    assert isinstance(error, AccessError)
    assert error.code == "access.unreachable"


def test_where_the_call_itself_takes_long_once_is_enough(tmp_path: Path) -> None:
    world, retries, error = submitted(tmp_path, Leaping(call_seconds=10.0), answered=False)
    assert (world.calls, retries) == (1, [])
    assert isinstance(error, AccessError)
