"""What each task of a run would come to, from what the state folder knows. Nothing is sent and nothing written."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any, NoReturn

from speedpix_pipe.app.connection import Connection
from speedpix_pipe.app.judging import judge
from speedpix_pipe.app.selection import Selection
from speedpix_pipe.app.specs import Loaded, surroundings
from speedpix_pipe.clock import Clock
from speedpix_pipe.engine.life import output_of
from speedpix_pipe.engine.saving import saved_paths
from speedpix_pipe.errors import AccessError, ExpressionError, TaskError
from speedpix_pipe.events import Event
from speedpix_pipe.files import FileValue, StorageError
from speedpix_pipe.model import OPEN_STATES, OnUnknownSubmit, Result, StepKind, SubmissionState
from speedpix_pipe.plan.checks import StaticChecks
from speedpix_pipe.plan.claims import Claims, targets_of
from speedpix_pipe.plan.estimate import Estimate, Forecast, Judgement, Outlook, StepEstimate, cost_of, seconds_of
from speedpix_pipe.plan.graph import Node, expressions_in
from speedpix_pipe.plan.scopes import Scopes
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.plan.walk import Walk
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.steps import open_kind
from speedpix_pipe.steps.base import Again, Kit, Prepared
from speedpix_pipe.steps.base import StepKind as Kind
from speedpix_pipe.steps.rendered import files_in
from speedpix_pipe.steps.seeds import Seeds
from speedpix_pipe.steps.service import UPLOAD_MARGIN_SECONDS, Service
from speedpix_pipe.store import Store

MOST_HISTORY = 20_000  # events of past runs that are looked at for how long things take
RUNS_OF_HISTORY = 3

Note = Callable[[Task, str | None, Outlook], None]  # a task, its fingerprint, what it would come to
AskAgain = Callable[[Task], Again]


def foresee(
    loaded: Loaded,
    selection: Selection,
    connection: Connection,
    store: Store | None,
    clock: Clock,
    *,
    run_id: str = "",
    no_cache: bool = False,
    concurrency: int | None = None,
    note: Note | None = None,
    again: AskAgain | None = None,
) -> Estimate:
    """What a run would do now; SpecError where it would refuse.

    `run_id` is that of the run, where it is known: uncached steps have it in their key.
    `note` is told of each task that is judged. `again` says what is set aside for a task because somebody asked.
    """
    walk = Walk(loaded.graph, nodes=selection.nodes, demand=selection.demand)
    now = clock.now().astimezone()
    names = {"id": run_id, "date": now.date().isoformat(), "time": now.strftime("%H:%M:%S")}
    scopes = Scopes(walk, surroundings(loaded, run=names, digests=store.digests if store else None))
    outlooks = _Outlooks(loaded, scopes, connection, store, clock, run_id, no_cache=no_cache, note=note)
    outlooks.again = again or outlooks.again
    claims = Claims()

    def claim(task: Task) -> None:
        claims.claim(task, scopes)

    checks = StaticChecks(scopes, claim, warnings=loaded.warnings, judge=judge)
    forecast = Forecast(walk, scopes, outlooks.judge, on_static_error=checks.unit, check_born=checks.task)
    selection.attach(walk)
    forecast.begin()
    selection.check()
    checks.refuse()
    forecast.look_ahead()
    steps = forecast.steps(selection.nodes)
    for task in forecast.waiting():
        outlooks.will_need(task)
    needs = {node.name: {loaded.graph.nodes[i].name for i in loaded.graph.needs_of(node)} for node in loaded.graph}
    return Estimate(
        steps=steps,
        upload_bytes=None if _uploads_unknown(loaded, steps) else outlooks.upload_bytes(),
        seconds=seconds_of(
            steps,
            needs,
            _history(store, loaded, connection.name) if store else {},
            concurrency or loaded.pipeline.limits.concurrency,
        ),
        cost=cost_of(steps),
    )


class _Outlooks:
    """Judges tasks by ledger, results and blobs."""

    def __init__(
        self,
        loaded: Loaded,
        scopes: Scopes,
        connection: Connection,
        store: Store | None,
        clock: Clock,
        run_id: str,
        *,
        no_cache: bool,
        note: Note | None,
    ) -> None:
        self._note = note
        self._scopes = scopes
        self._store = store
        self._clock = clock
        self._connection = connection
        keeper = _Keeper(store)
        self._service = Service(
            connection.connect,
            name=connection.name,
            account=connection.account,
            upload_account=connection.upload_account,
            urls_outlive_us=not connection.local,
            uploads=_REFUSING,
            keeper=keeper,
            clock=clock,
            emit=_nobody,
        )
        self._keeper = keeper
        self._kit = Kit(
            run_id=run_id,
            folder=loaded.pipeline.folder,
            no_cache=no_cache,
            service=self._service,
            ledger=_REFUSING,
            keeper=keeper,
            executor=_REFUSING,
            clock=clock,
            random=random.random,
            seeds=Seeds(
                store.seeds if store is not None else None, sent=self._was_sent, random=random.random, run_id=run_id
            ),
        )
        self.again: AskAgain = lambda _: Again.NO
        self._kinds: dict[StepKind, Kind] = {}
        self._seen: set[str] = set()
        self._uploads = _Wanted()

    def judge(self, task: Task) -> Judgement:
        prepared = self._prepare(task)
        judged = self._judged(task, prepared)
        if self._note is not None:
            self._note(task, prepared.fingerprint, judged.outlook)
        return judged

    def _judged(self, task: Task, prepared: Prepared) -> Judgement:
        fingerprint = prepared.fingerprint
        if fingerprint is not None:
            kept = self._kept(task, fingerprint)
            if kept is not None and self.again(task) is not Again.ANEW:
                return self._cached(task, kept)
            if fingerprint in self._seen:
                return Judgement(Outlook.CACHED)  # an equal task of this run does it
            self._seen.add(fingerprint)
        outlook = self._outlook(task, fingerprint)
        if outlook is Outlook.RUN and task.node.step.kind is StepKind.WORKFLOW:
            self._uploads.add(prepared.input, task.node.step.timeout_seconds)
        return Judgement(outlook)

    def will_need(self, task: Task) -> None:
        """The files of a waiting task's input that do not depend on what it waits for."""
        step = task.node.step
        if step.kind is not StepKind.WORKFLOW or step.input is None:
            return
        scope = self._scopes.of_task(task)
        for entry in step.input.entries:
            if any("steps" in e.names or e.references for e in expressions_in(entry.value)):
                continue
            with suppress(ExpressionError, TaskError):  # it may never be asked for; if it is, its task fails
                self._uploads.add(render(entry.value, scope), step.timeout_seconds)

    def upload_bytes(self) -> int:
        """Every content once, less what the service still has."""
        account = self._connection.upload_account
        uploads = self._store.uploads if self._store is not None else None
        total = 0
        for digest, file, timeout in self._uploads:
            margin = max(UPLOAD_MARGIN_SECONDS, timeout)
            if uploads is None or not uploads.look(account, digest, _media_type(file), margin_seconds=margin):
                total += file.size
        return total

    # --- parts ---

    def _was_sent(self, fingerprint: str) -> bool:
        return self._store is not None and self._store.ledger.was_sent(self._connection.account, fingerprint)

    def _prepare(self, task: Task) -> Prepared:
        step = task.node.step
        kind = self._kinds.get(step.kind)
        if kind is None:
            kind = self._kinds[step.kind] = open_kind(step.kind.value, self._kit)
        scope = self._scopes.of_task(task)
        values = {entry.name: render(entry.value, scope) for entry in step.input.entries} if step.input else {}
        rendered = {name: value for name, value in values.items() if value is not None}
        return kind.prepare(step, task.name, rendered, scope)

    def _kept(self, task: Task, fingerprint: str) -> Result | None:
        if self._store is None:
            return None
        result = self._store.ledger.result(fingerprint)
        if result is None or self._too_old(task, result):
            return None
        return result if all(self._keeper.has(kept.sha256, kept.size) for kept in result.files) else None

    def _too_old(self, task: Task, result: Result) -> bool:
        age = task.node.step.cache.max_age_seconds
        if age is None or result.received_at is None:
            return False
        return (self._clock.now() - result.received_at).total_seconds() > age

    def _cached(self, task: Task, kept: Result) -> Judgement:
        self._service.remember(kept.files, kept.received_at)
        folder = task.node.space.pipeline.folder
        saved = saved_paths(targets_of(task, self._scopes), kept, folder)
        files = {
            f.place: FileValue.kept(f, self._keeper.path(f.sha256), saved.get(f.place), folder) for f in kept.files
        }
        return Judgement(Outlook.CACHED, known=True, output=output_of(kept, files), files=list(files.values()))

    def _outlook(self, task: Task, fingerprint: str | None) -> Outlook:
        if self._store is None or fingerprint is None or task.node.step.kind is not StepKind.WORKFLOW:
            return Outlook.RUN
        ledger = self._store.ledger
        row = ledger.look(self._connection.account, fingerprint)
        if row is None:
            return Outlook.RUN
        lives = ledger.owner_lives(row)
        if self._connection.local and row.state in OPEN_STATES and not lives:
            return Outlook.RUN  # the emulator that had it has ended, and it cost nothing
        match row.state:
            case SubmissionState.CREATED:
                return Outlook.JOIN
            case SubmissionState.SUCCEEDED:
                anew = self.again(task) is Again.ANEW or self._is_stale(task, fingerprint)
                return Outlook.RUN if anew else Outlook.JOIN
            case SubmissionState.REQUESTED if lives:
                return Outlook.JOIN
            case SubmissionState.REQUESTED | SubmissionState.UNKNOWN:
                asked = self.again(task) is not Again.NO
                again = asked or task.node.step.on_unknown_submit is OnUnknownSubmit.RESUBMIT
                return Outlook.RUN if again else Outlook.UNKNOWN
            case _:
                return Outlook.RUN

    def _is_stale(self, task: Task, fingerprint: str) -> bool:
        assert self._store is not None
        old = self._store.ledger.result(fingerprint)
        return old is not None and self._too_old(task, old)


def _media_type(file: FileValue) -> str:
    try:
        return file.media_type
    except StorageError as error:
        raise AccessError(str(error), code="access.storage", hint=error.hint) from error


@dataclass(slots=True)
class _Wanted:
    """Files that would be uploaded, each content once, with the longest timeout of the steps that need it."""

    _files: dict[str, tuple[FileValue, float]] = field(default_factory=dict)

    def add(self, value: Any, timeout_seconds: float) -> None:
        for _, file in files_in(value):
            if file.origin is None or file.origin.url is None:
                digest = file.sha256
                known = self._files.get(digest)
                if known is None or known[1] < timeout_seconds:
                    self._files[digest] = (file, timeout_seconds)

    def __iter__(self) -> Iterator[tuple[str, FileValue, float]]:
        for digest, (file, timeout_seconds) in self._files.items():
            yield digest, file, timeout_seconds


def _uploads_unknown(loaded: Loaded, steps: Iterable[StepEstimate]) -> bool:
    """Pictures made on this machine by steps that are still to come are uploaded, and nobody knows their size."""
    to_come = {step.step for step in steps if step.possible or step.total is None}
    made_here = {node.index for node in loaded.graph if node.name in to_come and _makes_pictures(node)}
    return any(
        node.step.kind is StepKind.WORKFLOW
        and node.name in to_come
        and bool({link.target for link in node.run_links} & made_here)
        for node in loaded.graph
    )


def _makes_pictures(node: Node) -> bool:
    step = node.step
    if step.kind is StepKind.PIPELINE:
        assert step.pipeline is not None
        return any(inner.kind is not StepKind.WORKFLOW for inner in step.pipeline.steps.values())
    return step.kind is StepKind.IMAGE


def _history(store: Store, loaded: Loaded, service: str) -> dict[str, float]:
    """The mean seconds of a task by step, from the latest runs of this spec on this service."""
    from speedpix_pipe.events import TaskSucceeded

    sums: dict[str, tuple[float, int]] = {}
    runs = store.journal.runs(spec_path=str(loaded.pipeline.path), limit=4 * RUNS_OF_HISTORY)
    for row in [row for row in runs if row.service == service][:RUNS_OF_HISTORY]:
        for number, event in enumerate(store.journal.events(row.id)):
            if number >= MOST_HISTORY:
                break
            if isinstance(event, TaskSucceeded):
                total, count = sums.get(event.step, (0.0, 0))
                sums[event.step] = total + event.seconds, count + 1
    return {step: total / count for step, (total, count) in sums.items()}


# --- what a forecast never does ---


class _Keeper:
    """Blobs for looking only."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    @property
    def work(self) -> Path:
        raise AssertionError("a forecast writes nothing")

    def path(self, sha256: str) -> Path:
        return self._store.blobs.path(sha256) if self._store is not None else Path(sha256)

    def has(self, sha256: str, size: int) -> bool:
        try:
            return self.path(sha256).stat().st_size == size
        except OSError:
            return False

    async def adopt(self, part: Path, sha256: str, size: int) -> Path:  # noqa: ARG002 - the Keeper's shape
        raise AssertionError("a forecast writes nothing")

    async def keep(self, content: bytes, sha256: str) -> Path:  # noqa: ARG002 - likewise
        raise AssertionError("a forecast writes nothing")


class _Refusing:
    """Stands where a run has something to act with."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a forecast does not {name}")


_REFUSING: Any = _Refusing()  # in place of ledger, uploads and executor


def _nobody(event: Event) -> None:
    raise AssertionError(f"{type(event).__name__} happens in no forecast")
