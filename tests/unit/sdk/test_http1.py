"""Our connections, byte by byte: how answers end, what a connection bears, what never goes out, TLS and tunnels."""

import asyncio
import base64
import contextlib
import gc
import ssl
import warnings

import httpx
import pytest
import trustme

from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._connections import Origin
from speedpix_pipe.sdk._http1 import _HELD, _READ_AHEAD
from speedpix_pipe.sdk._transport import StreamTransport

pytestmark = pytest.mark.anyio
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


@pytest.fixture
async def serve():
    made = []

    async def start(talk, **options):
        made.append(await Server().start(talk, **options))
        return made[-1]

    yield start
    for server in made:
        await server.stop()


@pytest.fixture
async def transport():
    made = StreamTransport(4, 15.0, Proxies(trust_env=False))
    yield made
    await made.aclose()


async def get(transport, url, *, timeouts=SHORT, **options):
    answer = await transport.move("GET", url, [], None, timeouts, **options)
    try:
        return answer, b"".join([chunk async for chunk in answer.stream])
    finally:
        await answer.aclose()


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


async def test_who_waits_too_long_for_a_place_never_sent_anything(serve):
    server = await serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"))
    transport = StreamTransport(1, 15.0, Proxies(trust_env=False))
    held = await transport.move("GET", server.url + "/", [], None, SHORT)
    with pytest.raises(httpx.PoolTimeout):
        await get(transport, server.url + "/", timeouts=SHORT | {"pool": 0.01})
    await held.aclose()
    assert len(server.heads) == 1
    await transport.aclose()


async def test_idle_connections_elsewhere_make_room(serve):
    one, two = await serve(says(OK, OK)), await serve(says(OK, OK))
    transport = StreamTransport(1, 15.0, Proxies(trust_env=False))
    for server in (one, two, one):
        await get(transport, server.url + "/")
        assert transport._connections._idle_count == 1
    await transport.aclose()
    assert not transport.is_open()


async def test_a_cancelled_request_leaves_no_connection_and_no_place(serve):
    async def talk(server, reader, writer):
        await server.read(reader)
        await reader.read()

    server = await serve(talk)
    transport = StreamTransport(1, 15.0, Proxies(trust_env=False))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(transport, server.url + "/"), 0.02)
        assert not transport.is_open()
    await transport.aclose()


async def test_whoever_is_cancelled_while_dialling_leaves_no_socket_open(serve, transport):
    server = await serve(says(*[OK] * 100))
    origin = Origin("http", "127.0.0.1", server.port)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        for turns in range(40):  # one of them is the moment in which the connection is there
            dialling = asyncio.ensure_future(transport._connections._open(origin, 5.0))
            for _ in range(turns):
                await asyncio.sleep(0)
            dialling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await dialling).abort()
            del dialling
        await asyncio.sleep(0)
        gc.collect()
    assert [str(warning.message) for warning in told] == []


async def test_closing_the_client_ends_what_is_under_way(serve, transport):
    async def talk(server, reader, writer):
        await server.read(reader)
        await reader.read()

    server = await serve(talk)
    waiting = asyncio.ensure_future(get(transport, server.url + "/"))
    while not server.heads:
        await asyncio.sleep(0.001)
    await transport.aclose()
    with pytest.raises(httpx.ReadError, match="the client was closed"):
        await waiting


async def test_ipv6_addresses_work(serve, transport):
    server = await serve(says(OK), host="::1")
    request = httpx.Request("GET", f"http://[::1]:{server.port}/x")
    answer = await transport.handle_async_request(request)
    assert await answer.aread() == b"{}"
    assert f"Host: [::1]:{server.port}\r\n" in server.heads[0]


# --- TLS, and proxies on the way to it ---


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server_tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def tunnel_to(port, status=b"200 Connection established"):
    """A proxy that connects through to one port of this machine."""

    async def talk(server, reader, writer):
        await server.read(reader)
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        if not status.startswith(b"200"):
            return
        there, back = await asyncio.open_connection("127.0.0.1", port)

        async def pass_on(source, target):
            while piece := await source.read(65536):
                target.write(piece)
            target.close()

        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    return talk


def through(url):
    proxies = Proxies(trust_env=False)
    proxies.proxy_for = lambda scheme, host: url
    return StreamTransport(4, 15.0, proxies)


async def test_https_with_a_trusted_certificate(serve, transport, server_tls, trusted):
    server = await serve(says(OK, OK), ssl=server_tls)
    for _ in range(2):
        posted = await transport.post(f"https://localhost:{server.port}/a", [], b"{}", SHORT)
        assert posted.content == b"{}"
    assert server.opened == 1


async def test_a_certificate_that_is_not_trusted_is_a_connect_error_and_says_so(serve, transport, server_tls):
    server = await serve(says(OK), ssl=server_tls)
    with pytest.raises(httpx.ConnectError, match="certificate is not trusted"):
        await transport.post(f"https://localhost:{server.port}/", [], b"{}", SHORT)


async def test_a_proxy_connects_through_to_https_and_its_password_goes_to_it_alone(serve, server_tls, trusted):
    server = await serve(says(OK, OK), ssl=server_tls)
    proxy = await serve(tunnel_to(server.port))
    transport = through(f"http://me:p%40ss@127.0.0.1:{proxy.port}")
    for _ in range(2):
        assert (await transport.post(f"https://localhost:{server.port}/", [], b"{}", SHORT)).status == 200
    await transport.aclose()
    assert (server.opened, proxy.opened) == (1, 1)
    secret = base64.b64encode(b"me:p@ss").decode()
    assert proxy.heads[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {secret}" in proxy.heads[0]
    assert not any("Proxy-Authorization" in head for head in server.heads)


async def test_a_proxy_may_itself_be_reached_by_tls(serve, server_tls, trusted):
    server = await serve(says(OK), ssl=server_tls)
    proxy = await serve(tunnel_to(server.port), ssl=server_tls)
    transport = through(f"https://localhost:{proxy.port}")
    assert (await transport.post(f"https://localhost:{server.port}/", [], b"{}", SHORT)).status == 200
    await transport.aclose()


async def test_a_proxy_sees_the_whole_url_of_plain_http(serve):
    proxy = await serve(says(OK))
    transport = through(f"http://me:x@127.0.0.1:{proxy.port}")
    await get(transport, "http://storage.example/a%2Fb?sig=%2B")
    await transport.aclose()
    assert proxy.heads[0].startswith("GET http://storage.example/a%2Fb?sig=%2B HTTP/1.1\r\nHost: storage.example\r\n")
    assert "Proxy-Authorization" in proxy.heads[0]


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"502 Bad Gateway"])
async def test_a_proxy_that_refuses_is_a_proxy_error(serve, status):
    proxy = await serve(tunnel_to(1, status))
    transport = through(f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(httpx.ProxyError, match=status[:3].decode()):
        await transport.post("https://localhost/", [], b"{}", SHORT)
    assert not transport.is_open()


async def test_a_proxy_that_is_not_there_is_a_proxy_error():
    transport = through("http://127.0.0.1:1")
    for url in ("https://localhost/", "http://localhost/"):
        with pytest.raises(httpx.ProxyError, match=r"127\.0\.0\.1:1.*refused"):
            await transport.post(url, [], b"{}", SHORT)
