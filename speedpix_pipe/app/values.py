"""What is wrong with a spec's values, as far as they are known without a run: lists, keys, inputs, paths of each task.

A param that was not given is an unknown value: what depends on it is not evaluated, so nothing is said about it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

from speedpix_pipe.app.judging import judge
from speedpix_pipe.app.specs import Loaded, surroundings
from speedpix_pipe.app.unknowns import KnownParams, NoFiles, NoObjects, UnknownValueError
from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.model import Pipeline
from speedpix_pipe.plan.checks import PART, StaticChecks, partly_looked_at
from speedpix_pipe.plan.claims import Claims
from speedpix_pipe.plan.estimate import Forecast
from speedpix_pipe.plan.names import problem_at
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Command, Decide, Expand, Task
from speedpix_pipe.plan.walk import Walk

# Of one list, shared among the steps that may follow from each; a run and a plan look at all.
MOST_ELEMENTS, FEWEST_ELEMENTS = 20_000, 200
SECONDS = 0.7  # of the processor, for values; no more than half of it for finding out which tasks there are
_HINT = "plan and run look at all of it"
RUN_NAMES = {"id": "00000000T000000-000000", "date": "2000-01-01", "time": "00:00:00"}  # of the run that is not


def value_problems(loaded: Loaded, *, files: bool) -> list[Problem]:
    """What shows only when lists are expanded: keys, paths, values of each task."""
    around = surroundings(replace(loaded, objects=NoObjects()), run=RUN_NAMES, digests=None)
    around.params = KnownParams(loaded.params)
    if not files:
        around.files = dict.fromkeys(around.files, NoFiles())
    walk = Walk(loaded.graph)
    scopes = Scopes(walk, around)
    claims = Claims()

    def claim(task: Task) -> None:
        claims.claim(task, scopes)

    share = _Share()
    checks = _Checks(scopes, claim, unknown=(UnknownValueError,), judge=judge)
    checks.share = share
    most = max(FEWEST_ELEMENTS, MOST_ELEMENTS // max(1, len(walk.graph.nodes)))
    walked = _Walked(walk, scopes, _nothing_is_known, on_static_error=checks.unit, check_born=checks.task, most=most)
    walked.share = share
    walked.begin()
    return [*checks.problems, *walked.left_out(), *share.left_out(loaded.pipeline)]


class _Share:
    """The time that a check may take for what depends on values: a spec can ask for hours of it."""

    def __init__(self) -> None:
        self._began = time.process_time()
        self.is_spent = False

    def has_time(self, share: float = 1.0) -> bool:
        over = time.process_time() - self._began > SECONDS * share
        self.is_spent = self.is_spent or over
        return not over

    def left_out(self, pipeline: Pipeline) -> Iterator[Problem]:
        if self.is_spent:
            yield partly_looked_at(pipeline, hint=_HINT)


def _nothing_is_known(task: Task) -> NoReturn:
    raise AssertionError(f"a check does not look {task.name} up")


class _Walked(Forecast):
    """What needs an unknown value stays open, and nothing that hangs on it is born."""

    share: _Share

    def _one(self, command: Command) -> list[Command]:
        if isinstance(command, Expand | Decide) and not self.share.has_time(0.5):
            return []
        try:
            return super()._one(command)
        except UnknownValueError:
            return []

    def left_out(self) -> Iterator[Problem]:
        """Steps of which only the beginning was looked at."""
        for index, length in self._fanout.shortened.items():
            node = self.walk.graph.nodes[index]
            most = self._fanout.most
            message = f"{node.name} runs {length:,} times, and validate looked at the first {most:,}"
            mark = node.step.for_each.mark if node.step.for_each else node.step.mark
            yield problem_at(node.space.pipeline, mark, PART, message, hint=_HINT, severity=Severity.WARNING)


class _Checks(StaticChecks):
    """Static checks for as long as there is time."""

    share: _Share
    patience_seconds = None  # the share ends before it does

    def task(self, task: Task) -> None:
        if self.share.has_time():
            super().task(task)
