"""The asynchronous face's way to the network: HTTP/1.1 behind httpx's transport interface.

Nothing is ever repeated here and no redirect is followed: what may be sent again is `_policy`'s decision. A failure
keeps the phase in which it happened, so that only what surely was not sent looks like it.
See docs/decisions/0002-sdk-transport.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._connections import Connections, Origin
from speedpix_pipe.sdk._http1 import Answer, Connection, Patience
from speedpix_pipe.sdk._lanes import DRIP_FACTOR, Posted, Received

_PORTS = {"http": 80, "https": 443}
Timeouts = Mapping[str, float | None]


class StreamTransport(httpx.AsyncBaseTransport):
    """One lane. Its connections belong to the running event loop and are made anew in another one."""

    def __init__(self, connections: int, keep_alive: float, proxies: Proxies) -> None:
        self._connections = Connections(connections, keep_alive, proxies)
        self._known: dict[str, tuple[Origin, str]] = {}

    def is_open(self) -> bool:
        return self._connections.open

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def post(self, url: str, headers: list[tuple[str, str]], body: bytes, timeouts: Timeouts) -> Posted:
        """A small POST and its whole answer, without httpx's objects in between."""
        known = self._known.get(url)
        if known is None:  # the service has four addresses: each is read once
            read = httpx.URL(url)
            known = self._known[url] = _origin(read), read.raw_path.decode("ascii")
        origin, target = known
        silence = timeouts.get("read")
        # Silence is timed anew with each byte; a server that drips is cut off by `whole`.
        patience = Patience(timeouts.get("write"), silence, None if silence is None else DRIP_FACTOR * silence)
        connection, answer = await self._exchange(origin, "POST", target, headers, body, timeouts, patience, whole=True)
        self._connections.give(connection, origin)
        return Posted(answer.status, answer.headers, answer.body())

    async def move(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        content: bytes | AsyncIterator[bytes] | None,
        timeouts: Timeouts,
    ) -> Received:
        """A request with any body whose answer is read as it comes. The URL, a plain one, is sent as it stands."""
        scheme, _, rest = url.partition("://")
        netloc, _, path = rest.partition("/")
        host, _, port = netloc.partition(":")
        origin = Origin(scheme, host, int(port) if port else _PORTS[scheme])
        return await self._received(origin, method, f"/{path}", headers, content, timeouts)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme not in _PORTS:
            raise httpx.UnsupportedProtocol(f"{request.url.scheme!r} is neither http nor https")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        content: Any
        try:
            content = request.content
        except httpx.RequestNotRead:
            content = request.stream
        timeouts = request.extensions.get("timeout") or {}
        target = request.url.raw_path.decode("ascii")
        received = await self._received(_origin(request.url), request.method, target, headers, content, timeouts)
        return httpx.Response(
            received.status_code, headers=dict(received.headers), stream=received.stream, request=request
        )

    async def _received(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        content: bytes | AsyncIterator[bytes] | None,
        timeouts: Timeouts,
    ) -> Received:
        patience = Patience(timeouts.get("write"), timeouts.get("read"))
        connection, answer = await self._exchange(origin, method, target, headers, content, timeouts, patience)
        return Received(answer.status, answer.headers, _Body(self._connections, connection, origin, answer, patience))

    async def _exchange(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        content: bytes | AsyncIterator[bytes] | None,
        timeouts: Timeouts,
        patience: Patience,
        *,
        whole: bool = False,
    ) -> tuple[Connection, Answer]:
        proxy = self._connections.proxy_of(origin)
        if proxy is not None and origin.scheme == "http":
            target = f"http://{origin.netloc}{target}"  # a proxy reads the whole URL; through a tunnel it sees none
            if proxy.authorization is not None:
                headers = [*headers, ("Proxy-Authorization", proxy.authorization)]
        head = _head(method, target, origin.netloc, headers, content)
        connection = await self._connections.take(
            origin, pool_timeout=timeouts.get("pool"), connect_timeout=timeouts.get("connect")
        )
        try:
            bodiless = method == "HEAD"
            return connection, await connection.exchange(head, content, patience, whole=whole, bodiless=bodiless)
        except BaseException:
            connection.abort()
            self._connections.give(connection, origin)
            raise


class _Body(httpx.AsyncByteStream):
    """The body of an answer. Read to its end, the connection serves others; else it is of no further use."""

    def __init__(
        self, connections: Connections, connection: Connection, origin: Origin, answer: Answer, patience: Patience
    ) -> None:
        self._connections = connections
        self._connection: Connection | None = connection
        self._origin = origin
        self._answer = answer
        self._patience = patience

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection is not None and (chunk := await self._connection.read(self._answer, self._patience)):
            yield chunk

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._connections.give(connection, self._origin)


def _origin(url: httpx.URL) -> Origin:
    return Origin(url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])


def _head(
    method: str,
    target: str,
    netloc: str,
    headers: list[tuple[str, str]],
    content: bytes | AsyncIterator[bytes] | None,
) -> bytes:
    """The head of a request, as it goes out."""
    written = "".join([f"\r\n{name}: {value}" for name, value in headers])
    names, lines, host, length = written.lower(), len(headers), "", ""
    if "\r\nhost:" not in names:
        host, lines = f"\r\nHost: {netloc}", lines + 1
    if "\r\ncontent-length:" not in names and "\r\ntransfer-encoding:" not in names:
        if isinstance(content, bytes) or (content is None and method in ("POST", "PUT")):
            length, lines = f"\r\nContent-Length: {len(content or b'')}", lines + 1
        elif content is not None:
            length, lines = "\r\nTransfer-Encoding: chunked", lines + 1
    head = f"{method} {target} HTTP/1.1{host}{written}{length}"
    # What came from outside (a type, a URL) must not add lines of its own.
    if head.count("\r") != lines or head.count("\n") != lines or "\0" in head or " " in target:
        raise httpx.LocalProtocolError("a header or the URL contains a line break or a space that cannot be sent")
    return f"{head}\r\n\r\n".encode()
