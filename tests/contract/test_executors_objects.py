"""What every executor promises of objects: read, hashed, worked and published by it, or by whoever can in its place."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from speedpix_pipe.executors import open_executor
from speedpix_pipe.files import Entry, ObjectUrl
from speedpix_pipe.files.storage import ChangedObjectError, TakenError, open_storage
from tests.cluster import cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
Use = Callable[[Any], Any]


def storage_environment(url: str, secret: str = "test") -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "worker",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture(scope="module")
def able(tmp_path_factory, s3_service):
    """A cluster whose workers get at the store by an environment of their own."""
    with cluster(
        tmp_path_factory.mktemp("able"), workers=2, environment=storage_environment(s3_service.url)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def unable(tmp_path_factory):
    """A cluster whose workers do not."""
    nowhere = storage_environment("http://127.0.0.1:9") | {"AWS_MAX_ATTEMPTS": "1"}
    with cluster(tmp_path_factory.mktemp("unable"), workers=1, environment=nowhere) as running:
        yield running


@pytest.fixture(
    params=["local", pytest.param("able", marks=pytest.mark.dask), pytest.param("unable", marks=pytest.mark.dask)]
)
def use(request, s3, tmp_path) -> Use:
    scheduler = None if request.param == "local" else request.getfixturevalue(request.param).address
    (tmp_path / "work").mkdir()

    def carry_out(work: Any) -> Any:
        async def run() -> Any:
            executor = open_executor("local" if scheduler is None else "dask", scheduler=scheduler)
            try:
                await executor.open(tmp_path / "work")
                return await work(executor)
            finally:
                await executor.aclose()

        return asyncio.run(run())

    carry_out.kind = request.param  # type: ignore[attr-defined]
    return carry_out


def seen(key: str) -> Entry:
    found = open_storage("s3").look(ObjectUrl(f"s3://shop/{key}"))
    assert found is not None
    return found


def test_a_digest_is_that_of_the_object(use, bucket):
    data = bytes(range(256)) * 50_000
    bucket.put("a.bin", data)
    assert use(lambda executor: executor.hash(seen("a.bin"))) == hashlib.sha256(data).hexdigest()


def test_an_object_that_is_another_by_now_is_not_hashed(use, bucket):
    bucket.put("a.bin", b"first")
    entry = seen("a.bin")
    bucket.put("a.bin", b"other")
    with pytest.raises(ChangedObjectError, match=r"s3://shop/a\.bin"):
        use(lambda executor: executor.hash(entry))
    bucket.delete("a.bin")
    with pytest.raises(ChangedObjectError):
        use(lambda executor: executor.hash(entry))


class Receiver(BaseHTTPRequestHandler):
    def do_PUT(self):
        self.server.received[self.path.partition("?")[0]] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.received = {}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_object_is_uploaded_to_a_signed_url(use, bucket, receiver):
    data = bytes(range(256)) * 40_000  # more than one block
    bucket.put("a.bin", data)
    entry = seen("a.bin")
    url = f"http://127.0.0.1:{receiver.server_address[1]}/up?Signature=x"
    moved = use(lambda executor: executor.upload(url, entry, "application/octet-stream"))
    assert (moved.sha256, moved.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert receiver.received["/up"] == data


def test_an_object_that_changes_is_not_uploaded(use, bucket, receiver):
    bucket.put("a.bin", b"first" * 1000)
    entry = seen("a.bin")
    bucket.put("a.bin", b"other" * 1000)
    with pytest.raises(ChangedObjectError):
        use(lambda executor: executor.upload(f"http://127.0.0.1:{receiver.server_address[1]}/up", entry, "text/plain"))
    assert receiver.received == {}


def test_pictures_that_are_objects_are_worked_and_leave_nothing_behind(use, bucket, photo, tmp_path):
    bucket.put("in/a.jpg", photo("a"))
    entry = seen("in/a.jpg")
    path, facts = use(
        lambda executor: executor.pixels(
            "run_operations",
            [("composite", {"over": entry}), ("resize", {"width": 24})],
            [(entry, "a")],
            str(tmp_path / "work"),
        )
    )
    assert (facts.width, facts.height) == (24, 16)
    with Image.open(path) as made:
        assert made.size == (24, 16)
    assert [found.name for found in (tmp_path / "work").iterdir()] == [Path(path).name]


def test_a_file_is_published_whole_and_over_nothing_that_was_not_seen(use, bucket, tmp_path):
    made = tmp_path / "made.txt"
    made.write_bytes(b"one")
    url = ObjectUrl("s3://shop/out/made.txt")
    digest = hashlib.sha256(b"one").hexdigest()

    def publish(over: Entry | None) -> Entry:
        entry: Entry = use(
            lambda executor: executor.publish(made, url, sha256=digest, media_type="text/plain", over=over)
        )
        return entry

    first = publish(None)
    assert first == seen("out/made.txt")
    assert bucket.get("out/made.txt") == b"one"
    with pytest.raises(TakenError):
        publish(None)
    bucket.put("out/made.txt", b"foreign")
    with pytest.raises(TakenError):
        publish(first)
    publish(seen("out/made.txt"))
    assert bucket.get("out/made.txt") == b"one"


@pytest.mark.dask
def test_workers_do_it_themselves_where_they_can(use, bucket, s3, photo):
    if use.kind != "able":
        pytest.skip("workers that cannot")
    bucket.put("in/a.jpg", photo("a"))
    entry = seen("in/a.jpg")
    s3.requests.clear()
    use(lambda executor: executor.hash(entry))
    (asked,) = [asked for asked in s3.requests if asked.method == "GET"]
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=worker/")


@pytest.mark.dask
def test_no_storage_credential_travels_to_workers_or_shows_in_their_logs(tmp_path, bucket, s3, s3_service, monkeypatch):
    from speedpix_pipe.files.storage import close_storages

    theirs, ours = "secret-of-the-worker", "secret-of-the-coordinator"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ours)
    close_storages()
    bucket.put("a.bin", b"some bytes")
    entry = seen("a.bin")
    (tmp_path / "work").mkdir()

    async def run(address: str) -> str:
        executor = open_executor("dask", scheduler=address)
        try:
            await executor.open(tmp_path / "work")
            return await executor.hash(entry)
        finally:
            await executor.aclose()

    with cluster(tmp_path / "c", workers=1, environment=storage_environment(s3_service.url, theirs)) as running:
        assert asyncio.run(run(running.address)) == hashlib.sha256(b"some bytes").hexdigest()
        logs = running.logs()
    assert ours not in logs
    assert theirs not in logs
    assert "X-Amz-Signature" not in logs
