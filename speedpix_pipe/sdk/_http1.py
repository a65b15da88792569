"""One connection, HTTP/1.1: a request goes out, its answer comes in. Reading answers is httptools' work (llhttp).

Knows sockets and bytes, no URLs: which connection serves a request is `_connections`' business. Every failure says
in which phase it happened, since for a request that costs money that decides whether it may be sent again.
See docs/decisions/0002-sdk-transport.md.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httptools
import httpx

_HELD = 1024 * 1024  # an answer with at most so much body is waited for whole: one wake-up instead of many
_MOST_WHOLE = 64 * 1024 * 1024  # of one that somebody wants whole; the service's have a few kilobytes
_READ_AHEAD = 512 * 1024  # of a larger body; beyond it the server waits until somebody reads
_ONE_PIECE = 64 * 1024  # head and body up to this size leave in one write
_INTERIM = range(100, 200)
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of silence that a request bears; None is for ever. `whole` bounds the answer, however it drips."""

    write: float | None = None
    read: float | None = None
    whole: float | None = None


class Answer:
    """An answer as it arrives: httptools calls the `on_` methods, one reader awaits the others."""

    __slots__ = (
        "_bodiless",
        "_chunks",
        "_failure",
        "_here",
        "_loop",
        "_waiter",
        "buffered",
        "complete",
        "ends_with_connection",
        "headers",
        "held",
        "keep_alive",
        "parser",
        "status",
        "whole",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, *, whole: bool, bodiless: bool) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._chunks: deque[bytes] = deque()
        self._failure: Exception | None = None
        self._here = False  # the head has arrived, and may be looked at
        self.whole = whole  # the body belongs to the answer: without it there is none
        self.held = whole  # nobody is woken before the body is complete
        self._bodiless = bodiless  # to a HEAD: it describes a body that does not come
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        """By lower-case name; a header that came twice is joined with a comma, as HTTP says."""
        self.buffered = 0
        self.complete = False
        self.keep_alive = False
        self.ends_with_connection = False

    # --- httptools calls ---

    def on_message_begin(self) -> None:
        if self.complete:
            # Left to lie, it would be taken for the answer to the next request.
            raise httpx.RemoteProtocolError("the server sent a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        if self.status in _INTERIM:
            return
        if self._bodiless:
            self.complete = True
            self._wake()
            return
        length = self.headers.get("content-length", "")
        self.held = self.whole or (length.isdigit() and int(length) <= _HELD)
        self.ends_with_connection = (
            not length and "transfer-encoding" not in self.headers and self.status not in _BODILESS
        )
        self._here = not self.whole
        if not self.held:
            self._wake()

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self.buffered += len(body)
        if not self.held:
            self._wake()
        elif self.buffered > _MOST_WHOLE:
            raise httpx.RemoteProtocolError(f"the answer has more than {_MOST_WHOLE} bytes")

    def on_message_complete(self) -> None:
        if self.status in _INTERIM:
            self.headers = {}  # "100 Continue" and the like: the answer itself is still to come
            return
        self.keep_alive = self.parser.should_keep_alive()
        self.complete = True
        self._wake()

    def over(self) -> bool:
        return self.complete

    # --- whoever waits ---

    def fail(self, error: Exception) -> None:
        """Nothing more will come."""
        if not self.complete and self._failure is None:
            self._failure = error
            self._wake()

    def end(self) -> bool:
        """The connection has ended. Whether that was the end of the body, too."""
        if self.ends_with_connection and self._failure is None:
            self.complete = True
            self._wake()
        return self.complete

    async def head(self) -> None:
        """Return when the head is here, and the whole body where it is small."""
        while not self.complete:
            if self._here and (not self.held or self._failure is not None):
                return  # a body that broke off is told to whoever reads it
            if self._failure is not None:
                raise self._failure
            await self._wait()

    async def next(self) -> bytes:
        """The next bytes of the body; none at its end."""
        while not self._chunks:
            if self.complete:
                return b""
            if self._failure is not None:
                raise self._failure
            await self._wait()
        chunk = self._chunks.popleft()
        self.buffered -= len(chunk)
        return chunk

    def body(self) -> bytes:
        """All of a complete answer's body that nobody has taken."""
        chunks = self._chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """A socket to a server, or through a proxy to one. One exchange at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._sent = False
        self._paused: asyncio.Future[None] | None = None  # a write that the socket does not take yet
        self._reading = True
        self._timer: asyncio.TimerHandle | None = None
        self._silence: float | None = None  # how long it may be silent
        self._since = 0.0
        self._ends: float | None = None
        self._late: type[httpx.TimeoutException] = httpx.ReadTimeout
        self._gone: asyncio.Future[None] | None = None
        self.idle_since = 0.0

    # --- asyncio calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or answer.over():
            self.abort()  # it speaks without being asked: what it says next would be taken for an answer
            return
        self._since = self._loop.time()
        try:
            answer.parser.feed_data(data)
        except httptools.HttpParserError as error:
            ours = error.__context__  # raised by the answer itself, which httptools has wrapped
            garbled = httpx.RemoteProtocolError(f"the answer is not HTTP: {error}")
            self._fail(ours if isinstance(ours, httpx.TransportError) else garbled)
            return
        except httptools.HttpParserUpgrade:  # no kin of the other
            self._fail(httpx.RemoteProtocolError("the server changes to another protocol, which nobody asked for"))
            return
        if answer.complete:
            self._silence = self._ends = None
            self._resume()
        elif not answer.held and answer.buffered > _READ_AHEAD and self._reading and self._transport is not None:
            self._reading, self._silence = False, None
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._silence = self._ends = None
        self._resume()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        answer = self._answer
        if answer is None or answer.complete or (exc is None and answer.end()):
            return
        if exc is None:
            answer.fail(httpx.RemoteProtocolError("the server closed the connection before its answer was complete"))
        else:
            answer.fail((httpx.ReadError if self._sent else httpx.WriteError)(f"the connection was lost: {exc}"))

    def pause_writing(self) -> None:
        self._paused = self._loop.create_future()

    def resume_writing(self) -> None:
        self._resume()

    # --- one exchange ---

    @property
    def usable(self) -> bool:
        """Whether a request may be sent on it."""
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    async def exchange(
        self,
        head: bytes,
        body: bytes | AsyncIterator[bytes] | None,
        patience: Patience,
        *,
        whole: bool = False,
        bodiless: bool = False,
    ) -> Answer:
        """Send a request; its answer when its head is here, or all of it where that is wanted or little.

        Whoever leaves early calls `abort`.
        """
        if not self.usable:
            raise httpx.ConnectError("the server closed the connection before anything was sent")
        answer = self._answer = Answer(self._loop, whole=whole, bodiless=bodiless)
        self._sent = False
        self._ends = None if patience.whole is None else self._loop.time() + patience.whole
        if body is None or isinstance(body, bytes):
            await self._send(head, body or b"", patience)
        else:
            await self._stream(head, body, patience)
        if not answer.complete:
            self._watch(patience.read, httpx.ReadTimeout)
            await answer.head()
        return answer

    async def connect_through(self, head: bytes, patience: Patience) -> int:
        """Ask a proxy for a way through; the status of its answer."""
        answer = await self.exchange(head, None, patience)
        self._answer = self._silence = None
        return answer.status

    async def read(self, answer: Answer, patience: Patience) -> bytes:
        """The next bytes of the body."""
        if not self._reading and answer.buffered <= _READ_AHEAD // 2 and self._transport is not None:
            self._reading = True
            self._transport.resume_reading()
            self._watch(patience.read, httpx.ReadTimeout)
        return await answer.next()

    def finish(self) -> bool:
        """The exchange is over. Whether the connection may serve another one."""
        answer, self._answer = self._answer, None
        if answer is not None and answer.complete and answer.keep_alive and self._all_sent() and self.usable:
            self.idle_since = self._loop.time()
            return True
        self.abort()
        return False

    def _all_sent(self) -> bool:
        return self._sent and self._transport is not None and self._transport.get_write_buffer_size() == 0

    async def close(self) -> None:
        """End what is under way with an error, and return when the socket is closed."""
        self._fail(httpx.ReadError("the client was closed"))
        if self._transport is not None:
            self._gone = self._loop.create_future()
            await self._gone

    def abort(self) -> None:
        """Close at once, whatever is on its way."""
        self._silence = self._ends = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Go on encrypted: the proxy has connected us through."""
        if self._transport is None:
            raise ConnectionResetError(errno.ECONNRESET, "the proxy closed the connection")
        self._transport = await self._loop.start_tls(self._transport, self, context, server_hostname=server_hostname)

    # --- sending ---

    async def _send(self, head: bytes, body: bytes, patience: Patience) -> None:
        assert self._transport is not None
        if len(body) <= _ONE_PIECE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
            await self._taken(patience)
        self._sent = True

    async def _stream(self, head: bytes, chunks: AsyncIterator[bytes], patience: Patience) -> None:
        """A body in pieces. A server that answers before it has all of it wants no more."""
        assert self._transport is not None
        framed = b"\r\ntransfer-encoding: chunked\r\n" in head.lower()
        self._transport.write(head)
        async for chunk in chunks:
            if chunk:
                self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if framed else chunk)
            await self._taken(patience)
            if self._transport is None or (self._answer is not None and self._answer.complete):
                return
        if framed:
            self._transport.write(b"0\r\n\r\n")
        self._sent = True

    async def _taken(self, patience: Patience) -> None:
        """Return when the socket takes more, or nothing will be taken any more."""
        if self._paused is None or self._transport is None:
            return
        self._watch(patience.write, httpx.WriteTimeout)
        await self._paused
        self._silence = None

    def _resume(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None and not paused.done():
            paused.set_result(None)

    # --- time ---

    def _watch(self, seconds: float | None, late: type[httpx.TimeoutException]) -> None:
        """From now on a silence of so many seconds ends the exchange. One timer serves many exchanges: it looks again
        when it rings, which is cheaper than setting and cancelling one each time.
        """
        self._silence, self._late, self._since = seconds, late, self._loop.time()
        ends = self._deadline()
        if ends is None or (self._timer is not None and self._timer.when() <= ends):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(ends, self._ring)

    def _deadline(self) -> float | None:
        silent = None if self._silence is None else self._since + self._silence
        if silent is None or self._ends is None:
            return silent if silent is not None else self._ends
        return min(silent, self._ends)

    def _ring(self) -> None:
        self._timer = None
        ends = self._deadline()
        if ends is None:
            return
        if self._loop.time() >= ends:
            self._fail(
                self._late("no answer in time" if self._late is httpx.ReadTimeout else "the server takes no more")
            )
        else:
            self._timer = self._loop.call_at(ends, self._ring)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None:
            self._answer.fail(error)
        self.abort()
