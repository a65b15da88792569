"""Connections for one kind of call. A lane is an httpx transport with a cap and a keep-alive of its own.

Submissions have a lane whose connections were idle for under two seconds: a POST on a connection that the server has
just closed looks exactly like one that was lost after it was accepted. Reads may reuse for longer, and bytes have a
lane of their own so that a download of two gigabytes holds up no poll. No lane repeats anything by itself.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum

import httpx

from speedpix_pipe.sdk._config import Proxies

DRIP_FACTOR = 10
"""A server that drips its answer is given as long as one that is silent, this many times over."""


@dataclass(frozen=True, slots=True)
class LaneShape:
    connections: int
    keep_alive: float


@dataclass(frozen=True, slots=True)
class Posted:
    """The whole answer to a POST; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """An answer whose body is still to be read, with what an `httpx.Response` would have of it."""

    status_code: int
    headers: Mapping[str, str]
    stream: httpx.AsyncByteStream

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        return aiter(self.stream)

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body unpacked, by httpx: we never ask for a packed one."""
        return httpx.Response(self.status_code, headers=dict(self.headers), stream=self.stream).aiter_bytes()

    async def aclose(self) -> None:
        await self.stream.aclose()


class Lanes(Enum):
    """Together at most 96 connections, however many predictions are in flight."""

    SUBMIT = LaneShape(24, 2.0)
    API = LaneShape(24, 15.0)
    FILES = LaneShape(48, 15.0)


def async_lane(shape: LaneShape, proxies: Proxies) -> httpx.AsyncBaseTransport:
    """Our own transport; imported when the first asynchronous client is made."""
    from speedpix_pipe.sdk._transport import StreamTransport

    return StreamTransport(shape.connections, shape.keep_alive, proxies)


def lane(shape: LaneShape, proxies: Proxies) -> httpx.BaseTransport:
    return HttpcoreTransport(shape.connections, shape.keep_alive, proxies)


class HttpcoreTransport(httpx.BaseTransport):
    """httpx's own transport, one for each proxy met, made when it is met."""

    def __init__(self, connections: int, keep_alive: float, proxies: Proxies) -> None:
        self._limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=keep_alive
        )
        self._proxies = proxies
        self.forget()
        _all.add(self)

    def forget(self) -> None:
        """In a forked process: what was made is the parent's, who goes on using it. Closed here, TLS would say goodbye
        in its name.
        """
        self._made: dict[tuple[bool, str | None], httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        tls = url.scheme == "https"
        key = (tls, self._proxies.proxy_for(url.scheme, url.host))
        with self._lock:
            transport = self._made.get(key)
            if transport is None:
                # Reading the certificates takes 20 ms, which a plain loopback client need not spend.
                transport = self._made[key] = httpx.HTTPTransport(
                    verify=tls, limits=self._limits, proxy=key[1], retries=0, trust_env=True
                )
        return transport.handle_request(request)

    def is_open(self) -> bool:
        return bool(self._made)

    def close(self) -> None:
        with self._lock:
            made, self._made = list(self._made.values()), {}
        for transport in made:
            transport.close()


_all: weakref.WeakSet[HttpcoreTransport] = weakref.WeakSet()


def _forked() -> None:
    for transport in list(_all):
        transport.forget()


os.register_at_fork(after_in_child=_forked)
