"""How long a task waits for its prediction: to the step's time-out, whatever the service asks for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from speedpix_pipe.clock import SystemClock
from speedpix_pipe.engine.lanes import Lanes
from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.events import TaskRetrying
from speedpix_pipe.model import Limits, Mark, Retry, Step, StepKind
from speedpix_pipe.sdk.errors import RateLimitError, SpeedPixTimeoutError
from speedpix_pipe.steps.base import Job, Prepared
from speedpix_pipe.steps.prediction import Predictions


class Leaping(SystemClock):
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_ = 0.0

    def monotonic(self) -> float:
        return self.now_

    async def sleep(self, seconds: float) -> None:
        self.now_ += seconds
        await asyncio.sleep(0)


@dataclass
class Throttled:
    """A prediction that nobody may look at, but at the very end of a wait, if `done`."""

    clock: Leaping
    retry_after: float | None
    done: bool = False
    id: str = "p"
    looks: list[float] = field(default_factory=list)

    async def wait(self, timeout: float, **_: Any) -> Throttled:
        self.looks.append(self.clock.monotonic())
        if timeout > 0:
            raise RateLimitError("slowly", retryable=True, retry_after=self.retry_after)
        if self.done:
            return self
        raise SpeedPixTimeoutError("not done")


def waited(prediction: Throttled, timeout: float) -> list[float]:
    """The pauses of one wait."""
    clock, events = prediction.clock, []
    step = Step(
        name="step",
        kind=StepKind.WORKFLOW,
        mark=Mark("x.yaml", 1, 1),
        retry=Retry(),
        timeout_seconds=timeout,
    )
    gates = Lanes(Limits(), clock, lambda: 0.5)
    job = Job("run", step, "step", "", (0,), Prepared("fingerprint", {}, None), gates, events.append)
    waits = Predictions(None, None, None, None, clock, lambda: 0.5, None)
    try:
        asyncio.run(waits._wait(job, prediction, lambda: None))
    finally:
        pauses = [event.delay_seconds for event in events if type(event) is TaskRetrying]
    return pauses


@pytest.mark.parametrize("retry_after", [600.0, None])
def test_a_service_that_throttles_does_not_keep_a_task_beyond_its_time_out(retry_after: float | None) -> None:
    prediction = Throttled(Leaping(), retry_after)
    with pytest.raises(TaskError) as caught:
        waited(prediction, 4.0)
    assert caught.value.kind is TaskErrorKind.TIMEOUT
    assert prediction.clock.monotonic() == 4.0


def test_what_is_done_by_then_is_found_at_the_last_look() -> None:
    prediction = Throttled(Leaping(), 600.0, done=True)
    assert waited(prediction, 4.0) == [4.0]
    assert prediction.looks == [0.0, 4.0]


def test_a_pause_that_fits_is_kept() -> None:
    prediction = Throttled(Leaping(), 30.0, done=True)
    assert waited(prediction, 100.0) == [30.0, 30.0, 30.0, 10.0]
