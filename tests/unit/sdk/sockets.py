"""A server of bare sockets: a function talks to each connection, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib

SHORT = {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers each connection by a function of its reader and writer; counts them, and keeps what it read."""

    def __init__(self):
        self.opened = 0
        self.heads = []
        self._server = None
        self._talks = set()

    async def start(self, talk, **options):
        async def connected(reader, writer):
            self.opened += 1
            self._talks.add(asyncio.current_task())
            try:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await talk(self, reader, writer)
            finally:
                writer.close()

        self._server = await asyncio.start_server(connected, options.pop("host", "127.0.0.1"), 0, **options)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def read(self, reader):
        """One request without its body."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        return head

    async def stop(self):
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)


def says(*answers):
    """A talk that gives these answers in turn, whatever it is asked."""

    async def talk(server, reader, writer):
        for answer in answers:
            await server.read(reader)
            writer.write(answer)
            await writer.drain()
        await reader.read()

    return talk


async def get(transport, url, *, timeouts=SHORT, **options):
    answer = await transport.move("GET", url, [], None, timeouts, **options)
    try:
        return answer, b"".join([chunk async for chunk in answer.stream])
    finally:
        await answer.aclose()
