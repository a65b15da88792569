"""The use case `validate`: everything that can be found wrong without a service, a credential or a task's output.

A param that was not given is an unknown value: what depends on it is not evaluated, so nothing is said about it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NoReturn

from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.specs import Loaded, load, surroundings
from speedpix_pipe.app.unknowns import KnownParams, NoFiles, UnknownValueError
from speedpix_pipe.errors import Problem
from speedpix_pipe.model import Mark
from speedpix_pipe.plan.checks import StaticChecks
from speedpix_pipe.plan.claims import Claims
from speedpix_pipe.plan.estimate import Forecast
from speedpix_pipe.plan.graph import Node
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Command, Task
from speedpix_pipe.plan.walk import Walk

CASES = ".test.yaml"
RUN_NAMES = {"id": "00000000T000000-000000", "date": "2000-01-01", "time": "00:00:00"}  # of the run that is not


def validate(request: SpecRequest) -> list[Problem]:
    """All problems of one spec, warnings too; of a case file those of its form."""
    if request.spec.name.endswith(CASES):
        from speedpix_pipe.app.spectest.casefile import case_file_problems

        return case_file_problems(request)
    loaded, problems = load(request, unknown_ok=True, skip_watched=True)
    if loaded is None:
        return problems
    return list(dict.fromkeys([*problems, *_expanded(loaded, files=request.check_files)]))


def _expanded(loaded: Loaded, *, files: bool) -> list[Problem]:
    """What shows only when lists are expanded: keys, paths, values of each task."""
    around = surroundings(loaded, run=RUN_NAMES, digests=None)
    around.params = KnownParams(loaded.params)
    if not files:
        around.files = dict.fromkeys(around.files, NoFiles())
    walk = Walk(loaded.graph)
    scopes = Scopes(walk, around)
    claims = Claims()

    def claim(task: Task) -> None:
        claims.claim(task, scopes)

    checks = _Checks(scopes, claim)
    _Walked(walk, scopes, _nothing_is_known, on_static_error=checks.unit, check_born=checks.task).begin()
    return checks.problems


def _nothing_is_known(task: Task) -> NoReturn:
    raise AssertionError(f"a check does not look {task.name} up")


class _Walked(Forecast):
    """What needs an unknown value stays open, and nothing that hangs on it is born."""

    def _one(self, command: Command) -> list[Command]:
        try:
            return super()._one(command)
        except UnknownValueError:
            return []


class _Checks(StaticChecks):
    """Static checks where some values are unknown."""

    def _try(self, node: Node, mark: Mark, work: Callable[[], Any]) -> None:
        with contextlib.suppress(UnknownValueError):
            super()._try(node, mark, work)

    def _check_contract(self, task: Task) -> None:
        with contextlib.suppress(UnknownValueError):
            super()._check_contract(task)
