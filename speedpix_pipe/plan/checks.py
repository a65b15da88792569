"""What can be found wrong before the first cent is spent: everything that depends on no step's output.

Fed with the tasks and lists of a walk as they are born, for `validate`, `plan` and the start of `run` alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from speedpix_pipe.errors import ExpressionError, Problem, TaskError
from speedpix_pipe.model import Mark, Pipeline, Step, StepKind, Template
from speedpix_pipe.plan.graph import Node, expressions_in, run_templates
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.targets import STAND_IN, render_path
from speedpix_pipe.plan.tasks import Task, Unit
from speedpix_pipe.spec.contracts import check_input
from speedpix_pipe.spec.expressions import render

VARYING = frozenset({"item", "index", "matrix", "run"})
MOST = 50  # problems; more of the same say nothing new


@dataclass(frozen=True, slots=True)
class _Known:
    """What of a step is known without any output. `varies`: differently for each task."""

    templates: tuple[Template, ...] = ()
    saves: tuple[Template, ...] = ()
    whole_input: bool = False
    varies: bool = False
    claims: bool = False


class StaticChecks:
    """Collects problems; `claim` reserves the save paths of a task."""

    def __init__(self, scopes: Scopes, claim: Callable[[Task], None] | None = None) -> None:
        self.problems: list[Problem] = []
        self._scopes = scopes
        self._claim = claim
        self._known: dict[int, _Known] = {}
        self._done: set[int] = set()
        self._seen: set[tuple[str, int, int, str]] = set()

    def unit(self, unit: Unit, error: ExpressionError) -> None:
        """A list that cannot be evaluated. One that waits for outputs fails at run time instead."""
        node = unit.node
        if node.list_links or node.axis_links or node.space.enter is not None or unit.source is not None:
            return
        mark = node.step.for_each.mark if node.step.for_each else node.step.mark
        self._add(node.space.pipeline, error, mark)

    def task(self, task: Task) -> None:
        node = task.node
        if node.space.enter is not None or len(self.problems) >= MOST:
            return
        known = self._known.get(node.index)
        if known is None:
            known = self._known[node.index] = _known_of(node)
        if known.claims and self._claim is not None:
            self._try(node, node.step.mark, lambda: self._claim_paths(task))
        if node.index in self._done and not known.varies:
            return
        self._done.add(node.index)
        scope = self._scopes.of_task(task)
        for template in known.templates:
            self._try(node, template.mark, partial(render, template, scope))
        scope.extra = {"ext": STAND_IN, "n": 1}
        for template in known.saves:
            self._try(node, template.mark, partial(render_path, template, scope))
        if known.whole_input and len(self.problems) < MOST:
            self._check_contract(task)

    def _claim_paths(self, task: Task) -> None:
        assert self._claim is not None
        self._claim(task)

    def _check_contract(self, task: Task) -> None:
        step = task.node.step
        if step.workflow is None or step.input is None:
            return
        scope = self._scopes.of_task(task)
        try:
            values = {entry.name: render(entry.value, scope) for entry in step.input.entries}
        except ExpressionError:
            return  # reported already
        rendered = {name: value for name, value in values.items() if value is not None}
        for sentence in check_input(step.workflow, rendered):
            error = ExpressionError(f"{task.name}: {sentence}", code="spec.contract")
            self._add(task.node.space.pipeline, error, step.input.mark)

    def _try(self, node: Node, mark: Mark, work: Callable[[], Any]) -> None:
        try:
            work()
        except (ExpressionError, TaskError) as error:
            self._add(node.space.pipeline, error, mark)

    def _add(self, pipeline: Pipeline, error: ExpressionError | TaskError, mark: Mark) -> None:
        problem = problem_of(error, mark, pipeline)
        identity = (problem.path, problem.line, problem.column, problem.message)
        if identity not in self._seen:
            self._seen.add(identity)
            self.problems.append(problem)


def problem_of(error: ExpressionError | TaskError, mark: Mark, pipeline: Pipeline) -> Problem:
    """An error of an expression as a problem of the spec, at the expression's own place where it is known."""
    message = error.message
    where = getattr(error, "where", None)
    if where:
        path, line, column = where.rsplit(":", 2)
        mark = Mark(path, int(line), int(column))
        message = message.removeprefix(f"{where}: ")
    lines = pipeline.text.splitlines()
    snippet = lines[mark.line - 1] if 0 < mark.line <= len(lines) else None
    return Problem(mark.path, mark.line, mark.column, error.code, message, hint=error.hint, snippet=snippet)


def _known_of(node: Node) -> _Known:
    step = node.step
    saves = tuple(rule.target for rule in step.save)
    templates = [t for t in _rendered_apart(step) if _is_known(t)]
    known_saves = tuple(t for t in saves if _is_known(t))
    every = [*templates, *known_saves]
    return _Known(
        templates=tuple(t for t in templates if any(expressions_in(t)) or _names_file(t)),
        saves=known_saves,
        whole_input=step.kind is StepKind.WORKFLOW
        and step.input is not None
        and step.workflow is not None
        and step.workflow.input is not None
        and _is_known(step.input),
        varies=any(VARYING & e.names for t in every for e in expressions_in(t)),
        claims=bool(saves) and len(known_saves) == len(saves),
    )


def _rendered_apart(step: Step) -> Iterator[Template]:
    """What a task renders, input field by field, without the paths of `save`."""
    saves = [rule.target for rule in step.save]
    for template in run_templates(step):
        if template is step.input and step.input is not None:
            for entry in step.input.entries:
                yield entry.value
        elif not any(template is save for save in saves):
            yield template


def _is_known(template: Template) -> bool:
    return not any("steps" in e.names or e.references for e in expressions_in(template))


def _names_file(template: Template) -> bool:
    return type(template).__name__ == "FileText"
