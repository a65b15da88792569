"""aiohttp's connections behind httpx's transport interface.

Why not `httpx-aiohttp`: it reports a connection lost after the request was sent as `ConnectTimeout`, which would make a
submission that may be running look as if it surely never ran. Here each failure keeps the phase in which it happened.
See docs/decisions/0002-sdk-transport.md.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import aiohttp
import httpx
import yarl

from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._lanes import DRIP_FACTOR, Posted

_READ_BUFFER = 256 * 1024
_FITS_A_SOCKET = 64 * 1024
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


def translate(error: Exception) -> httpx.TransportError | httpx.InvalidURL:
    """The httpx error of the same phase. Only failures before the first byte become connect errors."""
    detail = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(detail)
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        return httpx.ProxyError(detail)
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(detail)
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(detail)
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return httpx.UnsupportedProtocol(detail)
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return httpx.RemoteProtocolError(detail)
    return httpx.ReadError(detail)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise translate(error) from error

    async def aclose(self) -> None:
        # Read to the end, the connection is back in its pool by now; else it is of no further use.
        self._response.close()


class _Call:
    """One request on one session, with a deadline for sending its body (aiohttp itself only times reading)."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: yarl.URL,
        headers: list[tuple[str, str]],
        timeout: aiohttp.ClientTimeout,
        write_timeout: float | None,
        options: dict[str, Any],
    ) -> None:
        self._session = session
        self._method = method
        self._url = url
        self._headers = headers
        self._timeout = timeout
        self._write_timeout = write_timeout
        self._options = options

    def _start(self, body: Any) -> Awaitable[aiohttp.ClientResponse]:
        return self._session.request(
            self._method,
            self._url,
            headers=self._headers,
            data=body,
            allow_redirects=False,
            timeout=self._timeout,
            **self._options,
        )

    async def send(self, content: bytes) -> aiohttp.ClientResponse:
        if len(content) <= _FITS_A_SOCKET:
            return await self._start(content or None)
        waits = (self._timeout.connect, self._write_timeout, self._timeout.sock_read)
        async with asyncio.timeout(None if None in waits else sum(wait or 0.0 for wait in waits)):
            return await self._start(content)

    async def stream(self, chunks: Any) -> aiohttp.ClientResponse:
        loop, patience = asyncio.get_running_loop(), self._write_timeout
        async with asyncio.timeout(None) as deadline:

            async def watched() -> AsyncIterator[bytes]:
                async for chunk in chunks:
                    deadline.reschedule(None if patience is None else loop.time() + patience)
                    yield chunk
                deadline.reschedule(None)

            return await self._start(watched())


class AiohttpTransport(httpx.AsyncBaseTransport):
    """One lane. The session belongs to the running event loop and is made anew in another one."""

    def __init__(self, connections: int, keep_alive: float, proxies: Proxies) -> None:
        self._connections = connections
        self._keep_alive = keep_alive
        self._proxies = proxies
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tls: ssl.SSLContext | None = None
        self._addresses: dict[httpx.URL, yarl.URL] = {}
        self._timeouts: dict[tuple[float | None, ...], aiohttp.ClientTimeout] = {}

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is not None and self._loop is loop and not self._session.closed:
            return self._session
        if self._session is not None and self._session.connector is not None:
            # Its loop is closed and cannot be awaited; this only marks the old connections as given up.
            self._session.connector._close()
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=self._keep_alive)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_AUTOMATIC,
            read_bufsize=_READ_BUFFER,
        )
        # aiohttp repeats PUT and GET once when a kept connection turns out closed. What is repeated is our policy's
        # decision alone, and a half-streamed body cannot be. There is no public switch; a test guards this one.
        session._retry_connection = False
        self._session, self._loop = session, loop
        return session

    def _timeout(self, wanted: Mapping[str, float | None]) -> aiohttp.ClientTimeout:
        key = (wanted.get("pool"), wanted.get("connect"), wanted.get("read"))
        made = self._timeouts.get(key)
        if made is None:
            made = aiohttp.ClientTimeout(total=None, connect=key[0], sock_connect=key[1], sock_read=key[2])
            self._timeouts[key] = made
        return made

    def _options(self, scheme: str, host: str) -> dict[str, Any]:
        """TLS and proxy for this URL."""
        options: dict[str, Any] = {}
        if scheme == "https":
            if self._tls is None:
                self._tls = httpx.create_ssl_context()
            options["ssl"] = self._tls
        proxy = self._proxies.proxy_for(scheme, host)
        if proxy is not None:
            options["proxy"] = proxy
        return options

    async def post(
        self, url: httpx.URL, headers: list[tuple[str, str]], body: bytes, timeouts: Mapping[str, float | None]
    ) -> Posted:
        """A small POST and its whole answer, without httpx's objects in between: a fifth less CPU for an API call."""
        session, address = self._open(), self._addresses.get(url)
        if address is None:
            address = self._addresses[url] = yarl.URL(str(url), encoded=True)
        patience = timeouts.get("read")
        try:
            # aiohttp's read timeout starts anew with each byte; a server that drips is cut off by this one.
            async with asyncio.timeout(None) as deadline:
                response = await session.request(
                    "POST",
                    address,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    timeout=self._timeout(timeouts),
                    **self._options(url.scheme, url.host),
                )
                if patience is not None:
                    deadline.reschedule(asyncio.get_running_loop().time() + DRIP_FACTOR * patience)
                try:
                    return Posted(response.status, response.headers, await response.read())
                finally:
                    response.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise translate(error) from error
        except ValueError as error:
            raise httpx.UnsupportedProtocol(str(error)) from error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        content: Any
        try:
            content = request.content
        except httpx.RequestNotRead:
            content = request.stream
        timeouts = request.extensions.get("timeout") or {}
        response = await self.move(request.method, str(request.url), headers, content, timeouts)
        response.request = request
        return response

    async def move(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        content: bytes | AsyncIterator[bytes] | None,
        timeouts: Mapping[str, float | None],
    ) -> httpx.Response:
        """A request with any body whose answer is read as it comes. The URL is sent as it stands."""
        session = self._open()
        try:
            # Encoded already: a pre-signed URL must arrive letter by letter as it was handed out.
            address = yarl.URL(url, encoded=True)
            options = self._options(address.scheme, address.raw_host or "")
            call = _Call(session, method, address, headers, self._timeout(timeouts), timeouts.get("write"), options)
            if content is None or isinstance(content, bytes):
                response = await call.send(content or b"")
            else:
                response = await call.stream(content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise translate(error) from error
        except ValueError as error:
            raise httpx.UnsupportedProtocol(str(error)) from error
        return httpx.Response(response.status, headers=list(response.raw_headers), stream=_Body(response))

    def is_open(self) -> bool:
        return self._session is not None

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()
