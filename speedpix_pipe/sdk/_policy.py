"""May this call be made again, and when? What does a refusal mean for a submission that costs money?

Three answers are possible for a submission: it surely never ran, it failed, or nobody knows. Safe to repeat is not
worth repeating: a wrong secret surely never ran anything, and asking again will not mend it.
Values in, values out; no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from speedpix_pipe.sdk.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClockSkewError,
    ContentAuditError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceTimeoutError,
    SignatureError,
    SpeedPixError,
    UnexpectedAnswerError,
)


class Outcome(Enum):
    """What a failed call has done on the service."""

    NEVER_RAN = "surely never ran"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Repeat(Enum):
    """Who should make the call again."""

    NEVER = "never"
    READS = "reads only"
    ANY = "any call"
    CLOCK = "any call, once, with the clock corrected"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one refusal means."""

    kind: type[SpeedPixError]
    outcome: Outcome
    repeat: Repeat
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as it came: what the headers say, then what the body says."""

    http_status: int
    headers: Mapping[str, str]
    status: float | None = None
    code: str | None = None
    text: str | None = None
    sub_code: str | None = None
    sub_text: str | None = None
    invoke_id: str | None = None
    readable: bool = False


_NEVER_RAN, _FAILED, _UNKNOWN = Outcome.NEVER_RAN, Outcome.FAILED, Outcome.UNKNOWN
_NO, _READS, _ANY, _CLOCK = Repeat.NEVER, Repeat.READS, Repeat.ANY, Repeat.CLOCK

_THROTTLED: Final = Verdict(RateLimitError, _NEVER_RAN, _ANY)
_SKEWED: Final = Verdict(ClockSkewError, _NEVER_RAN, _CLOCK)
# Our nonces are never reused, so a nonce refused as used means that something delivered the request twice: the first
# copy may have been accepted.
_NONCE_USED: Final = Verdict(SignatureError, _UNKNOWN, _READS, "Something between us and the service sent it twice.")

_NONCE_TEXT: Final = re.compile(r"^[^`]*nonce[^`]*used|^[^`]*used[^`]*nonce", re.IGNORECASE)
_CLOCK_TEXT: Final = re.compile(
    r"^[^`]*timestamp[^`]*(expired|invalid)|^[^`]*(expired|invalid)[^`]*timestamp", re.IGNORECASE
)
# Older instances send these without any code.
_LEGACY_TEXTS: Final[tuple[tuple[tuple[str, ...], Verdict], ...]] = (
    (("throttled by",), _THROTTLED),
    (("invalid signature", "empty signature", "invalid content-md5"), Verdict(SignatureError, _NEVER_RAN, _NO)),
    (("invalid appsecret",), Verdict(AuthenticationError, _NEVER_RAN, _NO, "Check SPEEDPIX_APP_SECRET.")),
    (("invalid appkey",), Verdict(AuthenticationError, _NEVER_RAN, _NO)),
    (
        ("quota exhausted", "quota expired", "user arrears"),
        Verdict(PermissionDeniedError, _NEVER_RAN, _NO, "Top up the account or its quota."),
    ),
    (("unauthorized",), Verdict(PermissionDeniedError, _NEVER_RAN, _NO)),
    (("async service",), Verdict(ServiceTimeoutError, _UNKNOWN, _READS)),
    (
        ("internal error", "failed to invoke backend service", "service unavailable"),
        Verdict(ServerError, _UNKNOWN, _READS),
    ),
)

# By the beginning of the gateway's code; the first row that fits decides.
_CODES: Final[tuple[tuple[tuple[str, ...], Verdict], ...]] = (
    (("S403NU",), _NONCE_USED),
    (("S403TE",), _SKEWED),
    (("T429",), _THROTTLED),
    (("D503", "X503"), Verdict(ServerError, _NEVER_RAN, _ANY)),
    (("I400I5", "I400NC", "A403IS"), Verdict(SignatureError, _NEVER_RAN, _NO)),
    (
        ("I413",),
        Verdict(BadRequestError, _NEVER_RAN, _NO, 'The request is too large; send files as "url", not "base64".'),
    ),
    (("I404",), Verdict(NotFoundError, _NEVER_RAN, _NO)),
    (("I410", "I400JP", "A403FC"), Verdict(ServerError, _NEVER_RAN, _NO)),
    (("A400", "A401", "I400IK"), Verdict(AuthenticationError, _NEVER_RAN, _NO)),
    (("I403AA",), Verdict(PermissionDeniedError, _NEVER_RAN, _NO)),
    (("A",), Verdict(PermissionDeniedError, _NEVER_RAN, _NO)),
    (("I",), Verdict(BadRequestError, _NEVER_RAN, _NO)),
    (("B403",), Verdict(PermissionDeniedError, _NEVER_RAN, _NO)),
    (("B451", "X403"), Verdict(PermissionDeniedError, _UNKNOWN, _NO)),
    (("D504TO", "X504TO"), Verdict(ServiceTimeoutError, _UNKNOWN, _READS)),
    (("D502", "N502", "D504", "X504", "X500ER"), Verdict(ServerError, _UNKNOWN, _READS)),
    (("X500", "X400"), Verdict(ServerError, _UNKNOWN, _NO)),
)

_BUSINESS: Final = {
    "B_API_CauseFlowControl": _THROTTLED,
    "B_API_InvokeTimeout": Verdict(ServiceTimeoutError, _UNKNOWN, _READS),
    "B_API_AuditFailed": Verdict(ContentAuditError, _FAILED, _NO),
}


def gateway_verdict(http_status: int, code: str | None, text: str | None) -> Verdict:
    """What a refusal by the gateway means: a reused nonce or a stale timestamp by its text, all else by its code,
    then by its text, then by the bare HTTP status.
    """
    words = text or ""
    if _NONCE_TEXT.search(words):
        return _NONCE_USED
    if _CLOCK_TEXT.search(words):
        return _SKEWED
    for beginnings, verdict in _CODES:
        if code and code.startswith(beginnings):
            return verdict
    for beginnings, verdict in _LEGACY_TEXTS:
        if words.lower().startswith(beginnings):
            return verdict
    return _bare_verdict(http_status)


def _bare_verdict(http_status: int) -> Verdict:
    """No code and no text we know: the class follows HTTP, and only 429 is sure to have run nothing."""
    if http_status == 429:
        return _THROTTLED
    if http_status in (408, 504):
        return Verdict(ServiceTimeoutError, _UNKNOWN, _READS)
    if http_status >= 500:
        return Verdict(ServerError, _UNKNOWN, _READS)
    if 300 <= http_status < 400:
        return Verdict(
            UnexpectedAnswerError, _UNKNOWN, _NO, "API calls are never redirected; correct SPEEDPIX_ENDPOINT."
        )
    kinds: dict[int, type[SpeedPixError]] = {
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
    }
    return Verdict(kinds.get(http_status, BadRequestError), _UNKNOWN, _NO)


def business_verdict(status: float | None, code: str | None, text: str | None) -> Verdict:
    """What an envelope that is not a success means."""
    if code in _BUSINESS:
        return _BUSINESS[code]
    if text and text.lower().startswith("throttled by"):
        return _THROTTLED
    # Only the documented failure, 20, says that the call ran to its end and was refused.
    return Verdict(APIError, _FAILED if status == 20 else _UNKNOWN, _NO)


def refusal(answer: Answer) -> SpeedPixError:
    """The error for an answer that is not a success."""
    header = answer.headers.get
    code, text = header("x-ca-error-code"), header("x-ca-error-message")
    business = answer.code or answer.sub_code
    if not code and not text and (business or answer.status is not None):
        verdict = business_verdict(answer.status, answer.code, answer.text)
        words, code = answer.sub_text or answer.text, answer.sub_code or answer.code
        if code is None and answer.http_status != 200:
            verdict = gateway_verdict(answer.http_status, None, words)
    elif answer.http_status == 200 and not code and not text:
        verdict = Verdict(UnexpectedAnswerError, _UNKNOWN, _READS)
        words = "the answer has neither data nor an error" if answer.readable else "the answer is not JSON"
    else:
        words = text or answer.sub_text or answer.text
        verdict = gateway_verdict(answer.http_status, code, words)
    return verdict.kind(
        words or code or f"the service answered HTTP {answer.http_status} without a reason",
        code,
        answer.invoke_id,
        sub_error_code=answer.sub_code,
        err_code=answer.code,
        err_message=answer.text,
        sub_err_message=answer.sub_text,
        http_status=answer.http_status,
        request_id=header("x-ca-request-id"),
        retryable=verdict.repeat is not Repeat.NEVER
        and (verdict.outcome is Outcome.NEVER_RAN or verdict.repeat is Repeat.READS),
        surely_never_ran=verdict.outcome is Outcome.NEVER_RAN,
        definite=verdict.outcome is Outcome.FAILED,
        retry_after=retry_after(answer.headers),
        remedy=verdict.remedy,
    )


def means_unknown(error: SpeedPixError) -> bool:
    """After this error of a submission nobody knows whether it was accepted."""
    return not (error.surely_never_ran or error.definite)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds or an HTTP date; nonsense and the past are ignored."""
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - (now or datetime.now(UTC))).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds < 86_400 else None


def clock_offset(headers: Mapping[str, str], now: float) -> float | None:
    """How far the service's clock is ahead of ours, by the Date of its answer."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp() - now
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often the SDK makes one HTTP call, and how long it waits in between.

    `attempts=1` turns repetition off, for callers with a back-off of their own.
    """

    attempts: int = 5
    backoff: float = 0.5
    max_backoff: float = 30.0

    def pause(self, error: SpeedPixError, attempt: int, *, paid: bool, random: Callable[[], float]) -> float | None:
        """Seconds until the next attempt, or None: let the error out."""
        if attempt >= self.attempts or not error.retryable or isinstance(error, ClockSkewError):
            return None
        if paid and not error.surely_never_ran:
            return None
        pause: float = min(self.max_backoff, self.backoff * 2 ** min(attempt - 1, 30)) * (0.5 + random())
        if error.retry_after is not None:
            # A little later than asked, so that many waiting clients do not come back in one instant.
            pause = max(pause, error.retry_after * (1 + 0.1 * random()))
        return pause
