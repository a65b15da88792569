"""Figures of a plan: what they count, and where they say that nobody can know."""

from __future__ import annotations

import pytest

from speedpix_pipe.app.start import question_of
from speedpix_pipe.console.plans import render_plan
from speedpix_pipe.model import StepKind
from speedpix_pipe.plan.estimate import Estimate, Outlook, StepEstimate, cost_of, seconds_of


def step(name: str = "a", *, run: int = 0, later: int = 0, kind: StepKind = StepKind.WORKFLOW, **more) -> StepEstimate:
    made = StepEstimate(name, kind, total=run + later, when_known=later, **more)
    made.counts[Outlook.RUN] = run
    return made


def estimate(*steps: StepEstimate) -> Estimate:
    return Estimate(steps, 0, None, cost_of(steps))


@pytest.mark.parametrize(
    ("steps", "cost"),
    [
        ([step(run=3, price=0.5)], 1.5),
        ([step(run=3, price=0.5), step("b", later=3, price=1.0)], 4.5),
        ([step(run=3, price=0.5), step("b", later=3)], 1.5),
        ([step(run=3)], None),
        ([step(run=3, kind=StepKind.IMAGE)], 0.0),
        ([step(price=0.5)], 0.0),
        ([step(run=3, price=0.5), step("b", later=3, price=1.0, conditional=True)], None),
    ],
)
def test_cost_is_that_of_what_runs_and_of_what_waits(steps, cost):
    assert cost_of(steps) == cost


def test_cost_is_unknown_where_a_priced_list_is_not_known():
    open_end = StepEstimate("b", StepKind.WORKFLOW, total=None, price=1.0)
    assert cost_of([step(run=3, price=0.5), open_end]) is None


def test_seconds_are_shared_by_all_slots_but_no_chain_is_shortened():
    steps = [step("a", run=40), step("b", later=40)]
    mean = {"a": 1.0, "b": 2.0}
    assert seconds_of(steps, {"b": {"a"}}, mean, 4) == 30.0
    assert seconds_of(steps, {"b": {"a"}}, mean, 100) == 3.0
    assert seconds_of(steps, {"b": {"a"}}, {"a": 1.0}, 4) is None
    assert seconds_of([step("a")], {}, {}, 4) == 0.0


@pytest.mark.parametrize(
    ("found", "question"),
    [
        (estimate(step(run=100)), None),
        (estimate(step(run=101)), "This run would pay for 101 predictions. Go on?"),
        (estimate(step(run=60), step("b", later=60)),
         "This run would pay for 60 predictions and up to 60 more that follow. Go on?"),
        (estimate(step(run=1, price=0.5)), "This run would pay for 1 prediction, at most 0.50 in all. Go on?"),
        (estimate(step(price=0.5)), None),
        (estimate(step(run=1, price=0.5), step("b", later=1, price=1, conditional=True)),
         "This run would pay for 1 prediction and up to 1 more that follow, at least 0.50 in all. Go on?"),
        (estimate(step(run=500, kind=StepKind.IMAGE)), None),
    ],
)  # fmt: skip
def test_what_is_asked_before_paying(found, question):
    assert question_of(found) == question


def test_the_table_shows_only_columns_that_say_something():
    text = render_plan("p", estimate(step("draw", run=2, price=0.5), step("big", later=2)))
    assert text.splitlines()[2].split() == ["step", "tasks", "run", "cached", "when", "known"]
    assert text.splitlines()[-1] == "cost    1.00"
    assert render_plan("p", estimate(step("draw"))).splitlines()[0] == "p: nothing to run"
