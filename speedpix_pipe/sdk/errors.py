"""What the SDK raises, and nothing but what it raises.

    SpeedPixError
    ├── InputError (ValueError)         what was passed cannot be sent; nothing was
    │   └── ConfigurationError          credentials, endpoint or client options
    ├── TransportError                  no usable answer came over the network
    │   ├── ConnectError                the service was never reached
    │   └── UnexpectedAnswerError       an answer came and could not be understood
    ├── SpeedPixTimeoutError (TimeoutError)  a call or a wait took too long
    ├── WaitCanceledError               the caller ended the wait; the task goes on
    ├── APIError                        the service answered: no
    │   ├── BadRequestError             ├── NotFoundError
    │   ├── AuthenticationError         ├── RateLimitError
    │   ├── SignatureError              ├── ContentAuditError
    │   │   └── ClockSkewError          └── ServerError
    │   └── PermissionDeniedError           └── ServiceTimeoutError
    ├── SubmissionUnknownError          a submission was sent, and nobody knows whether it runs (and is paid)
    ├── PredictionError                 the task itself failed
    └── FileError                       bytes did not arrive
        ├── UploadError
        └── DownloadError

An error of `predictions.create` that is not `SubmissionUnknownError` means that no prediction was made. Which answer
leads to which class is decided in `_policy`.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "ClockSkewError",
    "ConfigurationError",
    "ConnectError",
    "ContentAuditError",
    "DownloadError",
    "FileError",
    "InputError",
    "NotFoundError",
    "PermissionDeniedError",
    "PredictionError",
    "RateLimitError",
    "ServerError",
    "ServiceTimeoutError",
    "SignatureError",
    "SpeedPixError",
    "SpeedPixException",
    "SpeedPixTimeoutError",
    "SubmissionUnknownError",
    "TransportError",
    "UnexpectedAnswerError",
    "UploadError",
    "WaitCanceledError",
]


class SpeedPixError(Exception):
    """The root. `message` holds the service's own words where there are any, `remedy` ours."""

    default_remedy: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        error_code: str | None = None,
        api_invoke_id: str | None = None,
        sub_error_code: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        *,
        err_code: str | None = None,
        err_message: str | None = None,
        sub_err_message: str | None = None,
        retryable: bool = False,
        surely_never_ran: bool = False,
        definite: bool = False,
        retry_after: float | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code
        """The code that says most: the application's own, else the gateway's."""
        self.sub_error_code = sub_error_code
        self.err_code = err_code
        """As they came, beside `sub_error_code`: an envelope has two codes and two messages."""
        self.err_message = err_message
        self.sub_err_message = sub_err_message
        self.api_invoke_id = api_invoke_id
        self.http_status = http_status
        self.request_id = request_id
        self.retryable = retryable
        """The same call may well succeed later, and making it again does no harm."""
        self.surely_never_ran = surely_never_ran
        """The call had no effect on the service: a submission cannot have made a prediction."""
        self.definite = definite
        """The service's application itself said no: the call reached it and made nothing."""
        self.retry_after = retry_after
        """Seconds the service asked to wait, if it did."""
        self.remedy = self.default_remedy if remedy is None else remedy

    def __str__(self) -> str:
        facts = [
            fact
            for fact in (
                self.error_code,
                self.sub_error_code if self.sub_error_code != self.error_code else None,
                f"HTTP {self.http_status}" if self.http_status not in (None, 200) else None,
                f"call {self.api_invoke_id}" if self.api_invoke_id else None,
                f"request {self.request_id}" if self.request_id else None,
            )
            if fact
        ]
        text = self.message + (f" ({', '.join(facts)})" if facts else "")
        return f"{text}. {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with `args` alone, which no class with keywords of its own bears: a process pool
        # then hangs or breaks. A prediction has a client, which does not travel: what is known of it does.
        state = {**self.__dict__, "args": self.args}
        if "prediction" in state:
            state["prediction"] = getattr(state["prediction"], "snapshot", state["prediction"])
        return _unpickled, (type(self),), state


def _unpickled(kind: type[SpeedPixError]) -> SpeedPixError:
    """An error without its facts, which are set next."""
    return kind.__new__(kind)


SpeedPixException = SpeedPixError


class InputError(SpeedPixError, ValueError):
    """Found before anything was sent."""

    def __init__(self, message: str, **details: Any) -> None:
        details.setdefault("surely_never_ran", True)
        super().__init__(message, **details)


class ConfigurationError(InputError):
    """The client cannot be made like this."""


class TransportError(SpeedPixError):
    default_remedy = "The connection broke before the answer was complete."


class ConnectError(TransportError):
    default_remedy = "Check the endpoint, the network and HTTPS_PROXY; nothing was sent."


class UnexpectedAnswerError(TransportError):
    default_remedy = "Check that the endpoint is the SpeedPix service and not a proxy's page."


class SpeedPixTimeoutError(SpeedPixError, TimeoutError):
    """A call or a wait took too long. `prediction` is set when it was a wait: the task goes on and can be asked
    for again by its id.
    """

    def __init__(self, message: str, *, prediction: Any = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.prediction = prediction


class WaitCanceledError(SpeedPixError):
    """The caller's event ended the wait. The service keeps running (and billing) the task."""

    def __init__(self, message: str, *, prediction: Any = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.prediction = prediction


class APIError(SpeedPixError):
    """The service understood the call and said no."""

    default_remedy = "The application behind the service refused it; quote the call id to support."


class BadRequestError(APIError):
    default_remedy = "The service cannot read this request; check the workflow id and the inputs."


class AuthenticationError(APIError):
    default_remedy = "Check SPEEDPIX_APP_KEY: it must belong to an application of the ComfyUI type."


class SignatureError(APIError):
    """The signature was refused. `difference` names the line where the service's string to sign and ours part."""

    default_remedy = "Check SPEEDPIX_APP_SECRET."

    def __init__(self, message: str, *args: Any, difference: str | None = None, **details: Any) -> None:
        super().__init__(message, *args, **details)
        self.difference = difference


class ClockSkewError(SignatureError):
    default_remedy = "This machine's clock is more than 15 minutes off; synchronise it (NTP)."


class PermissionDeniedError(APIError):
    default_remedy = "Check in the console what this application may call, its quota and the account's balance."


class NotFoundError(APIError):
    default_remedy = "Check SPEEDPIX_ENDPOINT: the service has nothing under this host and path."


class RateLimitError(APIError):
    default_remedy = "The service asks for fewer calls; wait, or lower the number in flight."


class ContentAuditError(APIError):
    default_remedy = "The inputs did not pass the content check; sending them again will not help."


class ServerError(APIError):
    default_remedy = "The fault is on the service's side; try again later, and quote the request id to support."


class ServiceTimeoutError(ServerError):
    default_remedy = "The service did not hear from its own backend in time."


class SubmissionUnknownError(SpeedPixError):
    """The submission left this machine and no answer says whether it was accepted.

    It may be running and billed. The SDK never repeats it; `__cause__` holds what happened.
    """

    default_remedy = "It may be running and billed: look at the console before submitting it again."

    def __init__(self, cause: SpeedPixError, *, workflow_id: str) -> None:
        super().__init__(
            f"nobody knows whether the submission of workflow {workflow_id!r} was accepted: {cause.message}",
            cause.error_code,
            cause.api_invoke_id,
            sub_error_code=cause.sub_error_code,
            http_status=cause.http_status,
            request_id=cause.request_id,
            err_code=cause.err_code,
            err_message=cause.err_message,
            sub_err_message=cause.sub_err_message,
        )
        self.workflow_id = workflow_id


class PredictionError(SpeedPixError):
    """The service ran the task and it failed; `prediction` has all that is known."""

    def __init__(self, message: str, *, prediction: Any, **details: Any) -> None:
        super().__init__(message, **details)
        self.prediction = prediction


class FileError(SpeedPixError):
    """Bytes did not arrive. Storage has its own codes (`AccessDenied`, `SignatureDoesNotMatch`): see `error_code`."""


class UploadError(FileError):
    default_remedy = "The file did not reach the service's storage; nothing was submitted with it."

    def __init__(self, message: str, **details: Any) -> None:
        details.setdefault("surely_never_ran", True)
        super().__init__(message, **details)


class DownloadError(FileError):
    default_remedy = "No partial file was left behind; result URLs expire, ask for the prediction again."
