"""What can be found wrong before the first cent is spent: everything that depends on no step's output.

Fed with what a walk knows before anything ran, for `validate`, `plan` and the start of `run` alike: lists,
conditions and sub-pipelines' inputs as they turn out wrong, and each task once the walk has come to rest. By then
tasks that are skipped in any case have been; what they would have rendered is nobody's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from speedpix_pipe.errors import ExpressionError, Problem, Severity, SpecError, TaskError
from speedpix_pipe.files.objects import LookFirstError
from speedpix_pipe.model import (
    Entry,
    FileText,
    ImageOperation,
    Literal,
    MapOf,
    Mark,
    Pipeline,
    Step,
    TaskStatus,
    Template,
    Workflow,
)
from speedpix_pipe.plan.covers import Net, nets_of, variants
from speedpix_pipe.plan.graph import Node, Role, expressions_in, run_templates
from speedpix_pipe.plan.names import problem_at
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.targets import STAND_IN, render_path
from speedpix_pipe.plan.tasks import Effect, Phase, Task, Unit
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.contracts import about, check_for
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.places import lines_of
from speedpix_pipe.spec.scope import Scope

VARYING = frozenset({"item", "index", "matrix", "run"})
_OF_TASKS = frozenset({"item", "index", "matrix"})
LOOKED_AT = 10  # tasks of a step whose rendered paths are held against the spec's patterns
MOST = 50  # problems; more of the same say nothing new
PATIENCE_SECONDS = 0.7  # of the processor, for more problems once there is one: a spec can ask for hours
PART = "plan.part"
_Template = TypeVar("_Template", bound=Template)


@dataclass(frozen=True, slots=True)
class _Known:
    """What of a step is known without any output. `varies`: differently for each task."""

    templates: tuple[Template, ...] = ()
    saves: tuple[Template, ...] = ()
    contract: tuple[Entry, ...] = ()  # input fields that the workflow's contract can judge
    judged: bool = False  # its operations or expectations have values that can be known
    varies: bool = False
    claims: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """Something wrong with an `image:` operation or an expectation."""

    mark: Mark
    code: str
    message: str
    hint: str | None


Judge = Callable[[Sequence[ImageOperation], Mapping[str, Template]], Iterable[Judgement]]


class StaticChecks:
    """Collects problems; `claim` reserves the save paths of a task.

    `unknown` are errors that say that a value is not known here: nothing is wrong then, and nothing more is said.
    `warnings` are shown beside what makes the command refuse. `judge` knows what `image:` and `expect` take.
    """

    patience_seconds: float | None = PATIENCE_SECONDS

    def __init__(
        self,
        scopes: Scopes,
        claim: Callable[[Task], None] | None = None,
        *,
        unknown: tuple[type[Exception], ...] = (),
        warnings: Sequence[Problem] = (),
        judge: Judge | None = None,
    ) -> None:
        self.problems: list[Problem] = []
        self.unknown = unknown
        self._scopes = scopes
        self._claim = claim
        self._outputs_seen = False
        # What takes a request first, and is tried after it.
        self.later: list[tuple[LookFirstError, Callable[[], None]]] = []
        self._known: dict[int, _Known] = {}
        self._done: set[int] = set()
        self._looked: dict[int, int] = {}
        self._nets: dict[Path, list[Net]] = {}  # by the path of the pipeline whose steps save
        self._seen: set[tuple[str, int, int, str]] = set()
        self._warnings = warnings
        self._judge = judge
        self._began = time.process_time()

    def refuse(self) -> None:
        """SpecError with all that was found, if anything was."""
        if self.problems:
            raise SpecError([*self.problems, *self._warnings])

    def _lose_patience(self) -> None:
        """What is wrong already will not be carried out; the rest is looked at while that is quick."""
        if not self.problems or self.patience_seconds is None:
            return
        if time.process_time() - self._began > self.patience_seconds:
            pipeline = self._scopes.walk.graph.pipeline
            self.problems.append(partly_looked_at(pipeline, hint="mend what is wrong, and look again"))
            self.refuse()

    def unit(self, asker: Unit | Task, error: ExpressionError) -> None:
        """A list, a condition or a sub-pipeline's input that cannot be evaluated."""
        step = asker.node.step
        mark = step.for_each.mark if isinstance(asker, Unit) and step.for_each else step.mark
        self._add(asker.node.space.pipeline, error, mark)
        self._lose_patience()

    def _outputs(self) -> None:
        """What the spec's own `outputs` give without any step, and names that mean nothing there."""
        node = self._scopes.walk.graph.nodes[0]
        pipeline = node.space.pipeline
        for entry in pipeline.outputs.entries if pipeline.outputs is not None else ():
            for expression in expressions_in(entry.value):
                for name in sorted(_OF_TASKS & expression.names):
                    error = ExpressionError(f"`{name}` outside a fan-out: outputs have none", code=f"spec.no-{name}")
                    self._add(pipeline, error, expression.mark)
            if _is_known(entry.value) and not any(_OF_TASKS & e.names for e in expressions_in(entry.value)):
                self._try(node, entry.value.mark, partial(render, entry.value, self._scopes.of_output()[0]))

    def task(self, task: Task) -> None:
        self._lose_patience()
        if not self._outputs_seen:
            self._outputs_seen = True
            self._outputs()
        node = task.node
        if node.role is Role.LEAVE or len(self.problems) >= MOST:
            return
        if task.status not in {None, TaskStatus.FAILED} or _may_be_skipped(task):
            return
        if task.fault is not None and task.fault.error is not None:
            self._add(node.space.pipeline, task.fault.error, node.step.mark)
        if task.status is not None or task.fault is not None:
            return
        known = self._known.get(node.index)
        if known is None:
            known = self._known[node.index] = _known_of(node)
        before = len(self.problems)
        if known.claims and self._claim is not None:
            self._try(node, node.step.save[0].target.mark, lambda: self._claim_paths(task))
        if node.index in self._done and not known.varies:
            return
        self._done.add(node.index)
        scope = self._scopes.of_task(task)
        for template in known.templates:
            self._try(node, template.mark, partial(render, template, scope))
        # A claim has rendered all paths already; the first few are looked at more closely all the same.
        claimed = known.claims and self._claim is not None and len(self.problems) == before
        for template in () if claimed and self._looked.get(node.index, 0) >= LOOKED_AT else known.saves:
            self._try(node, template.mark, partial(self._save_path, node, template, scope))
        if known.contract and len(self.problems) < MOST:
            self._check_contract(task)
        if known.judged and self._judge is not None:
            operations = [replace(one, options=self._as_known(one.options, scope)) for one in node.step.operations]
            expect = {path: self._as_known(template, scope) for path, template in node.step.expect.items()}
            for found in self._judge(operations, expect):
                error = ExpressionError(found.message, code=found.code, hint=found.hint)
                self._add(node.space.pipeline, error, found.mark)

    def _save_path(self, node: Node, template: Template, scope: Scope) -> None:
        scope.extra = {"ext": STAND_IN, "n": 1}
        try:
            path = render_path(template, scope)
        finally:
            scope.extra = {}
        looked = self._looked.get(node.index, 0)
        if looked < LOOKED_AT:
            self._looked[node.index] = looked + 1
            folder = node.space.pipeline.folder
            for net in self._nets_of(node.space.pipeline):
                if any(net.catches(variant, folder) for variant in variants(path, STAND_IN)):
                    raise ExpressionError(net.complaint(node.step), code="spec.save-covered")

    def _nets_of(self, pipeline: Pipeline) -> list[Net]:
        """Those of the pipeline, and those of the spec itself: what a sub-pipeline saves may be found by it too."""
        found = self._nets.get(pipeline.path)
        if found is None:
            outermost = self._scopes.walk.graph.pipeline
            both = {one.path: one for one in (pipeline, outermost)}.values()
            found = self._nets[pipeline.path] = [net for one in both for net in nets_of(one)]
        return found

    def _claim_paths(self, task: Task) -> None:
        assert self._claim is not None
        self._claim(task)

    def _check_contract(self, task: Task) -> None:
        workflow = task.node.step.workflow
        assert workflow is not None
        scope = self._scopes.of_task(task)
        for entry in self._known[task.node.index].contract:
            try:
                value = render(entry.value, scope)
            except ExpressionError:
                continue  # reported already
            except self.unknown:
                continue
            except LookFirstError as first:
                self.later.append((first, partial(self._check_contract, task)))
                return
            for sentence in _said_of(workflow, entry.name, value):
                error = ExpressionError(f"{task.name}: {sentence}", code="spec.contract")
                self._add(task.node.space.pipeline, error, entry.value.mark)

    def _as_known(self, template: _Template, scope: Scope) -> _Template:
        """The mapping with the values of all that needs no output."""
        if not isinstance(template, MapOf):
            return template
        entries = []
        for entry in template.entries:
            value = entry.value
            if _can_be_known(value):
                with suppress(ExpressionError, LookFirstError, *self.unknown):  # reported already, or not known here
                    value = Literal(render(value, scope), value.mark)
            entries.append(Entry(entry.name, value, entry.mark))
        return replace(template, entries=tuple(entries))

    def _try(self, node: Node, mark: Mark, work: Callable[[], Any]) -> None:
        try:
            work()
        except self.unknown:
            return
        except LookFirstError as first:
            self.later.append((first, partial(self._try, node, mark, work)))
        except (ExpressionError, TaskError) as error:
            self._add(node.space.pipeline, error, mark)

    def _add(self, pipeline: Pipeline, error: ExpressionError | TaskError, mark: Mark) -> None:
        problem = problem_of(error, mark, pipeline)
        identity = (problem.path, problem.line, problem.column, problem.message)
        if identity not in self._seen:
            self._seen.add(identity)
            self.problems.append(problem)


def partly_looked_at(pipeline: Pipeline, *, hint: str) -> Problem:
    message = "this spec takes long to evaluate, and a part of it only was looked at"
    return problem_at(pipeline, pipeline.mark, PART, message, hint=hint, severity=Severity.WARNING)


def problem_of(error: ExpressionError | TaskError, mark: Mark, pipeline: Pipeline) -> Problem:
    """An error of an expression as a problem of the spec, at the expression's own place where it is known."""
    message = error.message
    where = getattr(error, "where", None)
    if where:
        path, line, column = where.rsplit(":", 2)
        mark = Mark(path, int(line), int(column))
        message = message.removeprefix(f"{where}: ")
    snippet = lines_of(pipeline.text).line(mark.line) or ""
    column, width = _extent(snippet, mark.column)
    return Problem(mark.path, mark.line, column, error.code, message, hint=error.hint, snippet=snippet, width=width)


def _extent(line: str, column: int) -> tuple[int, int]:
    """The whole expression that stands at a column, or the value that begins there."""
    start = line.rfind("${{", 0, column + 2)
    end = line.find("}}", start)
    if start >= 0 and end < 0:
        return start + 1, len(line.rstrip()) - start  # it goes on in the next line
    if start >= 0 and column - 1 <= end + 1:
        return start + 1, end + 2 - start
    rest = line[column - 1 :].partition(" #")[0].rstrip()
    return column, max(1, len(rest))


def _known_of(node: Node) -> _Known:
    step = node.step
    saves = tuple(rule.target for rule in step.save)
    templates = [t for t in _rendered_apart(step) if _is_known(t)]
    known_saves = tuple(t for t in saves if _is_known(t))
    every = [*templates, *known_saves]
    names = VARYING if node.space.enter is None else VARYING | {"params"}
    return _Known(
        templates=tuple(t for t in templates if any(expressions_in(t)) or _names_file(t)),
        saves=known_saves,
        contract=_judged(step),
        judged=any(_can_be_known(e.value) for t in _judged_templates(step) if isinstance(t, MapOf) for e in t.entries),
        varies=any(names & e.names for t in every for e in expressions_in(t)),
        claims=bool(saves) and len(known_saves) == len(saves),
    )


def _said_of(workflow: Workflow, name: str, value: Any) -> list[str]:
    field = (workflow.input or {}).get(name)
    if field is None:
        return []  # an unknown field has been reported
    if value is None:
        return [f"{name} is null; {workflow.name} needs it"] if field.required else []
    return [about(name, said) for said in check_for(field.type, field.schema)(value)]


def _judged(step: Step) -> tuple[Entry, ...]:
    """Fields whose values are known; what is written without an expression has been judged where it is read."""
    if step.workflow is None or step.workflow.input is None or step.input is None:
        return ()
    return tuple(e for e in step.input.entries if _is_known(e.value) and any(expressions_in(e.value)))


def _judged_templates(step: Step) -> Iterator[Template]:
    yield from (operation.options for operation in step.operations)
    yield from step.expect.values()


def _can_be_known(template: Template) -> bool:
    return _is_known(template) and any(expressions_in(template))


def _may_be_skipped(task: Task) -> bool:
    """Whether a `when` that is not decided yet, its own or its origin's, may keep the task from rendering anything.

    Inside a sub-pipeline nothing can be said before its params are known.
    """
    asked: Task | None = task
    while asked is not None:
        if asked.status is None and asked.node.step.when is not None and asked.phase <= Phase.DECIDING:
            return True
        if asked is not task and asked.node.role is Role.ENTER and asked.effect is not Effect.OK:
            return True
        asked = asked.source
    return False


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
    return isinstance(template, FileText)
