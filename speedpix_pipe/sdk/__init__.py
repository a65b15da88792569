"""The Python SDK of the SpeedPix service, usable alone: `from speedpix_pipe.sdk import SpeedPix`.

Needs httpx, and httptools and aiohappyeyeballs once an asynchronous client talks. The guide is docs/sdk.md.
"""

from speedpix_pipe._version import __version__
from speedpix_pipe.sdk import errors
from speedpix_pipe.sdk._async._transfer import Moved
from speedpix_pipe.sdk._async.client import AsyncSpeedPix
from speedpix_pipe.sdk._async.outputs import AsyncFileOutput
from speedpix_pipe.sdk._async.prediction import AsyncPrediction
from speedpix_pipe.sdk._auth import SpeedPixAuth
from speedpix_pipe.sdk._bytes import url_expiry
from speedpix_pipe.sdk._default import async_run, get_default_client, run, set_default_client
from speedpix_pipe.sdk._media import detect_mime_type_from_buffer, get_content_type
from speedpix_pipe.sdk._models import File, NodeState, PredictionState, Status
from speedpix_pipe.sdk._policy import RetryPolicy
from speedpix_pipe.sdk._sleep import AsyncClock, Clock
from speedpix_pipe.sdk._sync.outputs import FileOutput
from speedpix_pipe.sdk._sync.prediction import Prediction
from speedpix_pipe.sdk._twins import SpeedPix
from speedpix_pipe.sdk.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClockSkewError,
    ConfigurationError,
    ConnectError,
    ContentAuditError,
    DownloadError,
    FileError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    PredictionError,
    RateLimitError,
    ServerError,
    ServiceTimeoutError,
    SignatureError,
    SpeedPixError,
    SpeedPixException,
    SpeedPixTimeoutError,
    SubmissionUnknownError,
    TransportError,
    UnexpectedAnswerError,
    UploadError,
    WaitCanceledError,
)

Client = SpeedPix  # as the official SDK calls it

__all__ = [
    "APIError",
    "AsyncClock",
    "AsyncFileOutput",
    "AsyncPrediction",
    "AsyncSpeedPix",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "Clock",
    "ClockSkewError",
    "ConfigurationError",
    "ConnectError",
    "ContentAuditError",
    "DownloadError",
    "File",
    "FileError",
    "FileOutput",
    "InputError",
    "Moved",
    "NodeState",
    "NotFoundError",
    "PermissionDeniedError",
    "Prediction",
    "PredictionError",
    "PredictionState",
    "RateLimitError",
    "RetryPolicy",
    "ServerError",
    "ServiceTimeoutError",
    "SignatureError",
    "SpeedPix",
    "SpeedPixAuth",
    "SpeedPixError",
    "SpeedPixException",
    "SpeedPixTimeoutError",
    "Status",
    "SubmissionUnknownError",
    "TransportError",
    "UnexpectedAnswerError",
    "UploadError",
    "WaitCanceledError",
    "__version__",
    "async_run",
    "detect_mime_type_from_buffer",
    "errors",
    "get_content_type",
    "get_default_client",
    "run",
    "set_default_client",
    "url_expiry",
]
