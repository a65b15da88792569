"""The 34 defects of the official Python SDK 1.0.4, one test each: ours does not have them. Numbers are the protocol's."""

import hashlib
import io
import json
import locale
import logging
import tempfile
import tomllib
from pathlib import Path

import pytest

from speedpix_pipe import __version__, sdk
from speedpix_pipe.sdk import (
    AsyncFileOutput,
    AsyncSpeedPix,
    DownloadError,
    InputError,
    PredictionError,
    RateLimitError,
    SpeedPixError,
    SpeedPixException,
    SpeedPixTimeoutError,
    Status,
    UploadError,
    _auth,
)

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[4]
DEPENDENCIES = " ".join(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"])


async def image(client):
    return (await client.run("wf", {}))["images"]["url"]


async def test_01_answers_are_parsed_by_our_own_code_not_by_a_mapping_library(client):
    assert (await client.run("wf", {}))["images"]
    assert "wizard" not in DEPENDENCIES


async def test_02_the_md5_is_of_the_bytes_that_are_sent(client, service):
    await client.predictions.create("wf", {"text": "阿里云 \u2028 é", "n": 1.0})
    seen = service.calls("submit")[0]
    assert seen.headers["content-md5"] == _auth.content_md5(seen.body)


async def test_03_a_failed_task_raises_even_if_its_result_envelope_says_success(client, service, wire):
    service.answer("progress", wire.progress("failed", message="boom"))
    service.answer("result", wire.envelope({"taskId": "t", "status": "failed"}))
    with pytest.raises(PredictionError, match="boom"):
        await client.run("wf", {})


async def test_04_default_images_are_the_output_when_no_field_was_configured(client, service, wire):
    service.answer("result", wire.envelope({"status": "succeeded", "images": [service.url + "/a.png"], "result": None}))
    output = await client.run("wf", {})
    assert isinstance(output["images"][0], AsyncFileOutput)


async def test_05_an_error_envelope_while_polling_does_not_fail_the_prediction(client, service, wire):
    service.answer(
        "progress", wire.failure("B_API_CauseFlowControl", "slow down"), wire.failure("B_API_InvokeTimeout"), ...
    )
    service.answer("result", wire.failure("B_API_InvokeTimeout", "late"), ...)
    prediction = await client.predictions.create("wf", {})
    assert (await prediction.wait()).status is Status.SUCCEEDED
    service.answer("result", wire.failure("B_API_ServiceError", "gone", "E1"))
    other = await client.predictions.create("wf", {})
    with pytest.raises(SpeedPixError, match="gone"):
        await other.wait()
    assert other.status is not Status.FAILED


async def test_06_a_refused_ticket_or_an_oversized_file_never_sends_the_local_path(client, service, wire, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(bytes(2 << 20))
    service.answer("ticket", wire.failure("B_API_ServiceError", "no"))
    for strategy in ("url", "base64"):
        with pytest.raises(SpeedPixError):
            await client.run("wf", {"image": str(path)}, file_encoding_strategy=strategy)
    assert service.calls("submit") == []


async def test_07_cancel_says_canceled(client):
    prediction = await (await client.predictions.create("wf", {})).cancel()
    assert prediction.status is Status.CANCELED
    assert prediction.status == "canceled"


async def test_08_what_cannot_be_sent_is_refused_and_files_bytes_and_outputs_are_understood(client, service, wire):
    with pytest.raises(InputError, match=r"input\.x\[1\]"):
        await client.run("wf", {"x": [1, object()]})
    with tempfile.NamedTemporaryFile() as file:
        file.write(wire.PNG)
        file.seek(0)
        await client.run("wf", {"file": file, "bytes": b"\xff\xd8\xff..", "again": await image(client)})
    sent = service.calls("submit")[-1].json["inputs"]
    assert all(value.startswith(service.url) for value in sent.values())
    assert sorted(body for body, _ in service.objects.values()) == sorted([wire.PNG, b"\xff\xd8\xff.."])


async def test_09_long_prompts_are_text(client, service):
    await client.predictions.create("wf", {"text": "/" + "a very long prompt " * 10_000})
    assert len(service.calls("submit")[0].json["inputs"]["text"]) > 100_000


async def test_10_unknown_statuses_and_missing_numbers_are_no_reason_to_stop(client, service, wire, caplog):
    odd = [{"status": "paused"}, {"status": "paused", "progress": None, "etaRelative": None}, {"status": None}, {}]
    service.answer("progress", *(wire.envelope(data) for data in odd), wire.envelope({"status": "successed"}))
    with caplog.at_level(logging.WARNING):
        assert await client.run("wf", {})
    assert caplog.text.count("'paused'") == 1


@pytest.mark.parametrize("result", [["x"], "text", 7, True])
async def test_11_a_result_that_is_no_object_is_handed_over(client, service, wire, result):
    service.answer("result", wire.envelope({"status": "succeeded", "result": result}))
    assert await client.run("wf", {}) == result


@pytest.mark.parametrize("expires", ["soon", None, "", [], "2099-01-01T00:00:00Z", 4102444800])
async def test_11_any_expire_time_is_tolerated(client, service, wire, expires):
    url = service.url + "/bucket/x"
    service.answer("ticket", wire.envelope({"uploadUrl": url, "accessUrl": url, "expireTime": expires}))
    file = await client.files.create(b"x")
    assert (file.expires_at is not None) == (expires in ("2099-01-01T00:00:00Z", 4102444800))


async def test_12_files_of_every_kind_can_be_uploaded(client, service, wire):
    class Unseekable(io.RawIOBase):
        def __init__(self):
            self.parts = [wire.PNG[:5], wire.PNG[5:], b""]

        def readable(self):
            return True

        def read(self, size=-1):
            return self.parts.pop(0)

    with tempfile.TemporaryFile() as nameless, tempfile.NamedTemporaryFile() as named:
        for file in (nameless, named):
            file.write(wire.PNG)
            file.seek(0)
        for made in (nameless, named, wire.PNG, io.BytesIO(wire.PNG), Unseekable()):
            assert (await client.files.create(made)).sha256 == hashlib.sha256(wire.PNG).hexdigest()
    assert [body for body, _ in service.objects.values()] == [wire.PNG] * 5


async def test_13_one_rule_says_which_strings_are_files(client, service, wire, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("large_image.jpg", "a cat"):
        Path(name).write_bytes(wire.PNG)
    await client.predictions.create("wf", {"bare": "large_image.jpg", "prompt": "a cat", "path": "./large_image.jpg"})
    sent = service.calls("submit")[0].json["inputs"]
    assert (sent["bare"], sent["prompt"]) == ("large_image.jpg", "a cat")
    assert sent["path"].startswith(service.url)


async def test_14_a_tilde_is_expanded(client, service, wire, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.png").write_bytes(wire.PNG)
    await client.predictions.create("wf", {"image": "~/a.png"})
    await client.files.create("~/a.png")
    assert len(service.calls("put")) == 2


async def test_15_run_takes_every_option_and_the_default_client_can_be_set(client, service):
    sdk.set_default_client(client)
    try:
        await sdk.async_run(
            "wf", {"b": b"x"}, file_encoding_strategy="base64", randomise_seeds=True, return_temp_files=True
        )
    finally:
        sdk.set_default_client(None)
    sent = service.calls("submit")[0].json
    assert sent["randomise_seeds"] is sent["return_temp_files"] is True
    assert sent["inputs"]["b"].startswith("data:")


async def test_16_the_method_signed_is_the_method_sent(client, service):
    await client.run("wf", {})
    signed = [seen for seen in service.seen if "x-ca-signature" in seen.headers]
    assert {seen.method for seen in signed} == {"POST"}


async def test_17_endpoints_with_slashes_or_without_a_scheme_work(service, wire):
    async with AsyncSpeedPix(wire.KEY, wire.SECRET, service.url + "/", trust_env=False) as client:
        await client.predictions.get("t")
    assert service.seen[0].path == "/scc/comfy_get_progress"
    assert AsyncSpeedPix("k", "s", "your-endpoint.com").endpoint == "https://your-endpoint.com"


async def test_18_version_and_user_agent_agree(client, service):
    await client.predictions.get("t")
    assert sdk.__version__ == __version__
    assert service.seen[0].headers["User-Agent"].endswith(__version__)


async def test_19_dates_are_english_whatever_the_locale():
    before = locale.setlocale(locale.LC_TIME)
    try:
        locale.setlocale(locale.LC_TIME, "")
        assert _auth.http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT+00:00"
    finally:
        locale.setlocale(locale.LC_TIME, before)


async def test_20_the_eta_keeps_its_fraction_and_a_mebibyte_is_too_much_for_base64(client, service, wire):
    service.answer("progress", wire.progress(etaRelative=1.75))
    assert (await client.predictions.get("t")).eta_relative == 1.75
    with pytest.raises(InputError):
        await client.run("wf", {"x": bytes(1 << 20)}, file_encoding_strategy="base64")


async def test_21_every_error_is_one_of_ours(client, service, wire):
    assert SpeedPixException is SpeedPixError
    service.answer("submit", wire.failure("B_API_ServiceError", "no", "E1", "内部错误"))
    service.answer("ticket", wire.failure("B_API_ServiceError", "no"))
    with pytest.raises(SpeedPixException) as caught:
        await client.predictions.create("wf", {})
    assert caught.value.sub_error_code == "E1"
    with pytest.raises(SpeedPixException):
        await client.files.create(b"x")


async def test_22_gateway_headers_and_bad_json_become_our_errors(client, service, wire):
    service.answer("progress", wire.gateway(403, "A403AA", "not authorised"))
    with pytest.raises(SpeedPixError) as caught:
        await client.predictions.get("t")
    error = caught.value
    assert (error.error_code, error.http_status, error.request_id[:8]) == ("A403AA", 403, "1A2B3C4D")
    service.answer("progress", wire.Reply(b"{"))
    with pytest.raises(SpeedPixError):
        await client.predictions.get("t")
    service.answer("submit", wire.Reply({"errMessage": "in the body", "err_code": "E"}, 400))
    with pytest.raises(SpeedPixError, match="in the body"):
        await client.predictions.create("wf", {})


async def test_23_one_429_while_polling_ends_nothing(client, service, wire):
    service.answer("progress", wire.gateway(429, "T429PA"), ...)
    assert await client.run("wf", {})


async def test_24_a_wait_has_a_deadline_when_asked(client, service, wire):
    service.answer("progress", wire.progress())
    with pytest.raises(SpeedPixTimeoutError):
        await client.run("wf", {}, wait_timeout=3)


async def test_25_all_that_the_service_says_is_kept(client, service, wire):
    service.answer("progress", wire.progress("waiting", lastQueueRemaining=4, etaRelative=2.5, message="queued"))
    prediction = await client.predictions.create("wf", {})
    assert prediction.invoke_id
    assert prediction.estimated_duration == 0.01
    await prediction.reload()
    assert (prediction.queue_remaining, prediction.eta_relative, prediction.message) == (4, 2.5, "queued")
    assert prediction.raw["data"]["message"] == "queued"


async def test_26_a_sub_code_alone_is_reported(client, service, wire):
    service.answer("submit", wire.failure(None, None, "E_SUB", "the reason"))
    with pytest.raises(SpeedPixError, match=r"the reason \(E_SUB"):
        await client.predictions.create("wf", {})


async def test_27_file_outputs_hold_no_bytes(client):
    output = await image(client)
    await output.read()
    assert not hasattr(output, "__dict__") or "_content" not in vars(output)


async def test_28_distinct_files_go_up_at_once_and_equal_ones_once(client, service, wire):
    def together(seen):
        service.objects[seen.path] = (seen.body, "x/y")
        return wire.Reply(company=4)

    service.answer("put", together)
    await client.predictions.create("wf", {"a": [b"1", b"2", b"3", b"4", b"1", b"2"]})
    assert service.most["put"] == 4
    assert len(service.calls("put")) == 4


async def test_29_downloads_use_the_clients_connections(client, service, tmp_path):
    output = await image(client)
    for number in range(3):
        await output.save(tmp_path / f"{number}.png")
    assert len({seen.peer for seen in service.calls("get")}) == 1


async def test_30_a_failed_download_leaves_no_file(client, service, wire, tmp_path):
    output = await image(client)
    service.answer("get", wire.Reply(wire.PNG, drop="half"))
    with pytest.raises(DownloadError):
        await output.save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


async def test_31_file_outputs_behave_like_values(client):
    output = await image(client)
    assert hash(output) == hash(output.url)
    before = str(output)
    await output.read()
    assert str(output) == before == output == output.url
    assert repr(output) == f"FileOutput({output.url!r})"
    assert json.loads(json.dumps({"image": output})) == {"image": output.url}
    assert output.to_json() == output.url
    assert output.to_dict() == {"url": output.url}


async def test_31_texts_are_not_files_but_upper_case_schemes_and_data_uris_are(client, service, wire):
    result = {"text": "http://x/a is a link", "upper": "HTTP://x/a", "inline": "data:image/png;base64,AAAA"}
    service.answer("result", wire.envelope({"status": "succeeded", "result": result}))
    output = await client.run("wf", {})
    assert [isinstance(output[name], AsyncFileOutput) for name in result] == [False, True, True]


async def test_32_nameless_pictures_get_a_name_and_a_type(client, service, wire):
    file = await client.files.create(io.BytesIO(wire.PNG))
    assert (file.name, file.content_type) == ("file.png", "image/png")
    assert service.calls("ticket")[0].json == {"contentType": "image/png", "originalFilename": "file.png"}


async def test_33_leaving_a_client_closes_all_its_connections(service, wire):
    async with AsyncSpeedPix(wire.KEY, wire.SECRET, service.url, trust_env=False) as client:
        await client.predictions.get("t")
    lanes = (client._calls.submissions, client._calls.reads, client._calls.files)
    assert not any(lane.is_open() for lane in lanes)


async def test_34_one_http_interface_and_no_idle_dependency():
    assert not {"requests", "pydantic", "packaging"} & set(DEPENDENCIES.replace(">", " ").split())


async def test_an_upload_that_is_refused_says_why_in_storages_words(client, service, wire):
    service.answer(
        "put", wire.Reply(b"<Error><Code>SignatureDoesNotMatch</Code><Message>bad type</Message></Error>", 403)
    )
    with pytest.raises(UploadError, match="bad type") as caught:
        await client.files.create(b"x")
    assert caught.value.error_code == "SignatureDoesNotMatch"


async def test_throttling_that_does_not_end_is_a_rate_limit_error(client, service, wire):
    service.answer("submit", wire.gateway(403, None, "Throttled by USER Flow Control"))
    with pytest.raises(RateLimitError):
        await client.predictions.create("wf", {})
    assert len(service.calls("submit")) == 5
