"""The use case `diff`: what changed in meaning between two states of a spec, and which tasks would run again."""

from __future__ import annotations

from collections import Counter
from dataclasses import field, replace

from speedpix_pipe import vcs
from speedpix_pipe.app.forecast import Note, foresee
from speedpix_pipe.app.plan import past, planned_connection
from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.selection import Selection
from speedpix_pipe.app.specs import Loaded, require
from speedpix_pipe.clock import Clock, SystemClock
from speedpix_pipe.errors import PipeError, Severity, SpecError
from speedpix_pipe.files.objects import MOST_READ, Objects
from speedpix_pipe.model import Json
from speedpix_pipe.plan.diff import Change, compare
from speedpix_pipe.plan.estimate import Outlook, StepEstimate
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.records import dataclass
from speedpix_pipe.store import Store


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """`spec.rev` is ignored: `before` and `after` name the two sides; None is the working tree."""

    spec: SpecRequest
    before: str
    after: str | None = None
    local: bool = False
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True)
class StepOutlook:
    """The tasks of one step as it is now. `changed`: would run, and would not be the tasks that they were."""

    estimate: StepEstimate
    changed: int

    def to_json(self) -> dict[str, Json]:
        return {**self.estimate.to_json(), "changed": self.changed}


@dataclass(frozen=True, slots=True)
class Difference:
    """`tasks` is None where they cannot be known; `why_not` then says why."""

    name: str
    before: str
    after: str
    changes: list[Change]
    tasks: tuple[StepOutlook, ...] | None
    why_not: str | None = None

    def to_json(self) -> dict[str, Json]:
        return {
            "before": self.before,
            "after": self.after,
            "changes": [change.to_json() for change in self.changes],
            "tasks": None if self.tasks is None else [step.to_json() for step in self.tasks],
            "why_not": self.why_not,
        }


def diff(request: DiffRequest) -> Difference:
    """SpecError where one of the two cannot be read as a spec."""
    old = _side(request, request.before)
    new = _side(request, request.after)
    changes = compare(old.pipeline, new.pipeline)
    tasks, why_not = None, None
    try:
        tasks = _tasks(request)
    except PipeError as error:  # a param without a value, a file that is gone: the rest of the answer stands
        why_not = _first_error(error)
    return Difference(
        new.pipeline.name, _shown(request, request.before), _shown(request, request.after), changes, tasks, why_not
    )


def _first_error(error: PipeError) -> str:
    if not isinstance(error, SpecError):
        return error.message
    return next(problem.message for problem in error.problems if problem.severity is Severity.ERROR)


def _side(request: DiffRequest, revision: str | None) -> Loaded:
    """The spec as it is written, whatever files and params there are."""
    wanted = replace(request.spec, rev=revision, check_files=False, params={}, params_file=None)
    try:
        return require(wanted, unknown_ok=True, skip_watched=True)
    except SpecError as error:
        where = f"{revision}:" if revision is not None else ""
        raise SpecError([replace(problem, path=f"{where}{problem.path}") for problem in error.problems]) from None


def _tasks(request: DiffRequest) -> tuple[StepOutlook, ...]:
    spec = request.spec
    folder = (spec.cwd / spec.spec).resolve().parent
    with past(spec.settings.state_folder(folder), request.clock) as store:
        known: set[str] = set()

        def remember(_task: Task, fingerprint: str | None, _outlook: Outlook) -> None:
            known.add(fingerprint or "")

        _foresee(request, request.before, store, remember)
        changed: Counter[str] = Counter()

        def count(task: Task, fingerprint: str | None, outlook: Outlook) -> None:
            if outlook is not Outlook.CACHED and fingerprint not in known:
                changed[task.node.name] += 1

        steps = _foresee(request, request.after, store, count)
    return tuple(StepOutlook(step, changed[step.step]) for step in steps)


def _foresee(request: DiffRequest, revision: str | None, store: Store | None, note: Note) -> tuple[StepEstimate, ...]:
    objects = Objects(store.digests if store else None, most_read=MOST_READ)
    loaded = require(replace(request.spec, rev=revision), objects=objects)
    connection = planned_connection(loaded.settings, local=request.local)
    return foresee(loaded, Selection(), connection, store, request.clock, note=note).steps


def _shown(request: DiffRequest, revision: str | None) -> str:
    if revision is None:
        return "the working tree"
    commit = vcs.resolve(revision, request.spec.cwd / request.spec.spec)
    return revision if commit.startswith(revision) else f"{revision} ({commit[:10]})"
