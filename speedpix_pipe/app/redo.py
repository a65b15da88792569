"""The use case `runs redo`: exactly those tasks of a past run again, then what follows from them.

A run of its own, of the spec as it stands now, with the params of the past run. What somebody asked for by name is
made anew even where its result is kept, with another seed if they say so; what failed is asked for again; a
submission of unknown outcome is made again, and its old row abandoned in the transaction that makes the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field, replace
from pathlib import Path

from speedpix_pipe.app.arrived import with_arrivals
from speedpix_pipe.app.one_run import OneRun, RunOutcome, Subscribe, new_run_id
from speedpix_pipe.app.redo_rest import Named, remembered, rest_of
from speedpix_pipe.app.resuming import asked_again
from speedpix_pipe.app.runs import unknown_of
from speedpix_pipe.app.selection import exactly, matches
from speedpix_pipe.app.specs import required
from speedpix_pipe.app.start import may_begin
from speedpix_pipe.app.station import open_station
from speedpix_pipe.app.stopping import signals
from speedpix_pipe.clock import Clock, SystemClock
from speedpix_pipe.errors import UsageError
from speedpix_pipe.files import LateDigests
from speedpix_pipe.files.objects import Objects
from speedpix_pipe.model import TaskStatus
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import Settings
from speedpix_pipe.steps.base import Again
from speedpix_pipe.steps.seeds import Wish
from speedpix_pipe.store import RunRow, Store, TaskRow

NEW_SEED = "new-seed: "  # before a STEP@KEY: this one with another seed. No step can be called that.


@dataclass(frozen=True, slots=True)
class RedoRequest:
    """Which tasks of which run. `tasks` are STEP@KEY as people write them, patterns included."""

    state_folder: Path
    settings: Settings
    run: str | None = None
    failed: bool = False
    unknown: bool = False
    tasks: Sequence[str] = ()
    from_file: Path | None = None
    new_seed: bool = False
    spec_seed: bool = False
    rest: bool = False
    concurrency: int | None = None
    grace_seconds: float = 8.0
    confirm: Callable[[str], bool] | None = None
    clock: Clock = field(default_factory=SystemClock)


async def redo(request: RedoRequest, subscribe: Subscribe) -> RunOutcome:
    """Carry it out. UsageError where nothing fits what was asked for."""
    with Store.open(request.state_folder, write=False) as past:
        row = past.journal.run(request.run)
        again, wishes = chosen(past, row, request)
    asked = replace(
        asked_again(row, request.settings),
        concurrency=request.concurrency,
        grace_seconds=request.grace_seconds,
        confirm=request.confirm,
        clock=request.clock,
    )
    with ExitStack() as stack:
        watched = row.watched_folder is not None
        digests = LateDigests()
        loaded = await required(asked.spec, Objects(digests), skip_watched=watched)
        store = stack.enter_context(Store.open(request.state_folder, now=request.clock.now))
        digests.store = store.digests
        if watched:
            loaded = with_arrivals(loaded, row, store)
        run_id = new_run_id(request.clock)
        stack.enter_context(store.lock(loaded.pipeline.path, run_id=run_id))
        selection = exactly(loaded.graph, again)
        notes: list[str] = []
        station = open_station(asked, loaded, store, notes, stack)
        try:
            await station.begin()
            arguments = {**_arguments(row), "redo": remembered(row.id, again, wishes)}
            going = OneRun(
                station, asked, loaded, run_id, arguments=arguments, origin=row.id, notes=notes, selection=selection
            )
            going.lives.again = _asker(again)
            going.seeds.wishes = wishes
            await going.prepare()
            selection.check_exact()
            meant = exactly(loaded.graph, again)
            asker, spent = _asker(again), going.spent
            await may_begin(asked, loaded, station.connection, store, run_id, spent, selection=meant, again=asker)
            if station.connection.local:
                await store.ledger.forget_open(station.connection.account)
            with signals(going.interrupt, going.driver.leave):
                return await going.carry_out(subscribe)
        finally:
            await station.aclose()


def chosen(store: Store, row: RunRow, request: RedoRequest) -> tuple[dict[Named, Again], dict[str, Wish]]:
    """The tasks that are meant, what each may set aside, and which seed is wished for it."""
    lines = [*request.tasks, *_lines(request.from_file)]
    _refuse_contradictions(request, lines, row.id)
    if request.rest:
        return rest_of(store, row)
    tasks = list(store.journal.tasks(row.id))
    found: dict[Named, Again] = {}
    if request.failed:
        found |= {(t.step, t.key): Again.FAILED for t in tasks if t.status is TaskStatus.FAILED}
    if request.unknown:
        found |= {(t.step, t.key): Again.UNKNOWN for t in tasks if t.status is TaskStatus.UNKNOWN}
        found |= {(s.step, s.key): Again.UNKNOWN for s in unknown_of(store, row)}
    named = list(_named(tasks, [line.removeprefix(NEW_SEED) for line in lines if line.startswith(NEW_SEED)], row.id))
    wishes = {f"{step}@{key}": Wish.NEW for step, key in named}
    named += _named(tasks, [line for line in lines if not line.startswith(NEW_SEED)], row.id)
    # A seed that the spec says again wants its old picture back, which is kept.
    found |= dict.fromkeys(named, Again.NO if request.spec_seed else Again.ANEW)
    if request.new_seed or request.spec_seed:
        wishes = {f"{step}@{key}": Wish.NEW if request.new_seed else Wish.OF_SPEC for step, key in found}
    if not found:
        words = " or ".join(w for w, on in (("failed", request.failed), ("unknown", request.unknown)) if on)
        raise UsageError(f"no task of run {row.id} is {words}", code="usage.nothing-to-redo")
    return found, wishes


def _refuse_contradictions(request: RedoRequest, lines: Sequence[str], run_id: str) -> None:
    others = request.failed or request.unknown or bool(lines) or request.new_seed or request.spec_seed
    if request.rest and others:
        raise UsageError(
            "--rest goes on with a redo as it was asked for, so it goes with nothing else", code="usage.redo"
        )
    if not (others or request.rest) or not (request.rest or request.failed or request.unknown or lines):
        raise UsageError(
            "which tasks? give --failed, --unknown, --from-file or STEP@KEY",
            code="usage.redo",
            hint=f"`speedpix-pipe runs show {run_id}` lists what failed",
        )
    if request.unknown and (request.new_seed or request.spec_seed):
        raise UsageError(
            "--unknown sends the same again, so it goes with no other seed",
            code="usage.redo",
            hint="name the tasks instead: STEP@KEY --new-seed",
        )
    if request.spec_seed and (request.new_seed or any(line.startswith(NEW_SEED) for line in lines)):
        raise UsageError("a new seed and the one that the spec says: only one of them can be had", code="usage.redo")


def _named(tasks: Sequence[TaskRow], selectors: Iterable[str], run_id: str) -> Iterable[Named]:
    by_step: dict[str, dict[str, TaskRow]] = {}
    for task in tasks:
        by_step.setdefault(task.step, {})[task.key] = task
    for selector in selectors:
        step, at, key = selector.partition("@")
        of_step = by_step.get(step)
        if of_step is None:
            hint = f"its steps are: {', '.join(by_step)}"
            raise UsageError(f'run {run_id} has no step "{step}"', code="usage.no-step", hint=hint)
        if not at or key in of_step:
            fitting = [key] if at else list(of_step)
        else:
            fitting = [known for known in of_step if matches(known, key)]
        if not fitting:
            hint = f"such as {step}@{next(iter(of_step))}"
            raise UsageError(f'run {run_id} has no task "{selector}"', code="usage.no-task", hint=hint)
        if len(fitting) > 1 and at and "*" not in key:
            shown = ", ".join(f"{step}@{known}" for known in fitting[:3])
            raise UsageError(
                f'"{selector}" fits {len(fitting)} tasks: {shown}',
                code="usage.ambiguous-task",
                hint="write the whole key, or a pattern with * for all of them",
            )
        yield from ((step, known) for known in fitting)


def _lines(path: Path | None) -> list[str]:
    """One STEP@KEY a line, `new-seed: ` before it where it is to have another; empty ones and # do not count."""
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(
            f"cannot read {path}: there is no such file",
            code="usage.redo-file",
            hint="the gallery's list is where your browser saves files, such as ~/Downloads",
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", code="usage.redo-file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: it is not UTF-8", code="usage.redo-file") from error
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _asker(again: Mapping[Named, Again]) -> Callable[[Task], Again]:
    def asked(task: Task) -> Again:
        return again.get((task.node.name, task.key), Again.NO)

    return asked


def _arguments(row: RunRow) -> dict[str, object]:
    return dict(row.arguments) if isinstance(row.arguments, dict) else {}
