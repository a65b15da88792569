"""What is left of a spec with errors that can still be judged: the steps that nothing wrong touches.

A mistake in one step shall not hide those in the values of another until the next attempt.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.model import Pipeline, Step
from speedpix_pipe.plan.graph import references_in, step_edges

_HARMLESS = ("usage.", "spec.default", "spec.unknown-key")  # a param has no value then, a key no effect
_APART = ("outputs:", "watch:", "limits:")  # parts of a spec that no step's values depend on
_INSIDE = frozenset({"", " ", "#", "\r"})  # how lines begin that are no key of the spec itself


def remainder(pipeline: Pipeline, problems: Iterable[Problem]) -> Pipeline | None:
    """The pipeline with its sound steps only, without outputs; None where too little is sure."""
    names = sorted(pipeline.steps, key=lambda name: _place(pipeline.steps[name]))
    if not names:
        return None
    starts = [_place(pipeline.steps[name]) for name in names]
    lines = pipeline.text.split("\n")
    end = _end_of_steps(lines, starts[-1][0])
    faulty: set[str] = set()
    for problem in problems:
        if problem.severity is not Severity.ERROR:
            continue
        if problem.path != pipeline.shown:
            faulty |= {name for name, step in pipeline.steps.items() if step.pipeline is not None}
        elif starts[0] <= (problem.line, problem.column) and problem.line < end:
            faulty.add(names[bisect_right(starts, (problem.line, problem.column)) - 1])
        elif not problem.code.startswith(_HARMLESS) and not _section(lines, problem.line).startswith(_APART):
            return None
    sound = _without_followers(pipeline, faulty)
    return replace(pipeline, steps=sound, outputs=None, watch=()) if sound else None


def _place(step: Step) -> tuple[int, int]:
    return step.mark.line, step.mark.column


def _end_of_steps(lines: list[str], last: int) -> int:
    """The line of the first key of the spec behind its steps."""
    for number in range(last + 1, len(lines) + 1):
        if lines[number - 1][:1] not in _INSIDE:
            return number
    return len(lines) + 1


def _section(lines: list[str], line: int) -> str:
    """The line with the key of the spec that a line belongs to."""
    return next((text for text in reversed(lines[:line]) if text[:1] not in _INSIDE), "")


def _without_followers(pipeline: Pipeline, faulty: set[str]) -> dict[str, Step]:
    """Steps that neither are faulty nor refer, over whatever way, to one that is."""
    users: dict[str, list[str]] = {}
    for name, step in pipeline.steps.items():
        for other in _named(step):
            users.setdefault(other, []).append(name)
    lost = {*faulty, *(other for other in users if other not in pipeline.steps)}
    open_ = list(lost)
    while open_:
        followers = set(users.get(open_.pop(), ())) - lost
        lost |= followers
        open_.extend(followers)
    return {name: step for name, step in pipeline.steps.items() if name not in lost}


def _named(step: Step) -> set[str]:
    named = {reference.step for group in step_edges(step).values() for reference in group}
    named |= {reference.step for reference in references_in(step.for_each)}
    return named | set(step.needs)
