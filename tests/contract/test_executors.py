"""What every executor promises, asked of each one that is registered. Dask's runs on a real cluster on loopback."""

import asyncio
import hashlib
import os
import pickle
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from speedpix_pipe import __version__
from speedpix_pipe.errors import ExecutorError, PipeError, UsageError
from speedpix_pipe.executors import EXECUTORS, open_executor
from speedpix_pipe.executors.dask import DaskExecutor
from speedpix_pipe.sdk.transfer import DownloadError, UploadError
from speedpix_pipe.steps.base import StoppedError
from speedpix_pipe.steps.image_ops.base import PictureError
from tests.cluster import cluster

BODY = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(BODY).hexdigest()
SECRET = "Signature=not-to-be-seen"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


class Storage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = self.path.startswith("/a.png")
        self._answer(200 if found else 404, BODY if found else b"")

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/closed"):
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        self.server.received[self.path.partition("?")[0]] = (self.headers["Content-Type"], body)
        self._answer(200, b"")

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster"), workers=2) as running:
        yield running


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.dask if name == "dask" else ()) for name in EXECUTORS])
def use(request, tmp_path):
    """Carries out a coroutine function on the executor, which works in the folder `work`."""
    name = request.param
    scheduler = request.getfixturevalue("running_cluster").address if name == "dask" else None
    (tmp_path / "work").mkdir()

    return lambda work: _carry_out(name, scheduler, tmp_path / "work", work)


def _carry_out(name, scheduler, folder, work):
    async def run():
        executor = open_executor(name, scheduler=scheduler)
        try:
            await executor.open(folder)
            return await work(executor)
        finally:
            await executor.aclose()

    return asyncio.run(run())


@pytest.fixture
def photo(tmp_path):
    Image.effect_noise((320, 200), 60).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_download_is_whole_under_its_name_and_nothing_else_is_left(use, storage, tmp_path):
    target = tmp_path / "work" / "a.part"
    moved = use(lambda executor: executor.download(f"{storage.url}/a.png?{SECRET}", target))
    assert (moved.sha256, moved.size, moved.media_type) == (DIGEST, len(BODY), "image/png")
    assert target.read_bytes() == BODY
    assert left(tmp_path / "work") == ["a.part"]


def test_a_refused_download_is_the_sdks_error_and_leaves_nothing(use, storage, tmp_path):
    with pytest.raises(DownloadError) as caught:
        use(lambda executor: executor.download(f"{storage.url}/none.png?{SECRET}", tmp_path / "work" / "a.part"))
    assert caught.value.http_status == 404
    assert left(tmp_path / "work") == []


def test_done_twice_is_done_once(use, storage, tmp_path):
    async def twice(executor):
        url, target = f"{storage.url}/a.png", tmp_path / "work" / "a.part"
        await asyncio.gather(executor.download(url, target), executor.download(url, target))

    use(twice)
    assert (tmp_path / "work" / "a.part").read_bytes() == BODY
    assert left(tmp_path / "work") == ["a.part"]


def test_an_upload_says_what_went_out(use, storage, tmp_path):
    (tmp_path / "source.bin").write_bytes(BODY)
    moved = use(lambda ex: ex.upload(f"{storage.url}/b?{SECRET}", tmp_path / "source.bin", "image/x-own"))
    assert (moved.sha256, moved.size) == (DIGEST, len(BODY))
    assert storage.received["/b"] == ("image/x-own", BODY)


def test_a_refused_upload_says_with_which_status(use, storage, tmp_path):
    (tmp_path / "source.bin").write_bytes(b"x")
    with pytest.raises(UploadError) as caught:
        use(lambda ex: ex.upload(f"{storage.url}/closed?{SECRET}", tmp_path / "source.bin", "text/plain"))
    assert (caught.value.http_status, caught.value.error_code) == (403, "AccessDenied")


def test_digests_are_of_the_bytes(use, tmp_path):
    (tmp_path / "a").write_bytes(BODY)
    assert use(lambda executor: executor.hash(tmp_path / "a")) == DIGEST


def test_a_file_that_is_not_there_is_an_executor_error(use, tmp_path):
    with pytest.raises(ExecutorError):
        use(lambda executor: executor.hash(tmp_path / "none"))


def test_operations_leave_one_picture_in_the_folder_they_are_given(use, photo, tmp_path):
    folder = tmp_path / "work" / "job"
    folder.mkdir()
    operations = [("resize", {"width": 80})]
    path, facts = use(lambda ex: ex.pixels("run_operations", operations, [(str(photo), "photo")], str(folder)))
    assert (facts.width, facts.height) == (80, 50)
    assert left(tmp_path / "work") == ["job", f"job/{path.rpartition('/')[2]}"]
    with Image.open(path) as made:
        assert made.size == (80, 50)


def test_a_thumbnail_has_the_name_it_was_given(use, photo, tmp_path):
    small = use(lambda ex: ex.pixels("thumbnail", str(photo), 64, str(tmp_path / "work" / "t.webp")))
    assert (small.width, small.format) == (64, "webp")
    assert left(tmp_path / "work") == ["t.webp"]


def test_a_broken_picture_is_a_picture_error_with_its_sentence(use, tmp_path):
    (tmp_path / "a.png").write_text("<html>")
    with pytest.raises(PictureError, match=r"a\.png: is no picture"):
        use(lambda executor: executor.pixels("verify", str(tmp_path / "a.png")))


def test_work_that_nobody_knows_is_refused(use, photo):
    with pytest.raises(PipeError, match="no pixel work is called"):
        use(lambda executor: executor.pixels("os.unlink", str(photo)))


def test_a_cancelled_job_leaves_the_executor_usable(use, photo):
    async def cancelled(executor):
        job = asyncio.ensure_future(executor.pixels("verify", str(photo)))
        await asyncio.sleep(0)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        return await executor.pixels("inspect", str(photo))

    assert use(cancelled).width == 320


@pytest.mark.dask
def test_no_signed_url_shows_in_a_cluster(storage, running_cluster, tmp_path):
    """Logs at their most talkative, names of tasks, and what the dashboard's own pages print."""
    (tmp_path / "work").mkdir()
    (tmp_path / "source.bin").write_bytes(b"x")

    async def all_ways(executor):
        return await asyncio.gather(
            executor.download(f"{storage.url}/a.png?{SECRET}", tmp_path / "work" / "a.part"),
            executor.download(f"{storage.url}/none.png?{SECRET}", tmp_path / "work" / "b.part"),
            executor.upload(f"{storage.url}/closed?{SECRET}", tmp_path / "source.bin", "text/plain"),
            executor.download(f"http://127.0.0.1:1/gone?{SECRET}", tmp_path / "no" / "c.part"),
            return_exceptions=True,
        )

    told = repr(_carry_out("dask", running_cluster.address, tmp_path / "work", all_ways))
    shown = [running_cluster.logs(), told]
    for page in ("info/main/workers.html", "info/main/logs.html", "json/counts.json", "metrics"):
        with urllib.request.urlopen(f"{running_cluster.dashboard}/{page}") as answer:
            shown.append(answer.read().decode())
    assert "speedpix-fetch-" in shown[0], "the logs are not talkative enough to prove anything"
    assert not [text for text in shown if "not-to-be-seen" in text]


@pytest.mark.dask
def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("speedpix_pipe.executors.dask.CONNECT_SECONDS", 0.2)
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        _carry_out("dask", "tcp://127.0.0.1:1", tmp_path, None)


@pytest.mark.dask
def test_a_job_that_every_worker_dies_of_is_done_by_the_coordinator(tmp_path):
    """A pipe holds the worker in the middle of its job, so that it can be killed there and nowhere else."""
    (tmp_path / "work").mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def killed(executor):
        job = asyncio.ensure_future(executor.hash(pipe))
        with await asyncio.to_thread(open, pipe, "wb"):
            machines.kill(machines.workers[0])
        with await asyncio.to_thread(open, pipe, "wb") as writing:
            writing.write(BODY)
        return await job

    with cluster(tmp_path / "cluster", workers=1, allowed_failures=0) as machines:
        assert _carry_out("dask", machines.address, tmp_path / "work", killed) == DIGEST


@pytest.mark.dask
def test_a_cluster_that_has_had_no_worker_for_long_counts_as_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("speedpix_pipe.executors.dask.LOOK_SECONDS", 0.05)
    (tmp_path / "work").mkdir()
    (tmp_path / "a").write_bytes(BODY)
    told = []

    async def run():
        executor = DaskExecutor(scheduler=machines.address, workerless_seconds=0.2)
        try:
            await executor.open(tmp_path / "work")
            with executor.telling(told.append):
                machines.kill(machines.workers[0])
                digest = await executor.hash(tmp_path / "a")  # what is wanted now is still done, here
                with pytest.raises(StoppedError):
                    await executor.pixels("verify", str(tmp_path / "a"))
            with executor.telling(told.append):
                return digest
        finally:
            await executor.aclose()

    with cluster(tmp_path / "cluster", workers=1) as machines:
        assert asyncio.run(run()) == DIGEST
    assert len(told) == 2
    assert "has had no worker" in told[0]


@pytest.mark.dask
def test_a_cluster_without_workers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("speedpix_pipe.executors.dask.FIRST_WORKER_SECONDS", 0.1)
    with cluster(tmp_path / "cluster", workers=0) as empty, pytest.raises(UsageError, match="has no workers"):
        _carry_out("dask", empty.address, tmp_path, None)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((__version__, ""), "executor.not-shared"),
        ((__version__, "what another cluster wrote"), "executor.not-shared"),
        (("0.0.1", "word"), "executor.version"),
        (ModuleNotFoundError("speedpix_pipe"), "executor.worker"),
    ],
)
def test_a_worker_that_cannot_work_for_us_is_refused_by_name(tmp_path, answer, code):
    from speedpix_pipe.executors.dask import check_worker

    check_worker("tcp://10.0.0.9:1", (__version__, "word"), "word", tmp_path)
    with pytest.raises(UsageError, match=r"tcp://10\.0\.0\.9:1") as caught:
        check_worker("tcp://10.0.0.9:1", answer, "word", tmp_path)
    assert caught.value.code == code


def test_a_worker_of_another_version_does_nothing():
    from speedpix_pipe.executors import jobs

    outcome = jobs.perform(jobs.Job("digest", ("/nowhere",), version="0.0.1"))
    assert isinstance(outcome, jobs.Refused)
    assert outcome.error.code == "executor.version"


def test_a_signed_url_travels_and_never_shows_itself():
    from speedpix_pipe.executors.jobs import Done, Job, Refused, SignedUrl

    url = SignedUrl(f"https://files/x?{SECRET}")
    assert pickle.loads(pickle.dumps(url)).reveal() == url.reveal()
    shown = f"{url} {url!r} {Job('fetch', (url,))!r} {Done(url)!r} {Refused(ValueError(SECRET))!r}"
    assert SECRET not in shown


def test_a_scheduler_is_asked_for_where_it_is_needed_and_nowhere_else():
    with pytest.raises(UsageError, match="needs a scheduler"):
        open_executor("dask")
    with pytest.raises(UsageError, match="not for --executor local"):
        open_executor("local", scheduler="tcp://127.0.0.1:1")
