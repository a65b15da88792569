"""A client of the emulator that is nobody's SDK: it signs by the published recipe and reads raw answers."""

import base64
import hashlib
import hmac
import http.client
import io
import itertools
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from PIL import Image

from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread

_nonces = itertools.count()


class TurnedClock:
    """Stands still until turned; sleeping turns it."""

    def __init__(self, now=1_800_000_000.0):
        self.value = now

    def now(self):
        return self.value

    async def sleep(self, seconds):
        self.value += seconds


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def envelope(self):
        return json.loads(self.body)

    @property
    def data(self):
        assert self.envelope["status"] == 10, self.envelope
        return self.envelope["data"]

    @property
    def sub_code(self):
        assert self.envelope["status"] == 20, self.envelope
        return self.envelope["subErrCode"]

    @property
    def picture(self):
        return Image.open(io.BytesIO(self.body))


class Wire:
    def __init__(self, emulator, clock=None):
        self.emulator = emulator
        self.now = clock.now if clock else time.time
        self.connection = None

    def open(self):
        parts = urlsplit(self.emulator.url)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)

    def send(self, method, target, body=None, headers=None, *, keep=False):
        connection = (self.connection or self.open()) if keep else self.open()
        target = target.removeprefix(self.emulator.url)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            if keep:
                self.connection = connection
            else:
                connection.close()

    def sign(self, path, body, *, key="local", secret="local"):
        stamp, nonce = str(int(self.now() * 1000)), f"nonce-{next(_nonces)}"
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        text = f"POST\napplication/json\n{md5}\napplication/json\n\nx-ca-key:{key}\nx-ca-nonce:{nonce}\nx-ca-timestamp:{stamp}\n{path}"
        signature = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
        return {
            "accept": "application/json",
            "content-type": "application/json",
            "content-md5": md5,
            "x-ca-key": key,
            "x-ca-nonce": nonce,
            "x-ca-timestamp": stamp,
            "x-ca-signature-headers": "x-ca-key,x-ca-nonce,x-ca-timestamp",
            "x-ca-signature": signature,
        }

    def call(self, name, payload, *, extra=None, keep=False):
        path = "/scc/" + name
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.send("POST", path, body, self.sign(path, body) | (extra or {}), keep=keep)

    def submit(self, workflow="upscale", inputs=None, **more):
        return self.call("comfy_prompt", {"workflow_id": workflow, "alias_id": "main", "inputs": inputs or {}} | more)

    def poll(self, task_id):
        return self.call("comfy_get_progress", {"taskId": task_id})

    def result(self, task_id):
        return self.call("comfy_get_result", {"taskId": task_id})

    def ticket(self, name="cup.png", content_type="image/png"):
        payload = {"contentType": content_type, "originalFilename": name}
        return self.call("sp_create_temp_file_upload_sign", payload).data

    def upload(self, content, name="cup.png", content_type="image/png"):
        ticket = self.ticket(name, content_type)
        assert self.send("PUT", ticket["uploadUrl"], content, {"Content-Type": content_type}).status == 200
        return ticket["accessUrl"]

    def final(self, task_id):
        """The status once it is final; asks again and again, as there is nothing to wait on but the service."""
        for _ in range(2000):
            progress = self.poll(task_id).data
            if progress["status"] in {"succeeded", "failed"}:
                return progress
        raise AssertionError("the task never became final")

    def run(self, workflow, inputs=None, **more):
        task_id = self.submit(workflow, inputs, **more).data["taskId"]
        assert self.final(task_id)["status"] == "succeeded"
        return self.result(task_id).data["result"]

    def fail(self, workflow, inputs=None):
        """The message of a task that must fail."""
        task_id = self.submit(workflow, inputs).data["taskId"]
        assert self.final(task_id)["status"] == "failed"
        return self.result(task_id).envelope["subErrMessage"]

    def control(self, name, method="GET", payload=None):
        body = None if payload is None else json.dumps(payload).encode()
        return json.loads(self.send(method, "/_emulator/" + name, body).body)


@pytest.fixture
def start():
    """Start emulators as a test likes them; all are closed at its end."""
    running = []

    def begin(clock=None, **options):
        emulator = EmulatorThread(EmulatorOptions(**options), clock=clock)
        running.append(emulator)
        emulator.start()
        return Wire(emulator, clock)

    yield begin
    for emulator in running:
        emulator.close()


@pytest.fixture
def wire(start):
    return start()


@pytest.fixture
def clock():
    return TurnedClock()


def png(colour=(200, 40, 40), size=(40, 30)):
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "PNG")
    return target.getvalue()


@pytest.fixture(name="png")
def _png():
    return png
