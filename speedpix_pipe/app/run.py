"""The use case `run`: from a request to a summary. Enter at the top, walk down once."""

from __future__ import annotations

from contextlib import ExitStack

from speedpix_pipe.app.one_run import OneRun, RunOutcome, Subscribe, new_run_id
from speedpix_pipe.app.request import RunRequest
from speedpix_pipe.app.resuming import arguments_of, resumable, taken_up
from speedpix_pipe.app.specs import required
from speedpix_pipe.app.start import may_begin
from speedpix_pipe.app.station import open_station
from speedpix_pipe.app.stopping import signals
from speedpix_pipe.files import LateDigests
from speedpix_pipe.files.objects import Objects
from speedpix_pipe.store import Store

__all__ = ["RunOutcome", "Subscribe", "run"]


async def run(request: RunRequest, subscribe: Subscribe) -> RunOutcome:
    """Carry out a pipeline. Raises PipeError where nothing was begun."""
    spec = request.spec
    folder = (spec.cwd / spec.spec).resolve().parent
    state_folder = spec.settings.state_folder(folder)
    if request.resume:
        request = taken_up(request, state_folder)
        spec = request.spec
    with ExitStack() as stack:
        digests = LateDigests()
        loaded = await required(spec, Objects(digests))
        store = stack.enter_context(Store.open(state_folder, now=request.clock.now))
        digests.store = store.digests
        resumed = resumable(request, loaded, store)
        run_id = resumed.id if resumed else new_run_id(request.clock)
        stack.enter_context(store.lock(loaded.pipeline.path, run_id=run_id))
        notes: list[str] = []
        station = open_station(request, loaded, store, notes, stack)
        try:
            await station.begin()
            arguments = arguments_of(request)
            going = OneRun(station, request, loaded, run_id, arguments=arguments, resumed=resumed, notes=notes)
            await going.prepare()
            await may_begin(request, loaded, station.connection, store, run_id, going.spent)
            if station.connection.local:
                await store.ledger.forget_open(station.connection.account)
            with signals(going.interrupt, going.driver.leave):
                return await going.carry_out(subscribe)
        finally:
            await station.aclose()
