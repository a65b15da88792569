"""Whatever the service answers and in whatever order things happen: never two live attempts of one fingerprint,
never a submission after its id is known, never an unknown one repeated unasked, and counts that add up.

The ledger is real, the service a script; a run may end at any step, and the next one goes on from what is on disk.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedpix_pipe.clock import SystemClock
from speedpix_pipe.engine.lanes import Lanes, Stop
from speedpix_pipe.errors import TaskError
from speedpix_pipe.events import PredictionCreated, PredictionRequested, RunStarted
from speedpix_pipe.model import Limits, Mark, OnUnknownSubmit, Retry, Step, StepKind, SubmissionState, Workflow
from speedpix_pipe.sdk.errors import (
    APIError,
    RateLimitError,
    ServerError,
    SubmissionUnknownError,
    TransportError,
)
from speedpix_pipe.steps.base import Job, Prepared, StoppedError, UnknownOutcomeError
from speedpix_pipe.steps.prediction import Predictions
from speedpix_pipe.steps.seeds import Seeds
from speedpix_pipe.steps.service import Service
from speedpix_pipe.store import Store

ACCOUNT = "service|key"
ANSWERS = ["accept", "accept", "accept", "throttle", "busy", "lost", "lost but accepted", "refuse"]
ENDS = ["succeeded", "succeeded", "failed"]


class Quick(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class World:
    """The service: what it was asked, what it made, and what it must never be asked."""

    answers: Iterator[str]
    ends: Iterator[str]
    delays: Iterator[int]
    posts: Counter[str] = field(default_factory=Counter)
    made: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> (fingerprint, end)
    told: dict[str, str] = field(default_factory=dict)  # fingerprint -> id that somebody was told
    in_flight: set[str] = field(default_factory=set)
    in_doubt: set[str] = field(default_factory=set)
    may_repeat: bool = False

    async def breathe(self) -> None:
        for _ in range(next(self.delays)):
            await asyncio.sleep(0)

    async def create(self, _workflow: str, sent: Any, **_options: Any) -> Any:
        fingerprint = sent["what"]
        assert fingerprint not in self.in_flight, "two live attempts"
        known = self.told.get(fingerprint)
        assert known is None or self.made[known][1] == "failed", "submitted after its id was known"
        assert fingerprint not in self.in_doubt or self.may_repeat, "an unknown submission was repeated unasked"
        self.posts[fingerprint] += 1
        self.in_flight.add(fingerprint)
        try:
            return await self._answer(fingerprint, next(self.answers))
        except asyncio.CancelledError:
            self.in_doubt.add(fingerprint)
            raise
        finally:
            self.in_flight.discard(fingerprint)

    async def _answer(self, fingerprint: str, answer: str) -> Any:
        await self.breathe()
        match answer:
            case "throttle":
                raise RateLimitError("slowly", retryable=True, surely_never_ran=True)
            case "busy":
                raise ServerError("busy", retryable=True, surely_never_ran=True)
            case "refuse":
                raise APIError("no", definite=True)
            case "lost" | "lost but accepted":
                if answer.endswith("accepted"):
                    self._make(fingerprint)
                self.in_doubt.add(fingerprint)
                raise SubmissionUnknownError(TransportError("reset"), workflow_id="w")
        identity = self._make(fingerprint)
        self.told[fingerprint] = identity
        self.in_doubt.discard(fingerprint)
        return Handle(self, identity)

    def _make(self, fingerprint: str) -> str:
        identity = f"p{len(self.made)}"
        self.made[identity] = (fingerprint, next(self.ends))
        return identity

    async def get(self, identity: str) -> Any:
        await self.breathe()
        return Handle(self, identity)


class Handle:
    """One prediction, as the SDK shows it."""

    error = error_code = sub_error_code = task_duration = progress = eta_relative = queue_remaining = None

    def __init__(self, world: World, identity: str) -> None:
        self.id, self._world = identity, world
        self.status, self.done = "running", False
        self.raw_output = {"made": identity}

    async def wait(self, timeout: float, on_progress: Any, on_success: Any) -> Handle:
        await self._world.breathe()
        status = self._world.made[self.id][1]
        if status == "succeeded":
            on_success()
            await self._world.breathe()
        self.status, self.done = status, True
        return self


def job_of(run_id: str, fingerprint: str, key: str, gates: Lanes, events: list[Any], step: Step) -> Job:
    prepared = Prepared(fingerprint, {"what": fingerprint}, None)
    return Job(run_id, step, "step", key, (0,), prepared, gates, events.append)


def step_of(*, resubmit: bool, failed_task: int) -> Step:
    return Step(
        name="step",
        kind=StepKind.WORKFLOW,
        mark=Mark("x.yaml", 1, 1),
        workflow=Workflow("w", "w", Mark("x.yaml", 1, 1)),
        on_unknown_submit=OnUnknownSubmit.RESUBMIT if resubmit else OnUnknownSubmit.HOLD,
        retry=Retry(attempts=3, failed_task=failed_task),
    )


async def one_run(store: Store, world: World, run_id: str, tasks: list[str], step: Step, ends_after: int | None) -> Any:
    """One life of a run, ended from outside after so many breaths; then it is as if its process had died."""
    started = RunStarted(
        run_id=run_id, seq=1, pipeline="p", spec_path="/p", spec_digest="d", state_folder="", service="service",
        params={}, steps=("step",),
    )  # fmt: skip
    await store.journal.begin_run(started)
    client = SimpleNamespace(predictions=world)
    clock = Quick()
    service = Service(
        lambda: client, name="service", account=ACCOUNT, upload_account=ACCOUNT, urls_outlive_us=True,
        uploads=store.uploads, keeper=None, clock=clock, emit=lambda _: None,
    )  # fmt: skip
    seeds = Seeds(None, sent=lambda _: False, random=lambda: 0.5, run_id=run_id)
    predictions = Predictions(service, store.ledger, None, None, clock, lambda: 0.5, seeds)
    gates, events = Lanes(Limits(concurrency=3, submitting=2), clock, lambda: 0.5), []
    came: dict[str, str] = {}

    async def live(number: int, fingerprint: str) -> None:
        key = f"{number}"
        try:
            job = job_of(run_id, fingerprint, key, gates, events, step)
            result = await predictions.run(job, fingerprint)
            predictions.settle(job)
            came[key] = f"got {result.prediction_id}"
        except UnknownOutcomeError:
            came[key] = "unknown"
        except TaskError as error:
            came[key] = f"failed {error.kind}"
        except (StoppedError, asyncio.CancelledError):
            came[key] = "stopped"
        life = asyncio.current_task()
        assert life is not None
        gates.weighed(life)

    lives = [asyncio.ensure_future(live(*task)) for task in enumerate(tasks)]
    if ends_after is not None:
        for _ in range(ends_after):
            await asyncio.sleep(0)
        gates.halt(Stop("enough", resumable=True, drain=False, interrupted=True))
        await asyncio.sleep(0)
        for task in lives:
            if not gates.in_window(task):
                task.cancel()
        predictions.leave()
    await asyncio.wait_for(asyncio.gather(*lives, return_exceptions=True), 20)
    await predictions.drain()
    await store.flush()
    return came, events


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tasks=st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
    answers=st.lists(st.sampled_from(ANSWERS), min_size=12, max_size=12),
    ends=st.lists(st.sampled_from(ENDS), min_size=6, max_size=6),
    delays=st.lists(st.integers(0, 4), min_size=7, max_size=7),
    lives=st.lists(st.one_of(st.none(), st.integers(1, 60)), min_size=1, max_size=3),
    resubmit=st.booleans(),
    failed_task=st.integers(0, 1),
)
def test_money_is_safe_whatever_happens(
    tasks: list[str],
    answers: list[str],
    ends: list[str],
    delays: list[int],
    lives: list[int | None],
    resubmit: bool,
    failed_task: int,
) -> None:
    world = World(
        answers=itertools.chain(answers, itertools.repeat("accept")),
        ends=itertools.chain(ends, itertools.repeat("succeeded")),
        delays=itertools.cycle(delays),
        may_repeat=resubmit,
    )
    step = step_of(resubmit=resubmit, failed_task=failed_task)
    posted = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, ends_after in enumerate([*lives, None]):
            with Store.open(Path(folder)) as store:
                came, events = asyncio.run(one_run(store, world, f"run{number}", tasks, step, ends_after))
                posted += sum(type(event) is PredictionRequested for event in events)
                assert len(came) == len(tasks)
                assert ends_after is not None or "stopped" not in came.values()
                check_ledger(store, world, events, posted)


def check_ledger(store: Store, world: World, events: list[Any], posted: int) -> None:
    """The rows tell exactly what the service was asked."""
    rows = [row for name in "abc" for row in store.ledger.rows(name)]
    # A row that was written and taken back before anything was sent is `refused` without a POST.
    sent = [row for row in rows if row.message != "taken back before it was sent"]
    assert len(sent) >= world.posts.total() == posted
    assert SubmissionState.REQUESTED not in {row.state for row in sent}
    for name in "abc":
        live = [row for row in store.ledger.rows(name) if row.state.value in {"requested", "created", "unknown"}]
        assert len(live) <= 1
        known = world.told.get(name)
        if known is not None:
            assert known in {row.prediction_id for row in store.ledger.rows(name)}
    created = [event.prediction_id for event in events if type(event) is PredictionCreated and not event.resumed]
    assert len(created) == len(set(created))


def test_an_owner_that_notes_the_answer_and_leaves_between_our_two_looks_is_joined(tmp_path: Path) -> None:
    answers, ends = itertools.repeat("accept"), itertools.repeat("succeeded")
    world = World(answers=answers, ends=ends, delays=itertools.repeat(0), may_repeat=False)

    async def main(store: Store) -> tuple[Any, Any]:
        await one_run(store, world, "other", [], step_of(resubmit=False, failed_task=0), None)
        row = await store.ledger.intend(account=ACCOUNT, fingerprint="a", run_id="other", step="step", key="")
        await store.ledger.created(row.id, world._make("a"))
        ledger, looks = store.ledger, []

        class Late:
            """Its first look was a moment before the answer."""

            def look(self, account: str, fingerprint: str) -> Any:
                looks.append(fingerprint)
                return row if len(looks) == 1 else ledger.look(account, fingerprint)

            def __getattr__(self, name: str) -> Any:
                return getattr(ledger, name)

        store.ledger = Late()
        return await one_run(store, world, "ours", ["a"], step_of(resubmit=False, failed_task=0), None)

    with Store.open(tmp_path) as store:
        came, events = asyncio.run(main(store))
    assert came == {"0": "got p0"}
    assert not [event for event in events if type(event) is PredictionRequested]
