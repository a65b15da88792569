"""`Client`, the module's functions, and what only one face has."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from speedpix_pipe import sdk
from speedpix_pipe.sdk import AsyncSpeedPix, Client, ConfigurationError, Prediction, SpeedPix, WaitCanceledError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def both(service, wire):
    async with Client(wire.KEY, wire.SECRET, service.url, trust_env=False) as made:
        yield made


@pytest.fixture
def environment(service, wire, monkeypatch):
    monkeypatch.setenv("SPEEDPIX_APP_KEY", wire.KEY)
    monkeypatch.setenv("SPEEDPIX_APP_SECRET", wire.SECRET)
    monkeypatch.setenv("SPEEDPIX_ENDPOINT", service.url)
    sdk.set_default_client(None)
    yield
    sdk.get_default_client().close()
    sdk.set_default_client(None)


async def test_code_written_for_the_official_client_runs(both, service, wire, tmp_path):
    file = await both.files.async_create(wire.PNG, filename="a.png")
    prediction = await both.predictions.async_create("wf", {"image": file}, alias_id="main")
    assert isinstance(prediction, Prediction)
    await prediction.async_wait(polling_interval=0.01)
    await prediction.output["images"]["url"].async_save(tmp_path / "a.png")
    assert await prediction.output["images"]["url"].async_read() == wire.PNG
    assert (await prediction.async_reload()).status == "succeeded"
    assert (await prediction.async_cancel()).done
    assert (await both.predictions.async_get(prediction.id)).output
    assert (await both.predictions.async_cancel("t")).status == "canceled"
    assert (await both.async_run("wf", {}, polling_interval=0.01, wait_timeout=10))["images"]
    assert (await both.async_run("wf", {}, wait=False)).status == "waiting"
    assert len(service.calls("submit")) == 3


async def test_the_same_client_works_in_threads(both, wire, tmp_path):
    output = await asyncio.to_thread(both.run, "wf", {"image": wire.PNG})
    saved = await asyncio.to_thread(output["images"]["url"].save, tmp_path / "a.png")
    assert saved.read_bytes() == wire.PNG


async def test_leaving_it_closes_both_faces(service, wire):
    async with Client(wire.KEY, wire.SECRET, service.url, trust_env=False) as client:
        await asyncio.to_thread(client.predictions.get, "t")
        await client.predictions.async_get("t")
    assert not client._calls.reads.is_open()
    assert not client.asynchronous()._calls.reads.is_open()


def test_the_modules_run_uses_the_environment(environment, service):
    assert sdk.run("wf", {}, alias_id="main", randomise_seeds=True)["images"]
    assert sdk.get_default_client() is sdk.get_default_client()
    assert isinstance(sdk.get_default_client(), Client)
    assert asyncio.run(sdk.async_run("wf", {}))["images"]
    assert asyncio.run(sdk.async_run("wf", {}))["images"]
    assert len(service.calls("submit")) == 3


@pytest.fixture
def waits(service, wire):
    """Runs in event loops of other threads, each begun when those before it wait for their predictions."""
    done = threading.Event()
    service.answer("progress", lambda _: ... if done.is_set() else wire.progress())

    class Waits:
        def __init__(self, threads):
            self._threads, self._runs = threads, []

        def begin(self, run, client=None):
            looked = threading.Event()

            async def one():
                async with asyncio.timeout(5), client or contextlib.nullcontext():
                    return await run("wf", {}, polling_interval=0.02, on_progress=lambda _: looked.set())

            self._runs.append(self._threads.submit(asyncio.run, one()))
            assert looked.wait(5)

        def finish(self):
            done.set()
            return [run.result()["images"]["type"] for run in self._runs]

    with ThreadPoolExecutor(3) as threads:
        yield Waits(threads)
        done.set()


def test_one_client_may_be_used_in_several_event_loops_at_once(service, wire, waits):
    with SpeedPix(wire.KEY, wire.SECRET, service.url, trust_env=False) as client:
        for _ in range(3):
            waits.begin(client.async_run, client)
        assert waits.finish() == ["image"] * 3
        waits.begin(client.async_run, client)
        assert waits.finish() == ["image"] * 4
        assert len(client._faces) == 3  # one of the three has moved


def test_so_may_the_modules_run(environment, waits):
    for _ in range(3):
        waits.begin(sdk.async_run)
    assert waits.finish() == ["image"] * 3


def test_an_asynchronous_client_refuses_a_second_loop_and_sends_nothing(service, wire, waits, tmp_path):
    client = AsyncSpeedPix(wire.KEY, wire.SECRET, service.url, trust_env=False)
    file = client.predictions.file_output(f"{service.url}/a.png", "t", ())
    waits.begin(client.run, client)
    for call in (
        lambda: client.predictions.create("wf", {"image": wire.PNG}),
        lambda: client.predictions.wait("t"),
        lambda: client.predictions.get("t"),
        lambda: client.files.create(wire.PNG),
        lambda: file.save(tmp_path / "a.png"),
        file.read,
    ):
        with pytest.raises(ConfigurationError, match="another event loop, which still runs"):
            asyncio.run(call())
    assert waits.finish() == ["image"]
    waits.begin(client.run, client)
    assert waits.finish() == ["image"] * 2
    assert {seen.what for seen in service.calls()} == {"submit", "progress", "result"}
    assert len(service.calls("submit")) == 2


def test_another_client_can_be_passed_or_set(service, wire):
    with SpeedPix(wire.KEY, wire.SECRET, service.url, trust_env=False) as mine:
        assert sdk.run("wf", {}, client=mine)
        sdk.set_default_client(mine)
        assert sdk.run("wf", {})
        assert asyncio.run(sdk.async_run("wf", {}))
    sdk.set_default_client(AsyncSpeedPix(wire.KEY, wire.SECRET, service.url))
    with pytest.raises(ConfigurationError, match="the default client is asynchronous"):
        sdk.run("wf", {})
    sdk.set_default_client(None)


def test_an_event_ends_a_threads_wait_and_the_task_goes_on(service, wire):
    service.estimate = 60.0
    event = threading.Event()
    threading.Timer(0.02, event.set).start()
    with (
        SpeedPix(wire.KEY, wire.SECRET, service.url, trust_env=False) as client,
        pytest.raises(WaitCanceledError) as caught,
    ):
        client.run("wf", {}, cancel_event=event)
    assert caught.value.prediction.status == "waiting"


async def test_cancelling_a_task_ends_its_wait(both, service):
    service.estimate = 60.0
    waiting = asyncio.ensure_future(both.async_run("wf", {}))
    while not service.calls("submit"):
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_the_official_name_means_the_same_client():
    assert Client is SpeedPix
    assert repr(Client("key", "secret", "https://api.example")) == "SpeedPix('key', '***', 'https://api.example')"


def test_the_twin_has_the_settings_of_its_client():
    policy = sdk.RetryPolicy(attempts=2)
    client = SpeedPix(
        "key", "secret", "https://api.example/prefix", 7.5, "mine/1", use_file_output=False, detect_paths=False,
        file_encoding_strategy="auto", retry=policy, max_reads_per_second=9.0, max_uploads=3, trust_env=False,
    )  # fmt: skip
    twin = client.asynchronous()
    assert twin is client.asynchronous()
    for name in (
        "_use_file_output",
        "_detect_paths",
        "_max_uploads",
        "_max_reads_per_second",
        "_trust_env",
        "endpoint",
    ):
        assert getattr(twin, name) == getattr(client, name), name
    for name in ("app_key", "endpoint", "timeout", "user_agent", "file_encoding"):
        assert getattr(twin._config, name) == getattr(client._config, name), name
    assert twin._config.app_secret.reveal() == "secret"
    assert twin._calls.retry is policy


def test_everything_named_is_there():
    assert sorted(sdk.__all__) == sorted(set(sdk.__all__))
    for name in sdk.__all__:
        assert hasattr(sdk, name)
