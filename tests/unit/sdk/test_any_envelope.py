"""Whatever JSON the service answers, a call ends in a value or one of our errors, on both faces."""

import asyncio
import contextlib
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedpix_pipe.sdk import AsyncSpeedPix, RetryPolicy, SpeedPix, SpeedPixError

KEYS = (
    *("status", "apiInvokeId", "errCode", "errMessage", "subErrCode", "subErrMessage", "data"),
    *("taskId", "estimatedDurationInSeconds", "progress", "etaRelative", "lastQueueRemaining", "state", "nodeLabel"),
    *("result", "images", "message", "taskDuration", "taskBeginTime", "uploadUrl", "accessUrl", "expireTime", "url"),
)
WORDS = ("succeeded", "failed", "waiting", "http://127.0.0.1:1/a?Expires=1", "data:,", "B_API_CauseFlowControl", "10")
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9), st.sampled_from(WORDS))
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner),
    max_leaves=12,
)
# A success around any data, and any value instead of an envelope.
ENVELOPES = st.one_of(JSON, JSON.map(lambda data: {"status": 10, "data": data, "apiInvokeId": "i"}))
ANSWERS = st.fixed_dictionaries(
    {path: ENVELOPES for path in ("comfy_prompt", "comfy_get_progress", "comfy_get_result", "upload_sign")}
)
MANY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
OPTIONS = {"trust_env": False, "retry": RetryPolicy(attempts=2, backoff=0.0)}


def answering(answers):
    def answer(request):
        for path, value in answers.items():
            if request.url.path.endswith(path):
                return httpx.Response(200, content=json.dumps(value).encode())
        return httpx.Response(200)

    return httpx.MockTransport(answer)


def attempts(client):
    """Calls that between them make every kind of request."""
    return [
        lambda: client.predictions.create("w", {"text": "x"}),
        lambda: client.predictions.get("t"),
        lambda: client.files.create(b"x"),
        lambda: client.run("w", {"image": b"y"}, wait_timeout=5),
    ]


@pytest.mark.slow
@MANY
@given(answers=ANSWERS)
def test_threads_get_a_value_or_one_of_our_errors(answers, clock):
    client = SpeedPix("k", "s", "http://127.0.0.1:1", transport=answering(answers), clock=clock, **OPTIONS)
    for attempt in attempts(client):
        with contextlib.suppress(SpeedPixError):
            str(attempt())


@pytest.mark.slow
@MANY
@given(answers=ANSWERS)
def test_coroutines_get_a_value_or_one_of_our_errors(answers, async_clock):
    async def main():
        async with AsyncSpeedPix(
            "k", "s", "http://127.0.0.1:1", transport=answering(answers), clock=async_clock, **OPTIONS
        ) as client:
            for attempt in attempts(client):
                with contextlib.suppress(SpeedPixError):
                    str(await attempt())

    asyncio.run(main())


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 100_000, b'{"status": 10', b"<html>", b"NaN"])
def test_what_is_no_json_is_one_of_our_errors(content, clock):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    client = SpeedPix("k", "s", "http://127.0.0.1:1", transport=transport, clock=clock, **OPTIONS)
    for attempt in attempts(client):
        with pytest.raises(SpeedPixError):
            attempt()
