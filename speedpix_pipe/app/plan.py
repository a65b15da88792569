"""The use case `plan`: a spec and what the state folder knows, into what a run would do. No network, no credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import NoReturn

from speedpix_pipe.app.buckets import buckets_of, look_for
from speedpix_pipe.app.connection import LOCAL, Connection, service_name, to_service
from speedpix_pipe.app.forecast import foresee
from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.resolved import resolved_spec
from speedpix_pipe.app.selection import select
from speedpix_pipe.app.specs import Loaded, require
from speedpix_pipe.clock import Clock, SystemClock
from speedpix_pipe.errors import AccessError, Problem, StoreError
from speedpix_pipe.files.objects import MOST_READ, Objects, measure_some
from speedpix_pipe.model import Json
from speedpix_pipe.plan.estimate import Estimate
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import Settings
from speedpix_pipe.store import Store


@dataclass(frozen=True, slots=True)
class PlanRequest:
    spec: SpecRequest
    local: bool = False
    only: tuple[str, ...] = ()
    start_from: tuple[str, ...] = ()
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True)
class Plan:
    loaded: Loaded
    estimate: Estimate
    warnings: list[Problem]


def plan(request: PlanRequest) -> Plan:
    """SpecError where a run would refuse to start."""
    spec = request.spec
    folder = (spec.cwd / spec.spec).resolve().parent
    with past(spec.settings.state_folder(folder), request.clock) as store:
        loaded = require(spec, objects=Objects(store.digests if store else None, most_read=MOST_READ))
        look_for(buckets_of(loaded))
        measure_some(loaded.params.values())
        selection = select(loaded.graph, request.only, request.start_from)
        connection = planned_connection(loaded.settings, local=request.local)
        estimate = foresee(loaded, selection, connection, store, request.clock)
    return Plan(loaded, estimate, loaded.warnings)


def planned_connection(settings: Settings, *, local: bool) -> Connection:
    """The names of the service that a run would use. Without credentials no open prediction can be one's own."""
    if local:
        return Connection(LOCAL, f"{LOCAL}|{LOCAL}", _no_service, upload_account=f"{LOCAL}|", local=True)
    try:
        real = to_service(settings)
    except AccessError as error:
        if error.code == "access.endpoint":
            raise
        name = service_name(settings.endpoint)
        return Connection(name, f"{name}|", _no_service, upload_account=f"{name}|")
    return Connection(real.name, real.account, _no_service, upload_account=real.upload_account)


@contextmanager
def past(state_folder: Path, clock: Clock) -> Iterator[Store | None]:
    """The state folder for reading; None where there is none yet."""
    try:
        store = Store.open(state_folder, write=False, now=clock.now)
    except StoreError as error:
        if error.code != "store.empty":
            raise
        yield None
        return
    with store:
        yield store


def _no_service() -> NoReturn:
    raise AssertionError("a plan talks to no service")


def resolved(request: SpecRequest) -> Json:
    """The spec with all that is in force."""
    return resolved_spec(_written(request).pipeline)


def drawn_graph(request: SpecRequest, form: str) -> str:
    """The graph of steps as text: `mermaid`, `dot` or `svg`."""
    from speedpix_pipe.console.graphs import draw

    return draw(_written(request).graph, form)


def _written(request: SpecRequest) -> Loaded:
    """The spec as it is written, whatever files there are."""
    return require(replace(request, check_files=False), unknown_ok=True)
