"""One connection, byte by byte: how answers end, what a connection bears, what never goes out."""

import asyncio

import httpx
import pytest

from speedpix_pipe.sdk._http1 import _HELD, _READ_AHEAD
from tests.unit.sdk.sockets import OK, SHORT, get, says

pytestmark = pytest.mark.anyio


FRAMES = {
    "counted": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n",
        True,
    ),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        True,
    ),
    "one-shot": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_an_answer_is_the_same_however_its_bytes_are_cut(serve, transport, name):
    answer, kept = FRAMES[name]

    async def talk(server, reader, writer):
        while True:
            await server.read(reader)
            cut = len(server.heads)
            for piece in (answer[:cut], answer[cut:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if not kept:
                return

    server = await serve(talk)
    for _ in range(len(answer) - 1):
        found, body = await get(transport, server.url + "/x")
        assert (found.status_code, body, "link" in found.headers) == (200, b"hello", False)
    assert server.opened == (1 if kept else len(answer) - 1)


async def test_a_body_without_a_length_ends_with_its_connection(serve, transport):
    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhel")
        await writer.drain()
        writer.write(b"lo")

    server = await serve(talk)
    for _ in range(2):
        assert (await get(transport, server.url + "/"))[1] == b"hello"
    assert (await transport.post(server.url, [], b"{}", SHORT)).content == b"hello"
    assert server.opened == 3


@pytest.mark.parametrize(
    "half",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
    ],
)
async def test_half_an_answer_is_an_error(serve, transport, half):
    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(half)

    server = await serve(talk)
    with pytest.raises(httpx.RemoteProtocolError):
        await get(transport, server.url + "/")
    with pytest.raises(httpx.RemoteProtocolError):
        await transport.post(server.url, [], b"{}", SHORT)


async def test_a_server_that_changes_the_protocol_is_not_followed(serve, transport, caplog):
    server = await serve(says(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n\0\0\0"))
    with pytest.raises(httpx.RemoteProtocolError, match="another protocol"):
        await get(transport, server.url + "/")
    with pytest.raises(httpx.RemoteProtocolError, match="another protocol"):
        await transport.post(server.url, [], b"{}", SHORT)
    assert server.opened == 2
    assert not caplog.records  # asyncio tells of what a protocol does not catch


async def test_a_head_stands_though_its_body_breaks_off(serve, transport):
    """Storage has an upload when it says 200, whatever becomes of the words after it."""

    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    server = await serve(talk)
    answer = await transport.move("PUT", server.url + "/", [], b"x", SHORT)
    assert answer.status_code == 200
    await answer.aclose()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_a_body_keep_their_connection(serve, transport, status):
    server = await serve(says(b"HTTP/1.1 " + status + b"\r\n\r\n", OK))
    assert (await get(transport, server.url + "/"))[1] == b""
    assert (await get(transport, server.url + "/"))[1] == b"{}"
    assert server.opened == 1


async def test_an_answer_to_head_has_no_body(serve, transport):
    server = await serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    answer = await transport.move("HEAD", server.url + "/", [], None, SHORT)
    assert (answer.status_code, answer.headers["content-length"]) == (200, "5")
    await answer.aclose()


async def test_headers_that_come_twice_are_joined(serve, transport):
    server = await serve(says(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"))
    assert (await get(transport, server.url + "/"))[0].headers["x-a"] == "1, 2"


async def test_who_reads_slowly_makes_the_server_wait(serve, transport):
    sent = 0

    async def talk(server, reader, writer):
        nonlocal sent
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
            sent += 1

    server = await serve(talk)
    answer = await transport.move("GET", server.url + "/", [], None, SHORT)
    stream = aiter(answer.stream)
    received = len(await anext(stream))
    for _ in range(200):
        await asyncio.sleep(0)
    ours = next(iter(transport._connections._busy))
    assert ours._answer.buffered <= _READ_AHEAD + (1 << 20)
    assert sent < 32  # the rest fits into no buffer of the system's
    async for chunk in stream:
        received += len(chunk)
    await answer.aclose()
    assert received == 64 << 20


@pytest.mark.parametrize("size", [0, 1, _READ_AHEAD, _READ_AHEAD + 1, _HELD - 1, _HELD, _HELD + 1, 3 * _HELD])
async def test_a_body_of_any_length_arrives_whole(serve, transport, size):
    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for start in range(0, size, 1 << 16):
            writer.write(bytes(min(1 << 16, size - start)))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    server = await serve(talk)
    _, body = await get(transport, server.url)
    assert len(body) == size


async def test_an_early_answer_ends_an_upload(serve, transport):
    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def endless():
        while True:
            yield bytes(1 << 16)

    server = await serve(talk)
    answer = await transport.move("PUT", server.url + "/", [("Content-Length", str(1 << 40))], endless(), SHORT)
    assert answer.status_code == 413
    await answer.aclose()
    assert not transport.is_open()  # what was not sent would be read as the next request


async def test_a_body_in_pieces_without_a_length_is_sent_in_chunks(serve, transport):
    bodies = []

    async def talk(server, reader, writer):
        await server.read(reader)
        bodies.append(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(OK)
        await reader.read()

    async def pieces():
        yield b"ab"
        yield b""
        yield b"c" * 20

    server = await serve(talk)
    await (await transport.move("PUT", server.url + "/", [], pieces(), SHORT)).aclose()
    assert bodies == [b"2\r\nab\r\n14\r\n" + b"c" * 20 + b"\r\n0\r\n\r\n"]


async def test_a_body_that_breaks_off_here_gives_up_its_connection(serve, transport):
    async def pieces():
        yield b"half"
        raise ValueError("the file shrank")

    server = await serve(says(OK))
    with pytest.raises(ValueError, match="shrank"):
        await transport.move("PUT", server.url + "/", [("Content-Length", "9")], pieces(), SHORT)
    assert not transport.is_open()


async def test_a_server_that_speaks_unasked_is_not_listened_to(serve, transport):
    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await writer.drain()
        await reader.read()

    server = await serve(talk)
    assert (await get(transport, server.url + "/"))[1] == b"{}"
    for _ in range(20):
        await asyncio.sleep(0)
    assert (await get(transport, server.url + "/"))[1] == b"{}"
    assert server.opened == 2


async def test_two_answers_at_once_are_one_too_many(serve, transport):
    server = await serve(says(OK + OK))
    answer, body = await get(transport, server.url + "/")
    assert (answer.headers, body) == ({"content-length": "2"}, b"{}")
    assert not transport.is_open()


@pytest.mark.parametrize(
    ("target", "header"),
    [("/", "a\r\nX-Evil: 1"), ("/", "a\nX-Evil: 1"), ("/", "a\0b"), ("/a b HTTP/1.1\r\nX: y", "a"), ("/a b", "a")],
)
async def test_nothing_adds_lines_to_a_request(serve, transport, target, header):
    server = await serve(says(OK))
    with pytest.raises(httpx.LocalProtocolError):
        await transport.move("GET", server.url + target, [("X-Name", header)], None, SHORT)
    assert server.opened == 0


async def test_a_server_that_drips_is_cut_off(serve, transport):
    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    server = await serve(talk)
    with pytest.raises(httpx.ReadTimeout):
        await transport.post(server.url, [], b"{}", SHORT | {"read": 0.03})


async def test_an_answer_of_the_api_has_an_end(serve, transport, monkeypatch):
    monkeypatch.setattr("speedpix_pipe.sdk._http1._MOST_WHOLE", 1000)

    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(1000))
            await writer.drain()

    server = await serve(talk)
    with pytest.raises(httpx.RemoteProtocolError, match="more than 1000 bytes"):
        await transport.post(server.url, [], b"{}", SHORT)
