"""A small loopback service with scripted answers, and clocks that do not wait."""

import asyncio
import json
import threading
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from speedpix_pipe.sdk import AsyncClock, Clock
from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._transport import StreamTransport
from tests.unit.sdk.sockets import Server

KEY, SECRET = "204000001", "sp-test-secret-0123456789abcdef"
PATHS = {
    "submit": "/scc/comfy_prompt",
    "progress": "/scc/comfy_get_progress",
    "result": "/scc/comfy_get_result",
    "ticket": "/scc/sp_create_temp_file_upload_sign",
    "put": "PUT",
    "get": "GET",
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def envelope(data=None, **fields):
    return {
        "status": 10,
        "apiInvokeId": "i_68a1c0ffee00000000000001",
        "data": data,
        "errCode": None,
        "errMessage": None,
        "subErrCode": None,
        "subErrMessage": None,
        "startTime": None,
        "endTime": None,
    } | fields


def failure(code=None, text=None, sub_code=None, sub_text=None, **fields):
    return envelope(status=20, errCode=code, errMessage=text, subErrCode=sub_code, subErrMessage=sub_text, **fields)


@dataclass
class Reply:
    """A whole HTTP answer, or a fault: `drop` closes the connection before, or half-way through, the answer.

    `company` is how many requests of its kind there have to be at once before it is given; or five seconds pass.
    """

    body: object = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    drop: str | None = None
    delay: float = 0.0
    company: int = 1


@dataclass
class Seen:
    what: str
    method: str
    path: str
    headers: object
    body: bytes
    peer: object
    query: str = ""

    @property
    def json(self):
        return json.loads(self.body)


class Service:
    """Answers as the real service would, unless told otherwise: `service.answer("progress", first, second)`.

    The last answer of a script is given again and again; `...` stands for the usual one.
    """

    def __init__(self):
        self.seen: list[Seen] = []
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.most = Counter()  # requests of a kind that were there at once
        self._now = Counter()
        self._scripts = defaultdict(deque)
        self.estimate = 0.01
        self.url = ""

    def answer(self, what, *answers):
        self._scripts[what] = deque(answers)

    def calls(self, what=None):
        return [seen for seen in self.seen if what in (None, seen.what)]

    @property
    def order(self):
        return [seen.what for seen in self.seen]

    def _next(self, what):
        script = self._scripts[what]
        if not script:
            return ...
        return script.popleft() if len(script) > 1 else script[0]

    def usual(self, seen):
        if seen.what == "ticket":
            name = f"{len(self.seen)}-{seen.json['originalFilename']}"
            url = f"{self.url}/bucket/{name}"
            return envelope(
                {
                    "uploadUrl": f"{url}?sig=a%2Fb%3D",
                    "accessUrl": url,
                    "objectKey": name,
                    "path": name,
                    "expireTime": int(time.time() + 3600) * 1000,
                }
            )
        if seen.what == "submit":
            return envelope(
                {
                    "taskId": "01k3zx5w8ap2m7q4t9c6v1rbye",
                    "status": "waiting",
                    "estimatedDurationInSeconds": self.estimate,
                }
            )
        if seen.what == "progress":
            return envelope(
                {
                    "taskId": seen.json["taskId"],
                    "status": "succeeded",
                    "progress": 1,
                    "etaRelative": 0,
                    "lastQueueRemaining": 0,
                }
            )
        if seen.what == "result":
            return envelope(
                {
                    "taskId": seen.json["taskId"],
                    "status": "succeeded",
                    "taskDuration": 1234,
                    "taskBeginTime": 1735689600000,
                    "taskEndTime": 1735689601234,
                    "images": None,
                    "result": {"images": {"url": f"{self.url}/out/a.png?Expires=4102444800", "type": "image"}},
                }
            )
        if seen.what == "put":
            self.objects[seen.path] = (seen.body, seen.headers["Content-Type"])
            return Reply()
        body, kind = self.objects.get(seen.path, (PNG, "image/png"))
        return Reply(body, headers={"Content-Type": kind})

    async def handle(self, request):
        body = await request.read()
        what = (
            request.method.lower()
            if request.method != "POST"
            else next((name for name, path in PATHS.items() if request.path.endswith(path)), "other")
        )
        seen = Seen(
            what,
            request.method,
            request.path,
            request.headers.copy(),
            body,
            id(request.transport),
            request.rel_url.raw_query_string,
        )
        self.seen.append(seen)
        self._now[what] += 1
        self.most[what] = max(self.most[what], self._now[what])
        try:
            return await self._answer(request, seen)
        finally:
            self._now[what] -= 1

    async def _answer(self, request, seen):
        answer = self._next(seen.what)
        if callable(answer):
            answer = answer(seen)
        if answer is ...:
            answer = self.usual(seen)
        if not isinstance(answer, Reply):
            answer = Reply(answer)
        if answer.delay:
            await asyncio.sleep(answer.delay)
        for _ in range(500):
            if self.most[seen.what] >= answer.company:
                break
            await asyncio.sleep(0.01)
        return await self._send(request, answer)

    async def _send(self, request, answer):
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        headers = {"Content-Type": "application/json"} | answer.headers
        if answer.drop == "before":
            request.transport.abort()
            return web.Response()
        if answer.drop == "half":
            response = web.StreamResponse(status=answer.status, headers=headers | {"Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            await asyncio.sleep(0.01)
            request.transport.abort()
            return response
        return web.Response(body=body, status=answer.status, headers=headers)


@pytest.fixture
def service():
    made, ready, loop = Service(), threading.Event(), asyncio.new_event_loop()

    async def main():
        app = web.Application(client_max_size=2**32)
        app.router.add_route("*", "/{rest:.*}", made.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        made.runner = runner
        ready.set()

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
        loop.run_forever()
        loop.run_until_complete(made.runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


class _Leap:
    """Sleeping moves the time on and takes none."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def monotonic(self):
        return self.now

    def _leap(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class LeapClock(_Leap, Clock):
    def sleep(self, seconds, event=None):
        self._leap(seconds)


class AsyncLeapClock(_Leap, AsyncClock):
    async def sleep(self, seconds):
        self._leap(seconds)
        await asyncio.sleep(0)

    def call_later(self, seconds, callback):
        def ring():
            self._leap(max(0.0, at - self.now))
            callback()

        at = self.now + seconds
        return asyncio.get_running_loop().call_soon(ring)


@pytest.fixture
def clock():
    return LeapClock()


@pytest.fixture
def async_clock():
    return AsyncLeapClock()


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def wire():
    """The words of the wire, for scripts."""

    class Words:
        Reply = Reply
        PNG = PNG
        KEY, SECRET = KEY, SECRET
        envelope = staticmethod(envelope)
        failure = staticmethod(failure)

        @staticmethod
        def progress(status="running", **fields):
            return envelope({"taskId": "t", "status": status, "progress": 0.5, "etaRelative": 1.0} | fields)

        @staticmethod
        def gateway(status, code=None, text=None, **headers):
            named = {"X-Ca-Request-Id": "1A2B3C4D-0000-4000-8000-000000000001"}
            if code:
                named["X-Ca-Error-Code"] = code
            if text:
                named["X-Ca-Error-Message"] = text
            return Reply(b"", status, named | {name.replace("_", "-"): value for name, value in headers.items()})

    return Words


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
