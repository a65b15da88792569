"""The service that benchmarks talk to: checks signatures, answers at once, serves 200 kB pictures.

    python tests/bench/fake.py

Prints its port and serves until its standard input closes. Every result has bytes of its own, as real ones do. One
process answers several thousand requests a second, so that what is measured is the client. `POST /control` sets
`latency`, forgets what was counted, and returns the counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
import uuid
import weakref
from base64 import b64encode
from typing import Any

from aiohttp import web

KEY, SECRET = "204000001", "sp-test-secret-0123456789abcdef"
SIZE = 200_000
FOREVER = 4_102_444_800
_HEAD, _TAIL = b"\xff\xd8\xff\xe0", bytes(range(256)) * (SIZE // 256 + 1) + b"\xff\xd9"
_API = "/scc/"


def picture(mark: str) -> bytes:
    """What passes for a JPEG of 200 kB, different for every mark."""
    return _HEAD + mark.encode() + _TAIL[len(mark) :]


def refusal(request: web.BaseRequest, body: bytes) -> str | None:
    """Why the gateway would not let this request in."""
    head = request.headers
    if head.get("content-md5", "") != b64encode(hashlib.md5(body).digest()).decode():
        return "Invalid MD5"
    lines = ["POST", *(head.get(name, "") for name in ("accept", "content-md5", "content-type", "date"))]
    lines += [f"{name}:{head.get(name, '')}" for name in sorted(head.get("x-ca-signature-headers", "").split(","))]
    text = "\n".join([*lines, request.path])
    wanted = b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha256")).decode()
    return None if hmac.compare_digest(wanted, head.get("x-ca-signature", "")) else "Invalid Signature"


class Fake:
    def __init__(self) -> None:
        self.latency = 0.0
        self.base = ""
        self.server = web.Server(self.handle, access_log=None)
        self.born: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.met: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    async def handle(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        if path == "/control":
            return await self.control(request)
        self.count("requests")
        if request.transport not in self.met:
            self.met.add(request.transport)
            self.count("connections")
            self.counts["at once"] = max(self.counts.get("at once", 0), len(self.server.connections))
        if path.startswith(_API):
            return await self.api(path.removeprefix(_API), request)
        if request.method == "PUT":
            self.count("uploads")
            async for _ in request.content.iter_any():
                pass
            return web.Response()
        self.count("downloads")
        return web.Response(body=picture(path), content_type="image/jpeg")

    async def control(self, request: web.BaseRequest) -> web.Response:
        counts, self.counts = self.counts, {}
        self.latency = json.loads(await request.read() or b"{}").get("latency", self.latency)
        self.met.clear()
        return web.json_response(counts)

    async def api(self, call: str, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        wrong = refusal(request, body)
        if wrong is not None:
            return web.Response(status=400, headers={"X-Ca-Error-Code": "A400IS", "X-Ca-Error-Message": wrong})
        self.count(call)
        answer = getattr(self, call)(json.loads(body))
        whole = {"status": 10, "apiInvokeId": "i_1", "data": answer, "errCode": None, "errMessage": None}
        return web.Response(text=json.dumps(whole), content_type="application/json")

    def sp_create_temp_file_upload_sign(self, _asked: Any) -> Any:
        name = uuid.uuid4().hex
        url = f"{self.base}/up/{name}.jpg?Expires={FOREVER}"
        return {"uploadUrl": url, "accessUrl": url, "objectKey": name, "path": name, "expireTime": FOREVER * 1000}

    def comfy_prompt(self, _asked: Any) -> Any:
        task = uuid.uuid4().hex
        self.born[task] = time.monotonic()
        return {"taskId": task, "status": "waiting", "estimatedDurationInSeconds": self.latency}

    def comfy_get_progress(self, asked: Any) -> Any:
        task = asked["taskId"]
        left = self.born[task] + self.latency - time.monotonic()
        status = "running" if left > 0 else "succeeded"
        return {"taskId": task, "status": status, "progress": 0.5 if left > 0 else 1, "etaRelative": max(0.0, left)}

    def comfy_get_result(self, asked: Any) -> Any:
        url = f"{self.base}/out/{asked['taskId']}.jpg?Expires={FOREVER}"
        return {
            "taskId": asked["taskId"],
            "status": "succeeded",
            "taskDuration": int(self.latency * 1000),
            "taskBeginTime": 1_735_689_600_000,
            "taskEndTime": 1_735_689_600_000,
            "images": None,
            "result": {"images": {"url": url, "type": "image"}},
        }


async def serve() -> None:
    fake, loop = Fake(), asyncio.get_running_loop()
    listening = await loop.create_server(fake.server, "127.0.0.1", 0, backlog=1024)
    port = listening.sockets[0].getsockname()[1]
    fake.base = f"http://127.0.0.1:{port}"
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started us is gone


if __name__ == "__main__":
    asyncio.run(serve())
