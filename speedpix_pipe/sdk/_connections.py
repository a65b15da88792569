"""The connections of one lane: kept while they are young, at most so many, opened through a proxy where one is set.

A connection is taken for one exchange and given back after it. Whatever fails before a connection is there is a connect
error: nothing can have been sent.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiohappyeyeballs
import httpx
from aiohappyeyeballs import AddrInfoType

from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._http1 import Connection, Patience

_HAPPY_EYEBALLS = 0.25


class Origin(NamedTuple):
    """Where a connection ends."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """As it stands in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy of the environment, as we dial it."""

    scheme: str
    host: str
    port: int
    authorization: str | None

    @classmethod
    def read(cls, url: str) -> Proxy:
        parts = urlsplit(url)
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(
            parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), authorization
        )


class Connections:
    """A lane's connections. They belong to the running event loop, and are given up for another one."""

    def __init__(self, most: int, keep_alive: float, proxies: Proxies) -> None:
        self._most = most
        self._keep_alive = keep_alive
        self._proxies = proxies
        self._routes: dict[Origin, Proxy | None] = {}
        self._tls: ssl.SSLContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._generation = 0  # places are of one: closing the client takes back those of whoever waits or dials
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._generation += 1
        self._idle: dict[Origin, list[Connection]] = {}  # the youngest last
        self._idle_count = 0
        self._busy: set[Connection] = set()
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether there are any."""
        return bool(self._busy) or self._idle_count > 0

    def proxy_of(self, origin: Origin) -> Proxy | None:
        """The proxy on the way to an origin."""
        if origin not in self._routes:
            url = self._proxies.proxy_for(origin.scheme, origin.host)
            self._routes[origin] = None if url is None else Proxy.read(url)
        return self._routes[origin]

    async def take(self, origin: Origin, *, pool_timeout: float | None, connect_timeout: float | None) -> Connection:
        """A connection for one exchange: a young one that is idle, else a new one."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # The client lives on in another loop. The old connections went with theirs, which cannot be asked.
            self._loop = loop
            self._begin_anew()
        generation = self._generation
        if self._taken < self._most:
            self._taken += 1
        else:
            await self._place(pool_timeout, generation)
        try:
            connection = self._young(origin)
            if connection is None:
                self._make_room()
                connection = await self._open(origin, connect_timeout)
                if generation != self._generation:
                    connection.abort()
                    raise _closed()
        except BaseException:
            self._free_place(generation)
            raise
        self._busy.add(connection)
        return connection

    def give(self, connection: Connection, origin: Origin) -> None:
        """Back after an exchange."""
        if connection not in self._busy:
            return  # of a loop that has ended
        self._busy.discard(connection)
        if connection.finish():
            self._idle.setdefault(origin, []).append(connection)
            self._idle_count += 1
            self._set_sweep()
        self._free_place(self._generation)

    async def aclose(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            return
        if self._sweep is not None:
            self._sweep.cancel()
        closing = [*self._busy, *(one for kept in self._idle.values() for one in kept)]
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(_closed())
        self._begin_anew()
        await asyncio.gather(*(connection.close() for connection in closing))

    # --- places ---

    async def _place(self, seconds: float | None, generation: int) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._free_place(generation)  # it was given in the very moment we left
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout(f"all {self._most} connections were busy for {seconds:g} s") from error
            raise
        if generation != self._generation:
            raise _closed()

    def _free_place(self, generation: int) -> None:
        if generation != self._generation:
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken -= 1

    def _young(self, origin: Origin) -> Connection | None:
        kept, now = self._idle.get(origin), asyncio.get_running_loop().time()
        while kept:
            connection = kept.pop()
            self._idle_count -= 1
            if connection.usable and now - connection.idle_since < self._keep_alive:
                return connection
            connection.abort()
        return None

    def _make_room(self) -> None:
        """Idle connections count too: the oldest goes for a new one."""
        if self._taken + self._idle_count <= self._most:
            return
        kept = min((kept for kept in self._idle.values() if kept), key=lambda kept: kept[0].idle_since)
        kept.pop(0).abort()
        self._idle_count -= 1

    def _set_sweep(self) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._keep_alive, self._sweep_idle)

    def _sweep_idle(self) -> None:
        """Nobody keeps what nobody may use."""
        self._sweep = None
        oldest = asyncio.get_running_loop().time() - self._keep_alive
        for kept in self._idle.values():
            while kept and (kept[0].idle_since <= oldest or not kept[0].usable):
                kept.pop(0).abort()
                self._idle_count -= 1
        if self._idle_count:
            self._set_sweep()

    # --- opening ---

    async def _open(self, origin: Origin, seconds: float | None) -> Connection:
        proxy = self.proxy_of(origin)
        at = origin.netloc if proxy is None else f"the proxy {proxy.host}:{proxy.port}"
        try:
            async with asyncio.timeout(seconds):
                if proxy is None:
                    return await self._dial(origin.scheme, origin.host, origin.port)
                with _proxy_errors(at):
                    connection = await self._dial(proxy.scheme, proxy.host, proxy.port)
                if origin.scheme == "https":
                    await self._tunnel(connection, origin, proxy, seconds)
                return connection
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"{at} did not answer within {seconds:g} s") from error
        except UnicodeError as error:
            raise httpx.UnsupportedProtocol(f"{origin.host!r} is no name of a host") from error
        except OSError as error:
            raise httpx.ConnectError(f"{at}: {_reason(error)}") from error

    async def _dial(self, scheme: str, host: str, port: int) -> Connection:
        loop, secure = asyncio.get_running_loop(), scheme == "https"
        context = self._context() if secure else None
        # asyncio's own race of addresses leaves a socket open when it is cancelled just as one has won.
        dialled = await aiohappyeyeballs.start_connection(
            await _addresses(host, port), happy_eyeballs_delay=_HAPPY_EYEBALLS
        )
        _, connection = await loop.create_connection(
            lambda: Connection(loop), sock=dialled, ssl=context, server_hostname=host if secure else None
        )
        return connection

    async def _tunnel(self, connection: Connection, origin: Origin, proxy: Proxy, seconds: float | None) -> None:
        """Have the proxy connect us through, and go on encrypted."""
        address = f"{f'[{origin.host}]' if ':' in origin.host else origin.host}:{origin.port}"
        lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        try:
            with _proxy_errors(f"the proxy {proxy.host}:{proxy.port}"):
                head = ("\r\n".join(lines) + "\r\n\r\n").encode()
                status = await connection.connect_through(head, Patience(read=seconds))
                if not 200 <= status < 300:
                    raise httpx.ProxyError(f"the proxy {proxy.host}:{proxy.port} refused with HTTP {status}")
            await connection.start_tls(self._context(), origin.host)
        except BaseException:
            connection.abort()
            raise

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx.create_ssl_context()  # reading the certificates takes 20 ms: only where one is needed
        return self._tls


async def _addresses(host: str, port: int) -> Sequence[AddrInfoType]:
    try:  # one that is written as a number needs nobody who looks it up
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


@contextmanager
def _proxy_errors(at: str) -> Iterator[None]:
    """Whatever goes wrong here was the proxy's."""
    try:
        yield
    except TimeoutError:
        raise
    except OSError as error:
        raise httpx.ProxyError(f"{at}: {_reason(error)}") from error
    except httpx.ProxyError:
        raise
    except httpx.TransportError as error:
        raise httpx.ProxyError(f"{at}: {error}") from error


def _closed() -> httpx.ConnectError:
    return httpx.ConnectError("the client was closed")


def _reason(error: OSError) -> str:
    """In a few words, without the numbers and addresses that Python puts around them."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved ({error.strerror})"
    return error.strerror or str(error) or type(error).__name__
