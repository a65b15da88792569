"""What all runs of one process share: the state folder, the connection, the lanes, the executor.

`run` opens a station for one run; `watch` keeps one open and carries out a run per batch on it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from speedpix_pipe.app.connection import Connection, to_emulator, to_service
from speedpix_pipe.app.keeper import RunKeeper
from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.specs import Loaded
from speedpix_pipe.clock import Clock
from speedpix_pipe.engine.roads import Roads
from speedpix_pipe.events import Event
from speedpix_pipe.executors import open_executor
from speedpix_pipe.executors.base import Executor
from speedpix_pipe.model import Limits, StepKind
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.service import Service
from speedpix_pipe.store import Store


@dataclass(slots=True)
class Station:
    """Opened once, closed once."""

    store: Store
    connection: Connection
    service: Service
    executor: Executor
    roads: Roads
    clock: Clock
    keeper: RunKeeper  # whose work folder the runs of this process have in common

    async def begin(self) -> None:
        """Be ready for work. Raises where the executor cannot be; nothing has been begun or paid for then."""
        await self.executor.open(self.keeper.work)
        if self.executor.remote:
            self.roads.widen(self.executor.width)

    async def aclose(self) -> None:
        await self.executor.aclose()
        await self.service.aclose()


def open_station(request: RunRequest, loaded: Loaded, store: Store, notes: list[str], stack: ExitStack) -> Station:
    """Everything that costs something to have, made once. `notes` takes what the user should be told."""
    connection = _connect(request, loaded, notes, stack)
    keeper = RunKeeper(store.blobs, stack.enter_context(store.presence()))
    executor = open_executor(request.executor, scheduler=request.scheduler)
    if executor.remote:
        store.outputs.objects.put = executor.publish
    return Station(
        store=store,
        connection=connection,
        service=Service(
            connection.connect,
            name=connection.name,
            account=connection.account,
            upload_account=connection.upload_account,
            urls_outlive_us=not connection.local,
            uploads=store.uploads,
            keeper=keeper,
            clock=request.clock,
            emit=_nobody,
            carrier=executor if executor.remote else None,
        ),
        executor=executor,
        roads=Roads(limits_of(request, loaded), request.clock),
        clock=request.clock,
        keeper=keeper,
    )


def limits_of(request: RunRequest, loaded: Loaded) -> Limits:
    """The spec's limits, with what the command line says over them."""
    limits = loaded.pipeline.limits
    return limits if request.concurrency is None else replace(limits, concurrency=request.concurrency)


def _connect(request: RunRequest, loaded: Loaded, notes: list[str], stack: ExitStack) -> Connection:
    concurrency = limits_of(request, loaded).concurrency
    if request.local:
        emulated = to_emulator(
            loaded.pipeline, notes.append, request.answers, latency=request.latency, concurrency=concurrency
        )
        return stack.enter_context(emulated)
    if any(node.step.kind is StepKind.WORKFLOW for node in loaded.graph):
        return to_service(loaded.settings, concurrency=concurrency)
    return Connection("image", "image|none", _no_service, upload_account="image|none")


def _no_service() -> Any:
    raise AssertionError("this pipeline has no workflow step")


def _nobody(event: Event) -> None:
    """Events belong to runs; each sees the service through a face of its own (`Service.for_run`)."""
    raise AssertionError(f"{type(event).__name__} outside a run")
