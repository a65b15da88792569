"""The local executor: bytes over loopback, digests, and nothing started before it is needed."""

import asyncio
import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from speedpix_pipe.errors import ExecutorError, UsageError
from speedpix_pipe.executors import EXECUTORS, local, open_executor
from speedpix_pipe.executors.local import LocalExecutor
from speedpix_pipe.files import Entry
from speedpix_pipe.steps.base import Executor, Moved

BODY = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(BODY).hexdigest()


class Storage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = self.path == "/a.png"
        body = BODY if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received[self.path] = (self.headers["Content-Type"], body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def storage():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Storage)
    server.received = {}
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def with_executor(use, **settings):
    async def run():
        executor = open_executor("local", **settings)
        try:
            return await use(executor)
        finally:
            await executor.aclose()

    return asyncio.run(run())


def test_the_local_executor_is_one():
    executor: Executor = LocalExecutor()
    assert set(EXECUTORS) >= {"local"}
    assert executor is not None


def test_an_unknown_executor_names_those_there_are():
    with pytest.raises(UsageError) as caught:
        open_executor("lokal")
    assert "local" in caught.value.hint


def test_a_download_is_whole_and_hashed(storage, tmp_path):
    async def use(executor):
        return await executor.download(f"{storage.url}/a.png", tmp_path / "a.part")

    assert with_executor(use) == Moved(DIGEST, len(BODY), "image/png")
    assert (tmp_path / "a.part").read_bytes() == BODY


def test_a_download_of_the_wrong_size_leaves_nothing(storage, tmp_path):
    async def use(executor):
        with pytest.raises(ExecutorError, match="1280000 bytes came where 5 were expected"):
            await executor.download(f"{storage.url}/a.png", tmp_path / "a.part", expected_size=5)

    with_executor(use)
    assert list(tmp_path.iterdir()) == []


def test_an_upload_says_what_went_out(storage, tmp_path):
    (tmp_path / "a.png").write_bytes(BODY)

    async def use(executor):
        return await executor.upload(f"{storage.url}/up?sign=1", tmp_path / "a.png", "image/png")

    assert with_executor(use) == Moved(DIGEST, len(BODY), "image/png")
    assert storage.received == {"/up?sign=1": ("image/png", BODY)}


def test_connections_that_were_given_stay_open(storage, tmp_path):
    from speedpix_pipe.sdk import transfer

    async def use():
        async with transfer.open_client() as http:
            for name in ("a", "b"):
                executor = LocalExecutor(http=http)
                await executor.download(f"{storage.url}/a.png", tmp_path / name)
                await executor.aclose()

    asyncio.run(use())
    assert (tmp_path / "b").read_bytes() == BODY


def test_refusals_of_storage_come_as_the_sdk_says_them(storage, tmp_path):
    from speedpix_pipe.sdk.transfer import DownloadError

    async def use(executor):
        with pytest.raises(DownloadError):
            await executor.download(f"{storage.url}/gone.png", tmp_path / "a.part")

    with_executor(use)
    assert list(tmp_path.iterdir()) == []


def test_files_are_hashed_beside_the_loop(tmp_path):
    (tmp_path / "a").write_bytes(BODY)

    async def use(executor):
        with pytest.raises(ExecutorError, match="b: cannot be read: No such file"):
            await executor.hash(tmp_path / "b")
        return await asyncio.gather(*(executor.hash(tmp_path / "a") for _ in range(5)))

    assert with_executor(use) == [DIGEST] * 5


def test_a_thread_that_still_fetches_does_not_turn_cancelled_work_into_an_error(tmp_path, monkeypatch):
    begun, over = threading.Event(), threading.Event()

    def fetch(_entry, copy):
        copy.write_bytes(b"part")
        begun.set()
        over.wait(10)

    real = os.rmdir

    def rmdir(path, **options):
        monkeypatch.undo()
        next(tmp_path.iterdir()).joinpath("0.png").write_bytes(b"more")
        real(path, **options)

    async def use(executor):
        await executor.open(tmp_path)
        work = asyncio.ensure_future(executor.pixels("inspect", Entry("s3://shop/a.png", 3, 0.0)))
        await asyncio.to_thread(begun.wait, 10)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    monkeypatch.setattr(local, "fetch_object", fetch)
    monkeypatch.setattr(os, "rmdir", rmdir)
    try:
        with_executor(use)
    finally:
        over.set()


@pytest.mark.slow
def test_pixels_are_worked_in_the_pool(tmp_path):
    from tests.unit.steps import pictures

    async def use(executor):
        return await executor.pixels("inspect", str(pictures.photo("coffee.png")))

    assert with_executor(use, workers=1).width == 600
