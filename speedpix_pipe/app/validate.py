"""The use case `validate`: everything that can be found wrong without a service, a credential or a task's output."""

from __future__ import annotations

from collections.abc import Iterator

from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.specs import load
from speedpix_pipe.app.values import value_problems
from speedpix_pipe.errors import Problem, in_order
from speedpix_pipe.model import Pipeline

CASES = ".test.yaml"
CREDENTIAL = "usage.credential-in-env"  # with which no expression is worked out


def validate(request: SpecRequest) -> list[Problem]:
    """All problems of one spec, warnings too; of a case file those of its form."""
    if request.spec.name.endswith(CASES):
        from speedpix_pipe.app.spectest.casefile import case_file_problems

        return case_file_problems(request)
    loaded, problems = load(request, unknown_ok=True, skip_watched=True)
    if loaded is not None:
        problems += _watched(loaded.pipeline)
        if not any(problem.code == CREDENTIAL for problem in problems):
            problems += value_problems(loaded, files=request.check_files)
    return in_order(problems)


def _watched(pipeline: Pipeline) -> Iterator[Problem]:
    """What is wrong with the folders of `watch`."""
    if pipeline.watch:
        from speedpix_pipe.triggers.places import problems_of

        yield from problems_of(pipeline)
