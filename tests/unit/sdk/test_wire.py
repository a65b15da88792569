import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.sdk import InputError, SpeedPixError, Status, _wire
from speedpix_pipe.sdk._models import PredictionState
from speedpix_pipe.sdk._wire import Envelope, Operation
from speedpix_pipe.sdk.errors import UnexpectedAnswerError

BEFORE = PredictionState("t1", Status.RUNNING)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
KNOWN = ["status", "data", "taskId", "apiInvokeId", "errCode", "errMessage", "subErrCode", "subErrMessage", "progress", "etaRelative", "state", "lastQueueRemaining", "nodeLabel", "step", "maxSteps", "result", "images", "taskDuration", "taskBeginTime", "taskEndTime", "uploadUrl", "accessUrl", "objectKey", "path", "expireTime", "estimatedDurationInSeconds", "message", "currentImage"]  # fmt: skip
wire_like = st.recursive(
    json_values | st.sampled_from([10, 20, "10", "succeeded", "failed", 1e400, -1, "NaN", 10**400]),
    lambda inner: st.dictionaries(st.sampled_from(KNOWN), inner, max_size=12) | st.lists(inner, max_size=2),
    max_leaves=30,
)


def ok(data):
    return Envelope(data, "i_1", {"status": 10, "data": data})


def read_everything(envelope):
    for read in (
        lambda: _wire.read_submission(envelope, "w", {}),
        lambda: _wire.read_progress(envelope, BEFORE),
        lambda: _wire.read_result(envelope, _wire.read_progress(envelope, BEFORE)),
        lambda: _wire.read_result(envelope, PredictionState("t", Status.SUCCEEDED)),
        lambda: _wire.read_ticket(envelope),
    ):
        try:
            read()
        except SpeedPixError:
            continue


@pytest.mark.slow
@given(st.sampled_from([200, 400, 500]), wire_like)
def test_an_envelope_of_any_shape_ends_in_a_value_or_one_of_our_errors(status, value):
    try:
        envelope = _wire.parse_envelope(status, {}, json.dumps(value).encode())
    except SpeedPixError:
        return
    read_everything(envelope)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(KNOWN), wire_like, max_size=15))
def test_data_of_any_shape_ends_in_a_value_or_one_of_our_errors(data):
    read_everything(_wire.parse_envelope(200, {}, json.dumps({"status": 10, "data": data}).encode()))


@given(st.binary())
def test_garbage_is_one_of_our_errors(content):
    with pytest.raises(SpeedPixError):
        _wire.parse_envelope(200, {}, content)


def test_deep_nesting_is_one_of_our_errors():
    with pytest.raises(UnexpectedAnswerError):
        _wire.parse_envelope(200, {}, b'{"status":10,"data":' + b"[" * 200_000)


@pytest.mark.parametrize(
    "body",
    [
        {"status": 10, "data": {"taskId": "t"}},
        {"status": "10", "data": {"taskId": "t"}},
        {"data": {"taskId": "t"}},
        {"data": {"task_id": "t"}, "err_code": "", "sub_err_code": None},
        {"status": 10, "data": {"taskId": "t"}, "errCode": "ignored on success"},
    ],
)
def test_successes_in_all_dialects(body):
    envelope = _wire.parse_envelope(200, {}, json.dumps(body).encode())
    assert _wire.read_submission(envelope, "w", {}).id == "t"


@pytest.mark.parametrize(
    "body",
    [
        {"status": 20, "data": {"taskId": "t"}},
        {"data": {}, "errCode": "E"},
        {"data": None},
        {},
        [],
        10,
        None,
        {"status": 11},
    ],
)
def test_everything_else_is_no_success(body):
    with pytest.raises(SpeedPixError):
        _wire.parse_envelope(200, {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("word", "status"),
    [("succeeded", "succeeded"), ("successed", "succeeded"), ("SUCCESS", "succeeded"), ("failed", "failed"),
     ("cancelled", "canceled"), ("paused", "unknown"), (None, "unknown"), (7, "unknown")],
)  # fmt: skip
def test_status_words_are_normalised(word, status):
    assert _wire.status_of(word)[0] == status


@pytest.mark.parametrize(
    ("data", "output"),
    [
        ({"result": {"poster": 1}, "images": ["u"]}, {"poster": 1}),
        ({"result": None, "images": ["u"]}, {"images": ["u"]}),
        ({"result": {}, "images": ["u"]}, {"images": ["u"]}),
        ({"result": {}, "images": []}, {}),
        ({"images": None}, None),
        ({"result": ["http://x/a.png"]}, ["http://x/a.png"]),
        ({}, None),
    ],
)
def test_the_output_is_found_where_it_is(data, output):
    assert _wire.read_result(ok(data), PredictionState("t", Status.SUCCEEDED)).output == output


def test_the_last_shown_image_is_the_last_resort():
    seen = _wire.read_progress(ok({"status": "succeeded", "currentImage": "http://x/a.png"}), BEFORE)
    assert _wire.read_result(ok({}), seen).output == {"images": ["http://x/a.png"]}


def test_a_failed_task_stays_failed_whatever_its_result_says():
    failed = _wire.read_progress(ok({"status": "failed", "message": "boom"}), BEFORE)
    assert _wire.read_result(ok({"status": "succeeded"}), failed).error == "boom"


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        (1735689600000, "2025-01-01T00:00:00+00:00"),
        (1735689600, "2025-01-01T00:00:00+00:00"),
        ("1735689600000", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01T08:00:00+08:00", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00+00:00"),
        ("2025-01-01 00:00:00", "2025-01-01T00:00:00+00:00"),
        ("tomorrow", None),
        (None, None),
        (True, None),
        (1e30, None),
        (math.inf, None),
        ([], None),
    ],
)
def test_expiry_times_are_understood_or_left_out(value, iso):
    found = _wire.parse_expiry(value)
    assert (found.isoformat() if found else None) == iso


def test_an_unreadable_expiry_keeps_its_text():
    ticket = _wire.read_ticket(ok({"uploadUrl": "u", "accessUrl": "a", "expireTime": "tomorrow"}))
    assert ticket.expires_at is None
    assert ticket.expire_time == "tomorrow"


@pytest.mark.parametrize("missing", ["uploadUrl", "accessUrl"])
def test_a_ticket_without_a_url_is_refused(missing):
    data = {"uploadUrl": "u", "accessUrl": "a"} | {missing: None}
    with pytest.raises(UnexpectedAnswerError, match=missing):
        _wire.read_ticket(ok(data))


@pytest.mark.parametrize("options", [{"alias_id": "a", "version_id": "v"}], ids=str)
def test_alias_and_version_together_are_refused(options):
    with pytest.raises(InputError, match="give one of them"):
        _wire.submit_body("w", {}, **options)
    with pytest.raises(ValueError, match="workflow_id is empty"):
        _wire.submit_body("", {})


@pytest.mark.parametrize("value", [math.nan, object(), {1, 2}, "\ud800"])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(InputError):
        _wire.encode({"inputs": value})


def test_pool_lists_are_joined_and_checked():
    assert _wire.resource_header(["a", " b"]) == "a,b"
    assert _wire.resource_header("default") == "default"
    assert _wire.resource_header(None) is _wire.resource_header("") is _wire.resource_header([]) is None
    with pytest.raises(InputError):
        _wire.resource_header("a\r\nX-Evil: 1")


def test_the_paths_are_the_services():
    assert {operation.value for operation in Operation} == {
        "/scc/comfy_prompt", "/scc/comfy_get_progress", "/scc/comfy_get_result", "/scc/sp_create_temp_file_upload_sign",
    }  # fmt: skip
