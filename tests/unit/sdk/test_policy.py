"""Which refusal means what: the lists of the protocol and of the contract about money, row by row."""

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.sdk import _policy, errors
from speedpix_pipe.sdk._broken import transport_error
from speedpix_pipe.sdk._policy import Answer, RetryPolicy

NEVER_RAN, UNKNOWN, FAILED = "never ran", "unknown", "failed"


def outcome(error):
    return UNKNOWN if _policy.means_unknown(error) else FAILED if error.definite else NEVER_RAN


def refuse(http_status, gateway_code=None, gateway_text=None, /, **fields):
    headers = {}
    if gateway_code:
        headers["x-ca-error-code"] = gateway_code
    if gateway_text:
        headers["x-ca-error-message"] = gateway_text
    return _policy.refusal(Answer(http_status, headers, **fields))


# code, class, what a submission has done, repeated as a read, repeated as a submission
GATEWAY = [
    (
        "I400HD I400MH I400BD I400PA I400RU I400CT I400MP I400IP I400SG I403PT I405UM",
        "BadRequestError",
        NEVER_RAN,
        0,
        0,
    ),
    ("I413RL I413UL", "BadRequestError", NEVER_RAN, 0, 0),
    ("I400I5 I400NC A403IS", "SignatureError", NEVER_RAN, 0, 0),
    ("I404DO I404NF I404NR I404SR", "NotFoundError", NEVER_RAN, 0, 0),
    ("I410GG I400JP A403FC", "ServerError", NEVER_RAN, 0, 0),
    ("A400MA A400AC A401AC A400IK", "AuthenticationError", NEVER_RAN, 0, 0),
    ("A403AA A403EP A403PR A403IP A403IN A403VN A403AC A403CO", "PermissionDeniedError", NEVER_RAN, 0, 0),
    ("B403MQ B403ME B403MI B403OD B403MO", "PermissionDeniedError", NEVER_RAN, 0, 0),
    ("B451DO B451GO X403DG", "PermissionDeniedError", UNKNOWN, 0, 0),
    ("T429ID T429IN T429GR T429PA T429PR T429SR T429MR", "RateLimitError", NEVER_RAN, 1, 1),
    ("D503BB D503CB X503BZ", "ServerError", NEVER_RAN, 1, 1),
    ("D502FC N502RE D504RE D504IL D504CO D504CS X504VE X500ER", "ServerError", UNKNOWN, 1, 0),
    ("D504TO X504TO", "ServiceTimeoutError", UNKNOWN, 1, 0),
    ("X500ED X500AM X400PM", "ServerError", UNKNOWN, 0, 0),
]


@pytest.mark.parametrize(
    ("code", "kind", "did", "read", "submit"),
    [(code, *row[1:]) for row in GATEWAY for code in row[0].split()],
)
def test_every_gateway_code_is_classified(code, kind, did, read, submit):
    error = refuse(int(code[1:4]), code)
    assert type(error).__name__ == kind
    assert outcome(error) == did
    pause = RetryPolicy().pause
    assert (pause(error, 1, paid=False, random=lambda: 0.5) is not None) == bool(read)
    assert (pause(error, 1, paid=True, random=lambda: 0.5) is not None) == bool(submit)
    assert error.remedy


@pytest.mark.parametrize(
    ("status", "text", "kind", "did", "read"),
    [
        (403, "Throttled by APP Flow Control, some words", "RateLimitError", NEVER_RAN, 1),
        (429, "Throttled by USER Flow Control", "RateLimitError", NEVER_RAN, 1),
        (429, None, "RateLimitError", NEVER_RAN, 1),
        (400, "Quota Exhausted", "PermissionDeniedError", NEVER_RAN, 0),
        (400, "Quota Expired", "PermissionDeniedError", NEVER_RAN, 0),
        (400, "User Arrears", "PermissionDeniedError", NEVER_RAN, 0),
        (400, "Invalid AppKey", "AuthenticationError", NEVER_RAN, 0),
        (400, "Invalid AppSecret", "AuthenticationError", NEVER_RAN, 0),
        (400, "Timestamp Expired", "ClockSkewError", NEVER_RAN, 0),
        (400, "Invalid Timestamp", "ClockSkewError", NEVER_RAN, 0),
        (401, "Empty Signature", "SignatureError", NEVER_RAN, 0),
        (404, "Empty Signature", "SignatureError", NEVER_RAN, 0),
        (
            400,
            "Invalid Signature, Server StringToSign:`POST#x-ca-timestamp:1#used nonce`",
            "SignatureError",
            NEVER_RAN,
            0,
        ),
        (400, "Invalid Content-MD5", "SignatureError", NEVER_RAN, 0),
        (403, "Unauthorized", "PermissionDeniedError", NEVER_RAN, 0),
        (400, "Nonce Used", "SignatureError", UNKNOWN, 1),
        (500, "Internal Error", "ServerError", UNKNOWN, 1),
        (500, "Failed To Invoke Backend Service", "ServerError", UNKNOWN, 1),
        (503, "Service Unavailable", "ServerError", UNKNOWN, 1),
        (504, "Async Service", "ServiceTimeoutError", UNKNOWN, 1),
        (500, None, "ServerError", UNKNOWN, 1),
        (502, None, "ServerError", UNKNOWN, 1),
        (503, None, "ServerError", UNKNOWN, 1),
        (504, None, "ServiceTimeoutError", UNKNOWN, 1),
        (302, None, "UnexpectedAnswerError", UNKNOWN, 0),
        (401, None, "AuthenticationError", UNKNOWN, 0),
        (404, None, "NotFoundError", UNKNOWN, 0),
        (418, None, "BadRequestError", UNKNOWN, 0),
    ],
)
def test_every_text_and_bare_status_is_classified(status, text, kind, did, read):
    error = refuse(status, None, text)
    assert type(error).__name__ == kind
    assert outcome(error) == did
    assert (RetryPolicy().pause(error, 1, paid=False, random=lambda: 0.5) is not None) == bool(read)


@pytest.mark.parametrize("code", ["A403IS", "I400NC", "T429PA", "S403NU", None])
def test_a_used_nonce_is_unknown_whatever_its_code(code):
    assert outcome(refuse(400, code, "Nonce Used")) == UNKNOWN


@pytest.mark.parametrize(
    ("fields", "kind", "did"),
    [
        ({"status": 20, "code": "B_API_ServiceError", "sub_code": "X"}, "APIError", FAILED),
        ({"status": 20, "sub_code": "X"}, "APIError", FAILED),
        ({"status": 20}, "APIError", FAILED),
        ({"status": 20, "code": "B_API_InvokeTimeout"}, "ServiceTimeoutError", UNKNOWN),
        ({"status": 20, "code": "B_API_CauseFlowControl"}, "RateLimitError", NEVER_RAN),
        ({"status": 20, "code": "B_API_AuditFailed"}, "ContentAuditError", FAILED),
        ({"status": 30, "code": "B_API_New"}, "APIError", UNKNOWN),
        ({"code": "B_API_New"}, "APIError", UNKNOWN),
        ({"readable": True}, "UnexpectedAnswerError", UNKNOWN),
        ({}, "UnexpectedAnswerError", UNKNOWN),
    ],
)
def test_every_business_answer_is_classified(fields, kind, did):
    error = refuse(200, **fields)
    assert type(error).__name__ == kind
    assert outcome(error) == did


@pytest.mark.parametrize(
    ("error", "never_ran"),
    [
        (httpx.ConnectError("x"), True),
        (httpx.ConnectTimeout("x"), True),
        (httpx.PoolTimeout("x"), True),
        (httpx.ProxyError("x"), True),
        (httpx.UnsupportedProtocol("x"), True),
        (httpx.ReadTimeout("x"), False),
        (httpx.WriteTimeout("x"), False),
        (httpx.ReadError("x"), False),
        (httpx.WriteError("x"), False),
        (httpx.RemoteProtocolError("x"), False),
        (httpx.StreamClosed(), False),
    ],
)
def test_only_failures_before_the_first_byte_surely_never_ran(error, never_ran):
    assert transport_error(error, "submit", "https://api.example").surely_never_ran is never_ran


def test_the_words_of_the_service_and_ours_stand_side_by_side():
    error = refuse(
        200, status=20, code="B_API_ServiceError", text="错误", sub_code="S1", sub_text="显存不足", invoke_id="i_1"
    )
    assert (error.message, error.error_code, error.sub_error_code, error.api_invoke_id) == (
        "显存不足",
        "S1",
        "S1",
        "i_1",
    )
    assert "显存不足 (S1, call i_1)" in str(error)
    throttled = refuse(429, "T429PA", "Throttled")
    assert str(throttled).endswith(errors.RateLimitError.default_remedy)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("Wed, 01 Jan 2025 00:00:10 GMT", 10.0), ("-1", None), ("nan", None), ("soon", None),
     ("Tue, 31 Dec 2024 00:00:00 GMT", None), ("", None), ("999999999", None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value, seconds):
    now = datetime(2025, 1, 1, tzinfo=UTC)
    assert _policy.retry_after({"retry-after": value}, now) == seconds


def test_pauses_grow_with_jitter_and_honour_retry_after():
    policy = RetryPolicy(attempts=10, backoff=1, max_backoff=8)
    error = errors.RateLimitError("x", retryable=True, surely_never_ran=True)
    pauses = [policy.pause(error, attempt, paid=True, random=lambda: 0.5) for attempt in range(1, 11)]
    assert pauses == [1, 2, 4, 8, 8, 8, 8, 8, 8, None]
    error.retry_after = 60
    assert policy.pause(error, 1, paid=True, random=lambda: 0.5) == pytest.approx(63)


def test_one_attempt_means_no_repetition():
    error = errors.RateLimitError("x", retryable=True, surely_never_ran=True)
    assert RetryPolicy(attempts=1).pause(error, 1, paid=False, random=lambda: 0.5) is None


@given(
    st.integers(100, 599), st.none() | st.text(), st.none() | st.text(), st.none() | st.text(), st.none() | st.floats()
)
def test_any_answer_becomes_an_error_and_a_submission_is_never_repeated_unless_it_surely_never_ran(
    status, code, text, business, number
):
    error = refuse(status, code, text, status=number, code=business)
    assert isinstance(error, errors.SpeedPixError)
    assert str(error)
    if RetryPolicy().pause(error, 1, paid=True, random=lambda: 0.5) is not None:
        assert error.surely_never_ran
