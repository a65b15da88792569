"""Answers of the four API calls: one JSON object with all its keys, null where there is nothing to say."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from speedpix_pipe.emulator.signing import Refusal

__all__ = ["BusinessError", "failure", "gateway_refusal", "storage_error", "success"]

SERVICE_ERROR = "B_API_ServiceError"
_JSON = "application/json;charset=UTF-8"
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class BusinessError:
    """A refusal behind the gateway. Sub codes are not documented; those that begin with `Emulator.` are ours."""

    sub_code: str | None
    sub_message: str | None
    code: str = SERVICE_ERROR
    message: str = "service error"


def request_id() -> str:
    return str(uuid.uuid4()).upper()


def _invoke_id() -> str:
    return "i_" + uuid.uuid4().hex[:24]


def success(data: dict[str, Any]) -> web.Response:
    return _answer(10, data, None)


def failure(error: BusinessError) -> web.Response:
    return _answer(20, None, error)


def _answer(status: int, data: dict[str, Any] | None, error: BusinessError | None) -> web.Response:
    envelope = {
        "status": status,
        "apiInvokeId": _invoke_id(),
        "data": data,
        "errCode": error.code if error else None,
        "errMessage": error.message if error else None,
        "subErrCode": error.sub_code if error else None,
        "subErrMessage": error.sub_message if error else None,
        "startTime": None,
        "endTime": None,
    }
    body = _compact(envelope).encode()
    return web.Response(body=body, headers={"Content-Type": _JSON, "X-Ca-Request-Id": request_id()})


def gateway_refusal(refusal: Refusal, **headers: str) -> web.Response:
    """A status other than 200 and an empty body; the reason stands in the headers."""
    shown = {"X-Ca-Request-Id": request_id(), "X-Ca-Error-Message": refusal.message, **headers}
    if refusal.code:
        shown["X-Ca-Error-Code"] = refusal.code
    # A header holds no line breaks and, for aiohttp, only text: non-ASCII workflow paths are escaped.
    safe = {name: text.encode("ascii", "backslashreplace").decode("ascii") for name, text in shown.items()}
    return web.Response(status=refusal.status, headers=safe)


def storage_error(status: int, code: str, message: str, **headers: str) -> web.Response:
    """What an OSS bucket says, in XML."""
    identity = uuid.uuid4().hex[:24].upper()
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n'
        f"  <Code>{code}</Code>\n  <Message>{message}</Message>\n  <RequestId>{identity}</RequestId>\n</Error>\n"
    )
    shown = {"Content-Type": "application/xml", "x-oss-request-id": identity, **headers}
    return web.Response(status=status, body=body.encode(), headers=shown)
