"""The everyday path on both faces: what is called, in which order, and what comes back."""

import gzip
import io
import json
import os
from pathlib import Path

import pytest

from speedpix_pipe.sdk import (
    AsyncFileOutput,
    AsyncSpeedPix,
    DownloadError,
    File,
    InputError,
    PredictionError,
    RateLimitError,
    SpeedPixTimeoutError,
    Status,
)

pytestmark = pytest.mark.anyio


async def test_run_makes_six_requests_and_one_poll(client, service, tmp_path, wire):
    (tmp_path / "in.png").write_bytes(wire.PNG)
    output = await client.run("wf", {"image": tmp_path / "in.png", "text": "阿里云"})
    saved = await output["images"]["url"].save(tmp_path / "deep" / "out.png")
    assert service.order == ["ticket", "put", "submit", "progress", "result", "get"]
    assert saved.read_bytes() == wire.PNG
    assert [path.name for path in saved.parent.iterdir()] == ["out.png"]


async def test_submit_sends_only_what_was_given(client, service):
    await client.predictions.create("wf", {"text": "x"})
    await client.predictions.create(
        "wf",
        {"text": "x"},
        version_id="v3",
        resource_config_id=["a", "b", "default"],
        randomize_seeds=True,
        return_temp_files=False,
    )
    first, second = service.calls("submit")
    assert first.json == {"workflow_id": "wf", "inputs": {"text": "x"}, "alias_id": "main"}
    assert "X-SP-RESOURCE-CONFIG-ID" not in first.headers
    assert second.json == {
        "workflow_id": "wf",
        "inputs": {"text": "x"},
        "version_id": "v3",
        "randomise_seeds": True,
        "return_temp_files": False,
    }
    assert second.headers["X-SP-RESOURCE-CONFIG-ID"] == "a,b,default"


async def test_created_prediction_carries_what_the_service_said(client, service):
    service.estimate = 12.5
    prediction = await client.predictions.create("wf", {"text": "x"})
    assert prediction.id == "01k3zx5w8ap2m7q4t9c6v1rbye"
    assert prediction.status is Status.WAITING
    assert prediction.estimated_duration == 12.5
    assert prediction.invoke_id == "i_68a1c0ffee00000000000001"
    assert prediction.input == {"text": "x"}
    assert "succeeded" not in repr(prediction)


async def test_wait_returns_the_same_handle_brought_up_to_date(client):
    prediction = await client.predictions.create("wf", {})
    assert await prediction.wait() is prediction
    assert prediction.done
    assert prediction.task_duration == 1.234
    assert prediction.started_at.year == 2025


async def test_get_finds_a_prediction_by_its_id(client, service):
    prediction = await client.predictions.get("t9")
    assert prediction.status is Status.SUCCEEDED
    assert prediction.output["images"]["type"] == "image"
    assert [seen.json for seen in service.seen] == [{"taskId": "t9"}] * 2


async def test_wait_by_id_looks_at_once(client, async_clock):
    await client.predictions.wait("t9")
    assert async_clock.now < 1000.1


async def test_wait_false_returns_the_prediction(client, service):
    prediction = await client.run("wf", {}, wait=False)
    assert prediction.status is Status.WAITING
    assert service.order == ["submit"]


async def test_progress_is_told_at_each_look(client, service, wire):
    service.answer("progress", wire.progress("waiting", lastQueueRemaining=3), wire.progress(progress=0.4), ...)
    seen = []
    await client.run("wf", {}, on_progress=lambda p: seen.append((p.status.value, p.progress, p.queue_remaining)))
    assert seen == [("waiting", 0.5, 3), ("running", 0.4, None), ("succeeded", 1.0, None)]


async def test_success_is_told_before_the_result_is_asked_for(client, service, wire):
    service.answer("progress", wire.progress(progress=0.4), ...)
    prediction, told = await client.predictions.create("wf", {}), []
    await prediction.wait(on_success=lambda: told.append(list(service.order)))
    assert told == [["submit", "progress", "progress"]]
    assert service.order == ["submit", "progress", "progress", "result"]


async def test_a_failure_is_no_success(client, service, wire):
    service.answer("progress", wire.progress("failed"))
    prediction, told = await client.predictions.create("wf", {}), []
    await prediction.wait(on_success=lambda: told.append(1))
    assert prediction.status is Status.FAILED
    assert not told


async def test_an_observer_that_raises_is_logged_and_the_prediction_goes_on(client, caplog):
    def observer(prediction):
        raise RuntimeError("mine")

    assert await client.run("wf", {}, on_progress=observer)
    assert "on_progress raised" in caplog.text


async def test_wait_ends_at_its_timeout_and_the_task_can_be_picked_up(client, service, wire, async_clock):
    service.answer("progress", wire.progress(etaRelative=100))
    prediction = await client.predictions.create("wf", {})
    with pytest.raises(SpeedPixTimeoutError, match="was not done after 5 s") as caught:
        await prediction.wait(timeout=5)
    assert caught.value.prediction is prediction
    assert isinstance(caught.value, TimeoutError)
    assert async_clock.now == pytest.approx(1005, abs=0.1)
    service.answer("progress", ...)
    assert (await client.predictions.wait(prediction.id)).done


async def test_a_wait_that_is_shorter_than_the_estimate_looks_at_its_end(client, service, async_clock):
    service.estimate = 60
    prediction = await client.predictions.create("wf", {})
    assert (await prediction.wait(timeout=5)).status is Status.SUCCEEDED
    assert async_clock.now == pytest.approx(1005, abs=0.1)
    assert service.order == ["submit", "progress", "result"]


async def test_the_last_look_of_a_wait_is_a_single_one(client, service, wire, async_clock):
    service.estimate = 60
    prediction, seen = await client.predictions.create("wf", {}), []
    service.answer("progress", wire.progress())
    with pytest.raises(SpeedPixTimeoutError):
        await prediction.wait(timeout=5, on_progress=lambda p: seen.append(p.progress))
    service.answer("progress", wire.gateway(429, "T429PA"))
    with pytest.raises(SpeedPixTimeoutError) as caught:
        await prediction.wait(timeout=5)
    assert isinstance(caught.value.__cause__, RateLimitError)
    assert service.order == ["submit", "progress", "progress"]
    assert seen == [0.5]
    assert async_clock.now == pytest.approx(1010, abs=0.1)


async def test_a_wait_of_no_time_asks_once(client, service, wire):
    assert (await client.predictions.wait("t9", timeout=0)).done
    service.answer("progress", wire.progress())
    with pytest.raises(SpeedPixTimeoutError):
        await client.predictions.wait("t9", timeout=0)
    assert service.order == ["progress", "result", "progress"]


async def test_a_fixed_interval_is_kept(client, service, wire, async_clock):
    service.answer("progress", *[wire.progress()] * 4, ...)
    prediction = await client.predictions.create("wf", {})
    await prediction.wait(polling_interval=2)
    assert async_clock.now == pytest.approx(1010, abs=0.1)


async def test_cancel_is_local(client, service):
    prediction = await client.predictions.create("wf", {})
    await prediction.cancel()
    assert prediction.status is Status.CANCELED
    assert (await prediction.wait()).status is Status.CANCELED
    assert (await client.predictions.cancel("t1")).status is Status.CANCELED
    assert service.order == ["submit"]


async def test_reload_looks_once(client, service, wire):
    service.answer(
        "progress", wire.progress(message="node 3", state={"nodeLabel": "KSampler", "step": 2, "maxSteps": 20})
    )
    prediction = await (await client.predictions.create("wf", {})).reload()
    assert prediction.state.node_label == "KSampler"
    assert prediction.state.max_steps == 20
    assert prediction.message == "node 3"


async def test_plain_json_is_returned_when_asked_for(client):
    output = await client.run("wf", {}, use_file_output=False)
    assert type(output["images"]["url"]) is str


async def test_a_file_output_is_an_input_again(client, service):
    output = await client.run("wf", {})
    await client.run("wf", {"image": output["images"]["url"], "all": [output["images"]]})
    sent = service.calls("submit")[-1].json["inputs"]
    assert sent["image"] == output["images"]["url"].url
    assert json.dumps(output)


async def test_a_ticket_lets_somebody_without_a_key_upload(client, service, tmp_path, wire):
    from speedpix_pipe.sdk import transfer

    (tmp_path / "a.png").write_bytes(wire.PNG)
    ticket = await client.files.ticket("a.png", "image/png")
    assert service.order == ["ticket"]
    with transfer.open_client_sync() as http:
        moved = transfer.put_file_sync(http, ticket.upload_url, tmp_path / "a.png", "image/png")
    assert service.order == ["ticket", "put"]
    assert moved.size == len(wire.PNG)
    assert ticket.access_url != ticket.upload_url


async def test_files_create_says_what_was_sent(client, service, wire):
    file = await client.files.create(wire.PNG, filename="a.png")
    assert isinstance(file, File)
    assert file.content_type == "image/png"
    assert file.size == len(wire.PNG)
    assert file.id == file.object_key
    assert str(file) == file.url == file.access_url
    assert file.expires_at.tzinfo is not None
    put = service.calls("put")[0]
    assert put.body == wire.PNG
    assert put.headers["Content-Type"] == "image/png"
    assert not [name for name in put.headers if name.lower().startswith("x-ca-")]


async def test_an_expired_ticket_is_renewed_once(client, service, wire):
    denied = wire.Reply(b"<Error><Code>AccessDenied</Code><Message>expired</Message></Error>", 403)
    service.answer("put", denied, ...)
    await client.files.create(wire.PNG)
    assert service.order == ["ticket", "put", "ticket", "put"]


async def test_an_expired_result_url_is_asked_for_again_once(client, service, wire, tmp_path):
    output = await client.run("wf", {})
    service.answer("get", wire.Reply(b"<Error><Code>AccessDenied</Code></Error>", 403), ...)
    await output["images"]["url"].save(tmp_path / "a.png")
    assert service.order[-3:] == ["get", "result", "get"]


async def test_the_same_content_is_uploaded_once(client, service, wire, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(wire.PNG)
    await client.predictions.create("wf", {"a": tmp_path / "a.png", "b": [tmp_path / "b.png", wire.PNG]})
    await client.predictions.create("wf", {"a": tmp_path / "a.png"})
    assert len(service.calls("put")) == 1
    first, second = (seen.json["inputs"] for seen in service.calls("submit"))
    assert first["a"] == first["b"][0] == first["b"][1] == second["a"]


async def test_strings_are_files_only_if_they_look_like_it(client, service, wire, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(wire.PNG)
    await client.predictions.create("wf", {"bare": "a.png", "relative": "./a.png", "prompt": "a cat"})
    sent = service.calls("submit")[0].json["inputs"]
    assert sent["bare"] == "a.png"
    assert sent["prompt"] == "a cat"
    assert sent["relative"].startswith(service.url)


async def test_path_detection_can_be_turned_off(client, service, tmp_path):
    await client.predictions.create("wf", {"text": "/etc/passwd.txt"}, detect_paths=False)
    assert service.calls("submit")[0].json["inputs"]["text"] == "/etc/passwd.txt"


async def test_a_missing_file_is_an_error_and_never_sent_as_text(client, service):
    with pytest.raises(InputError, match=r"there is no file .*nowhere\.png"):
        await client.predictions.create("wf", {"image": "./nowhere.png"})
    assert service.seen == []


async def test_small_files_travel_inline_when_asked(client, service, wire):
    await client.predictions.create("wf", {"image": wire.PNG}, file_encoding_strategy="base64")
    await client.predictions.create("wf", {"image": wire.PNG}, file_encoding_strategy="auto")
    await client.predictions.create("wf", {"image": bytes(100_000)}, file_encoding_strategy="auto")
    first, second, third = (seen.json["inputs"]["image"] for seen in service.calls("submit"))
    assert first == second
    assert first.startswith("data:image/png;base64,")
    assert third.startswith("http")


@pytest.mark.parametrize("size", [10, 2 * 1024 * 1024])
async def test_a_stream_may_be_given_again(client, service, size):
    stream, data = io.BytesIO(), os.urandom(size)
    stream.write(b"head" + data)
    stream.seek(4)
    first, second = [await client.files.create(stream) for _ in range(2)]
    await client.predictions.create("wf", {"image": stream})
    assert (first.size, second.size) == (size, size)
    assert [seen.body for seen in service.calls("put")] == [data] * 3


async def test_base64_refuses_a_mebibyte_with_words(client, service):
    with pytest.raises(InputError, match=r"1048576 bytes; base64 is for files below 1048576"):
        await client.predictions.create("wf", {"image": bytes(1024 * 1024)}, file_encoding_strategy="base64")
    assert service.seen == []


async def test_reading_and_iterating_a_file_output(client, wire):
    output = (await client.run("wf", {}))["images"]["url"]
    assert isinstance(output, AsyncFileOutput)
    assert await output.read() == wire.PNG
    assert b"".join([chunk async for chunk in output]) == wire.PNG
    assert b"".join([chunk async for chunk in output.iter_bytes()]) == wire.PNG


async def test_a_file_that_storage_sends_packed_is_unpacked_however_it_is_read(client, service, wire, tmp_path):
    packed = wire.Reply(
        gzip.compress(wire.PNG * 100), headers={"Content-Encoding": "gzip", "Content-Type": "image/png"}
    )
    service.answer("get", packed)
    output = (await client.run("wf", {}))["images"]["url"]
    assert (await output.save(tmp_path / "a.png")).read_bytes() == wire.PNG * 100
    assert await output.read() == wire.PNG * 100
    assert b"".join([chunk async for chunk in output.iter_bytes()]) == wire.PNG * 100
    service.answer("get", wire.Reply(b"not packed", headers=packed.headers))
    with pytest.raises(DownloadError):
        await output.read()


async def test_data_uris_are_file_outputs_too(client, service, wire, tmp_path):
    result = {"image": "data:image/png;base64,iVBORw0KGgo="}
    service.answer("result", wire.envelope({"status": "succeeded", "result": result}))
    output = (await client.run("wf", {}))["image"]
    assert await output.read() == b"\x89PNG\r\n\x1a\n"
    assert (await output.save(tmp_path / "a.png")).read_bytes() == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("url", [None, "data:image/png;base64,iVBORw0KGgo="])
async def test_a_file_that_cannot_get_its_name_leaves_no_part(client, service, wire, tmp_path, url):
    if url is not None:
        service.answer("result", wire.envelope({"status": "succeeded", "result": {"images": {"url": url}}}))
    output = (await client.run("wf", {}))["images"]["url"]
    (tmp_path / "taken" / "by a folder").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        await output.save(tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    "name", [f"{'图' * 83}a.png", f"{'a' * 251}.png", "😀" * 63], ids=["Chinese", "ASCII", "faces"]
)
async def test_a_file_may_have_any_name_that_the_file_system_takes(client, wire, tmp_path, name):
    output = (await client.run("wf", {}))["images"]["url"]
    assert (await output.save(tmp_path / name)).read_bytes() == wire.PNG
    assert [path.name for path in tmp_path.iterdir()] == [name]


async def test_a_failed_task_raises_with_the_prediction(client, service, wire):
    service.answer("progress", wire.progress("failed", message="node 7 ran out of memory"))
    service.answer("result", wire.failure("B_API_ServiceError", "失败", "OOM", "显存不足"))
    with pytest.raises(PredictionError, match="显存不足") as caught:
        await client.run("wf", {})
    assert caught.value.prediction.status is Status.FAILED
    assert caught.value.error_code == "OOM"
    assert caught.value.prediction.message == "node 7 ran out of memory"


async def test_an_unfinished_result_means_waiting_on(client, service, wire):
    service.answer("result", wire.envelope({"taskId": "t", "status": "running"}), ...)
    output = await client.run("wf", {})
    assert output["images"]
    assert service.order == ["submit", "progress", "result", "progress", "result"]


async def test_the_clients_words_do_not_contain_the_secret(client, wire):
    assert wire.SECRET not in repr(client)
    assert wire.SECRET not in repr(client._config)
    assert wire.SECRET not in repr(client._calls.auth)


async def test_a_client_can_be_used_again_after_closing(client, service):
    await client.aclose()
    await client.run("wf", {})
    assert len(service.calls("submit")) == 1


async def test_an_endpoint_may_have_a_path_and_trailing_slashes(service, wire):
    async with AsyncSpeedPix(wire.KEY, wire.SECRET, service.url + "/prefix//", trust_env=False) as client:
        await client.predictions.get("t")
    assert service.seen[0].path == "/prefix/scc/comfy_get_progress"
