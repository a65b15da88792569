"""The lanes over real sockets: what is repeated (nothing), what is kept alive, and what a failure says."""

import asyncio
import gc
import socket
import threading
import warnings
from pathlib import Path

import httpx
import pytest

from speedpix_pipe.sdk import AsyncSpeedPix, ConnectError, RateLimitError, RetryPolicy, SpeedPix, transfer
from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._lanes import Lanes, LaneShape, async_lane, lane

pytestmark = pytest.mark.anyio
FOUR = LaneShape(4, 15.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Wire(threading.Thread):
    """A server of bytes: for each connection a list of answers, `None` to close without one."""

    def __init__(self, *connections):
        super().__init__(daemon=True)
        self.connections = list(connections)
        self.requests = []
        self.opened = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.opened += 1
            answers = self.connections.pop(0) if self.connections else [OK] * 1000
            threading.Thread(target=self.talk, args=(peer, answers), daemon=True).start()

    def talk(self, peer, answers):
        with peer:
            for answer in answers:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = peer.recv(65536)
                    if not piece:
                        return
                    head += piece
                head, _, body = head.partition(b"\r\n\r\n")
                length = int(
                    next(
                        (
                            line.split(b":")[1]
                            for line in head.split(b"\r\n")
                            if line.lower().startswith(b"content-length")
                        ),
                        0,
                    )
                )
                while len(body) < length:
                    body += peer.recv(65536)
                self.requests.append(head.split(b" ")[0].decode())
                if answer is None:
                    return
                peer.sendall(answer)

    def stop(self):
        self._socket.close()


@pytest.fixture
def wire_server():
    made = []

    def make(*connections):
        made.append(Wire(*connections))
        return made[-1]

    yield make
    for server in made:
        server.stop()


async def ask(face, transport, method, url, content=b"x"):
    request = httpx.Request(method, url, content=content, extensions={"timeout": httpx.Timeout(5).as_dict()})
    if face == "async":
        response = await transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
    else:
        response = await asyncio.to_thread(transport.handle_request, request)
        await asyncio.to_thread(response.read)
        response.close()
    return response


@pytest.fixture(params=["async", "sync"])
async def opened(request):
    made = []

    def make(shape=FOUR):
        made.append((async_lane if request.param == "async" else lane)(shape, Proxies(trust_env=False)))
        return request.param, made[-1]

    yield make
    for transport in made:
        if request.param == "async":
            await transport.aclose()
        else:
            transport.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_nothing_is_repeated_on_a_kept_connection_that_closes(opened, wire_server, method):
    server = wire_server([OK, None])
    face, transport = opened()
    await ask(face, transport, method, server.url)
    with pytest.raises(httpx.TransportError) as caught:
        await ask(face, transport, method, server.url)
    assert server.requests == [method, method]
    assert not isinstance(caught.value, httpx.ConnectError | httpx.ConnectTimeout)


async def test_a_connection_lost_after_the_request_is_not_a_connect_error(opened, wire_server):
    server = wire_server([None], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], [b"garbage\r\n\r\n"])
    face, transport = opened()
    for _ in range(3):
        with pytest.raises(httpx.TransportError) as caught:
            await ask(face, transport, "POST", server.url)
        assert not isinstance(caught.value, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


async def test_a_refused_connection_and_an_unknown_host_are_connect_errors(opened, monkeypatch):
    asked, real = [], socket.getaddrinfo

    def look_up(host, *arguments, **options):
        if host != "nowhere.invalid":
            return real(host, *arguments, **options)
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    face, transport = opened()
    with pytest.raises(httpx.ConnectError):
        await ask(face, transport, "POST", f"http://127.0.0.1:{port}")
    with pytest.raises(httpx.ConnectError):
        await ask(face, transport, "POST", "http://nowhere.invalid")
    assert asked


async def test_a_silent_server_is_a_read_timeout(opened, service, wire):
    service.answer("get", wire.Reply(b"x", delay=2.0))
    face, transport = opened()
    request = httpx.Request("GET", service.url + "/x", extensions={"timeout": httpx.Timeout(0.05).as_dict()})
    with pytest.raises(httpx.ReadTimeout):
        await (
            transport.handle_async_request(request)
            if face == "async"
            else asyncio.to_thread(transport.handle_request, request)
        )


@pytest.mark.parametrize(("pause", "keep_alive", "connections"), [(0.0, 15.0, 1), (0.25, 0.1, 2)])
async def test_a_connection_idle_for_longer_than_its_lane_allows_is_not_used_again(
    opened, wire_server, pause, keep_alive, connections
):
    server = wire_server()
    face, transport = opened(LaneShape(4, keep_alive))
    for _ in range(2):
        await ask(face, transport, "POST", server.url)
        await asyncio.sleep(pause)
    assert server.opened == connections


def test_the_lanes_together_stay_under_a_hundred_connections():
    assert sum(shape.value.connections for shape in Lanes) <= 100
    assert Lanes.SUBMIT.value.keep_alive == 2.0
    assert Lanes.API.value.keep_alive == Lanes.FILES.value.keep_alive == 15.0


async def test_many_in_flight_share_few_connections(service):
    async with AsyncSpeedPix("k", "s", service.url, trust_env=False) as client:
        await asyncio.gather(*(client.predictions.create("wf", {"n": n}) for n in range(200)))
    assert len({seen.peer for seen in service.seen}) <= Lanes.SUBMIT.value.connections


def test_threads_share_them_too(service):
    with SpeedPix("k", "s", service.url, trust_env=False) as client:
        threads = [threading.Thread(target=client.predictions.create, args=("wf", {"n": n})) for n in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(service.calls("submit")) == 60
    assert len({seen.peer for seen in service.seen}) <= Lanes.SUBMIT.value.connections


async def test_redirects_are_never_followed(opened, wire_server):
    server = wire_server([b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", OK])
    face, transport = opened()
    assert (await ask(face, transport, "GET", server.url)).status_code == 302
    assert server.requests == ["GET"]


async def test_signed_urls_arrive_letter_by_letter(opened, service):
    face, transport = opened()
    await ask(face, transport, "PUT", service.url + "/b/a%2Fb%20c?sig=a%2Bb%2F%3D&x=%7E")
    assert service.seen[0].path == "/b/a/b c"
    assert service.seen[0].query == "sig=a%2Bb%2F%3D&x=%7E"


def test_a_client_serves_one_event_loop_after_another(service):
    client = AsyncSpeedPix("k", "s", service.url, trust_env=False)

    async def once():
        # A wait that its loop does not outlive, and two uploads that meet at one lock.
        service.estimate = 60.0
        waiting = asyncio.ensure_future((await client.predictions.create("wf", {})).wait())
        await client.predictions.create("wf", {"a": b"x", "b": Path(__file__)})
        await asyncio.gather(*(client.predictions.create("wf", {"a": b"y"}) for _ in range(3)))
        waiting.cancel()

    async def last():
        service.estimate = 0.01
        for shelf in client.files._shelves.values():
            shelf.file = None
        await asyncio.gather(*(client.predictions.create("wf", {"a": b"y"}) for _ in range(3)))
        await asyncio.wait_for((await client.predictions.create("wf", {})).wait(), 10)
        await client.aclose()

    with warnings.catch_warnings():
        # The first loop ends with a connection open, and Python rightly says so; the client must not mind.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(once())
        asyncio.run(last())
        gc.collect()
    assert len(service.calls("result")) == 1


async def test_a_stalled_upload_ends(wire_server):
    server = socket.create_server(("127.0.0.1", 0))
    transport = async_lane(LaneShape(1, 1.0), Proxies(trust_env=False))

    async def endless():
        while True:
            yield bytes(1 << 20)

    request = httpx.Request(
        "PUT",
        f"http://127.0.0.1:{server.getsockname()[1]}",
        headers={"Content-Length": str(1 << 40)},
        content=endless(),
        extensions={"timeout": httpx.Timeout(0.1).as_dict()},
    )
    with pytest.raises(httpx.TimeoutException):
        await transport.handle_async_request(request)
    await transport.aclose()
    server.close()


def test_attempts_of_one_leave_everything_to_the_caller(service, clock, wire):
    service.answer("submit", wire.gateway(429, "T429PA"))
    with SpeedPix("k", "s", service.url, clock=clock, trust_env=False, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(RateLimitError):
            client.predictions.create("wf", {})
    assert service.order == ["submit"]


async def test_proxies_of_the_environment_are_used_on_both_faces(service, wire, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", service.url)
    async with transfer.open_client() as http:
        await transfer.download(http, "http://storage.example/out/a.png", tmp_path / "a")
    with transfer.open_client_sync() as http:
        await asyncio.to_thread(transfer.download_sync, http, "http://storage.example/out/a.png", tmp_path / "b")
    assert [seen.path for seen in service.seen] == ["/out/a.png"] * 2
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == wire.PNG


async def test_a_proxy_that_refuses_means_that_a_submission_surely_never_ran(
    wire_server, async_clock, clock, monkeypatch
):
    server = wire_server(*[[b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]] * 10)
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    async with AsyncSpeedPix("k", "s", "https://api.example", clock=async_clock) as client:
        with pytest.raises(ConnectError) as caught:
            await client.predictions.create("wf", {})
    assert caught.value.surely_never_ran
    with SpeedPix("k", "s", "https://api.example", clock=clock) as threads, pytest.raises(ConnectError):
        await asyncio.to_thread(threads.predictions.create, "wf", {})
    assert server.requests == ["CONNECT"] * 10
