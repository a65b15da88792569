"""The SDK's API as a user types it: checked by mypy --strict, never run."""

import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

from speedpix_pipe.sdk import (
    AsyncFileOutput,
    AsyncPrediction,
    AsyncSpeedPix,
    Client,
    File,
    FileOutput,
    NodeState,
    Prediction,
    PredictionError,
    PredictionState,
    RetryPolicy,
    SpeedPix,
    SpeedPixError,
    Status,
    SubmissionUnknownError,
    async_run,
    detect_mime_type_from_buffer,
    get_content_type,
    get_default_client,
    run,
    set_default_client,
    transfer,
)


def threads() -> None:
    with SpeedPix("key", "secret", "https://example.org", timeout=10, retry=RetryPolicy(attempts=1)) as client:
        assert_type(client, SpeedPix)
        output: Any = client.run("wf", {"image": Path("a.png")}, wait_timeout=60, cancel_event=threading.Event())
        prediction = client.predictions.create(
            "wf", {"image": b""}, resource_config_id=["a", "default"], max_attempts=1
        )
        assert_type(prediction, Prediction)
        assert_type(prediction.wait(timeout=3, polling_interval=1, on_progress=print), Prediction)
        assert_type(prediction.status, Status)
        assert_type(prediction.eta_relative, float | None)
        assert_type(prediction.state, NodeState | None)
        assert_type(prediction.snapshot, PredictionState)
        assert_type(prediction.started_at, datetime | None)
        assert_type(client.predictions.get("id").reload(), Prediction)
        assert_type(client.files.create("a.png", content_type="image/png"), File)
        file: FileOutput = output["image"]
        assert_type(file.save("a.png"), Path)
        assert_type(file.read(), bytes)
        assert_type(file.iter_bytes(), Iterator[bytes])
        assert_type(file.url, str)
        assert_type(file.expires_at, datetime | None)
        try:
            client.run("wf", {})
        except SubmissionUnknownError as error:
            assert_type(error.workflow_id, str)
        except PredictionError as error:
            failed: Prediction = error.prediction
            print(failed)
        except SpeedPixError as error:
            assert_type(error.retryable, bool)
            assert_type(error.surely_never_ran, bool)
            assert_type(error.error_code, str | None)


async def coroutines() -> None:
    async with AsyncSpeedPix() as client:
        assert_type(client, AsyncSpeedPix)
        output: Any = await client.run("wf", {"text": "x"}, on_progress=lambda prediction: print(prediction.progress))
        prediction = await client.predictions.create("wf", {})
        assert_type(prediction, AsyncPrediction)
        assert_type(await prediction.wait(), AsyncPrediction)
        file: AsyncFileOutput = output["image"]
        assert_type(await file.save(Path("a.png")), Path)
        assert_type(file.iter_bytes(), AsyncIterator[bytes])
        assert_type(await file.download("a.part"), transfer.Moved)
        async for chunk in file:
            assert_type(chunk, bytes)
    async with transfer.open_client() as http:
        assert_type((await transfer.put_file(http, "https://x", "a.png", "image/png")).sha256, str)
        assert_type((await transfer.download(http, "https://x", Path("a.png"))).size, int)


async def module_and_twins() -> None:
    run("wf", {})
    await async_run("wf", {}, client=AsyncSpeedPix())
    set_default_client(Client())
    assert_type(get_default_client(), SpeedPix | AsyncSpeedPix)
    assert_type(detect_mime_type_from_buffer(b""), str)
    assert_type(get_content_type("a.png"), str)
    await (await Client().predictions.async_create("wf", {})).async_wait(polling_interval=1.0)
