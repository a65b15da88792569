"""Connections: places, idle ones, dialling and its end, TLS and tunnels."""

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
from speedpix_pipe.sdk._connections import Connections, Origin
from speedpix_pipe.sdk._transport import StreamTransport
from tests.unit.sdk.sockets import OK, SHORT, get, says

pytestmark = pytest.mark.anyio


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


async def silent(server, reader, writer):
    await reader.read()


def of(connections, server):
    """A way to take connections to this server."""
    origin = Origin("http", "127.0.0.1", server.port)
    return lambda: connections.take(origin, pool_timeout=0.05, connect_timeout=5.0)


async def all_of(take):
    """As many as there are to be had at once."""
    taken = []
    with contextlib.suppress(httpx.PoolTimeout):
        while len(taken) < 10:
            taken.append(await take())
    return taken


async def ended(work):
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    return f"{type(outcome).__name__}: {outcome}"


CLOSED = "ConnectError: the client was closed"


@pytest.mark.parametrize("given", [False, True])
async def test_a_client_that_is_closed_while_somebody_waits_has_no_more_places_than_before(serve, given):
    server, connections = await serve(silent), Connections(2, 15.0, Proxies(trust_env=False))
    take = of(connections, server)
    held = await all_of(take)
    waiting = [asyncio.ensure_future(take()) for _ in range(5)]
    await asyncio.sleep(0)
    if given:  # one of them has its place, and has not heard of it yet
        connections.give(held[0], Origin("http", "127.0.0.1", server.port))
    await connections.aclose()
    assert [await ended(one) for one in waiting] == [CLOSED] * 5
    taken = await all_of(take)
    assert len(taken) == 2
    await connections.aclose()


async def test_a_client_that_is_closed_while_somebody_dials_hands_out_no_connection(serve):
    server, connections = await serve(silent), Connections(2, 15.0, Proxies(trust_env=False))
    take = of(connections, server)
    dialling = asyncio.ensure_future(take())
    await asyncio.sleep(0)
    await connections.aclose()
    assert await ended(dialling) == CLOSED
    assert not connections.open
    assert len(await all_of(take)) == 2
    await connections.aclose()


async def test_whoever_gives_up_dialling_after_the_client_was_closed_frees_no_place(serve):
    server, connections = await serve(silent), Connections(2, 15.0, Proxies(trust_env=False))
    take = of(connections, server)
    dialling = asyncio.ensure_future(take())
    await asyncio.sleep(0)
    await connections.aclose()
    dialling.cancel()
    assert (await ended(dialling)).startswith("CancelledError")
    assert len(await all_of(take)) == 2
    await connections.aclose()


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
