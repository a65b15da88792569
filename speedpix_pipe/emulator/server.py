"""The HTTP face: finds the route, lets the gatekeeper look, acts out faults, answers.

`web.Server` without an Application: five routes need no router, and a benchmark pays for none.
"""

import asyncio
import functools
import json
import signal
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from speedpix_pipe.emulator.clock import Clock, SystemClock
from speedpix_pipe.emulator.envelope import BusinessError, failure, gateway_refusal, storage_error, success
from speedpix_pipe.emulator.faults import Fault, FaultKind, Where
from speedpix_pipe.emulator.misbehave import IN_ROUTES, act_out
from speedpix_pipe.emulator.options import EmulatorOptions
from speedpix_pipe.emulator.routes import CALLS, Route
from speedpix_pipe.emulator.routes.base import Call, invalid
from speedpix_pipe.emulator.routes.control import CONTROL, control, counters, predictions
from speedpix_pipe.emulator.routes.storage import get_object, put_object
from speedpix_pipe.emulator.service import Service
from speedpix_pipe.emulator.signing import Refusal
from speedpix_pipe.emulator.storage import BUCKET

__all__ = ["Emulator", "serve"]

_MAX_BODY = 16 * 1024 * 1024
_GRACE_SECONDS = 0.2


class Emulator:
    """The service on a loopback port: `async with Emulator(options) as emulator: emulator.url`."""

    def __init__(self, options: EmulatorOptions | None = None, *, clock: Clock | None = None) -> None:
        self.options = options or EmulatorOptions()
        self.url = ""
        self._clock: Clock = clock or SystemClock()
        self._service = Service(self.options, self._clock)
        self._connections: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._web: web.Server
        self._listening: asyncio.Server

    async def __aenter__(self) -> Self:
        self._web = web.Server(self._handle, access_log=None, keepalive_timeout=75)
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(self._web, "127.0.0.1", self.options.port, backlog=1024)
        except OSError:
            await self._service.close()
            raise
        port = self._listening.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._service.open(self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        # A connection accepted in the very turn in which the server closes is forgotten by asyncio, open: so first
        # nothing more is accepted, then those at the door are let in, then all are shown out.
        for listening in self._listening.sockets:
            loop.remove_reader(listening.fileno())
        for _ in range(3):
            await _one_turn()
        self._listening.close()
        self._web.pre_shutdown()
        await self._web.shutdown(_GRACE_SECONDS)
        await _one_turn()
        await self._service.close()

    @property
    def counters(self) -> dict[str, Any]:
        return counters(self._service)

    def predictions(self) -> list[dict[str, Any]]:
        return predictions(self._service)

    def add_fault(self, fault: Fault) -> None:
        self._service.faults.add(fault)

    def clear_faults(self) -> None:
        self._service.faults.clear()

    def reset(self) -> None:
        self._service.reset()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        reused = self._meet(request)
        path = request.raw_path.partition("?")[0]
        route = CALLS.get(path)
        if route is not None:
            return await self._api(route, request, reused=reused)
        if path.startswith(BUCKET):
            return await self._storage(request, reused=reused)
        if path.startswith(CONTROL):
            return await control(self._service, request)
        self._service.counters["refused"] += 1
        return gateway_refusal(Refusal(404, "I404NF", f"API not found with path {path} and method {request.method}"))

    def _meet(self, request: web.BaseRequest) -> bool:
        """Count new connections; True if this one has carried a request before."""
        transport = request.transport
        if transport is None or transport in self._connections:
            return True
        self._connections.add(transport)
        self._service.counters["connections"] += 1
        return False

    async def _api(self, route: Route, request: web.BaseRequest, *, reused: bool) -> web.StreamResponse:
        service = self._service
        service.counters[f"call:{route.where}"] += 1
        body = await request.content.read() if (request.content_length or 0) <= _MAX_BODY else None
        refusal = self._refusal(request, body)
        if refusal is not None:
            service.counters["refused"] += 1
            return gateway_refusal(refusal)
        assert body is not None
        context = f"{request.raw_path} {body.decode('utf-8', 'replace')}"
        fault = service.faults.take(route.where, context, reused=reused) if service.faults.any_at(route.where) else None
        in_route = fault if fault is not None and fault.kind in IN_ROUTES else None
        work = functools.partial(self._work, route, request, body, in_route)
        if fault is None or in_route is not None:
            return await work()
        return await act_out(fault, request, self._clock, work)

    def _refusal(self, request: web.BaseRequest, body: bytes | None) -> Refusal | None:
        if request.method != "POST":
            return Refusal(405, "I405UM", f"Unsupported method {request.method}")
        if body is None:
            return Refusal(413, "I413RL", "Request body too large")
        now = self._clock.now()
        return self._service.gatekeeper.check("POST", request.raw_path, request.headers, body, now)

    async def _work(
        self, route: Route, request: web.BaseRequest, body: bytes, fault: Fault | None
    ) -> web.StreamResponse:
        try:
            payload = json.loads(body or b"null")
        except ValueError as error:
            return failure(invalid(f"the body is not JSON: {error}"))
        if not isinstance(payload, dict):
            return failure(invalid("the body must be a JSON object"))
        answer = await route.answer(self._service, Call(payload, request.headers, fault))
        return failure(answer) if isinstance(answer, BusinessError) else success(answer)

    async def _storage(self, request: web.BaseRequest, *, reused: bool) -> web.StreamResponse:
        service = self._service
        if request.method not in {"PUT", "GET", "HEAD"}:
            return storage_error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        where = Where.UPLOAD if request.method == "PUT" else Where.DOWNLOAD
        service.counters[f"call:{where}"] += 1
        route = put_object if where is Where.UPLOAD else get_object
        work = functools.partial(route, service, request)
        fault = service.faults.take(where, request.raw_path, reused=reused) if service.faults.any_at(where) else None
        if fault is None:
            return await work()
        if fault.kind is FaultKind.EXPIRED_URL:
            return storage_error(403, "AccessDenied", "Request has expired.")
        if fault.kind is FaultKind.RESULT_GONE:
            return storage_error(404, "NoSuchKey", "The specified key does not exist.")
        return await act_out(fault, request, self._clock, work)


async def _one_turn() -> None:
    """Let the loop do what is ready; unlike a sleep of nothing this is no matter of the clock."""
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


def serve(options: EmulatorOptions, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` gets the URL once requests are answered."""
    asyncio.run(_serve(options, on_ready))


async def _serve(options: EmulatorOptions, on_ready: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Emulator(options) as emulator:
        on_ready(emulator.url)
        await stop.wait()
