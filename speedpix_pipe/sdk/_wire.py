"""The service's words: request bodies out, envelopes in. The only module that knows the wire's names.

Requests mix cases (submit is snake_case, the others camelCase) and answers are camelCase; we read both. Every shape of
answer ends in a value or in one of our errors. What an error means for repeating the call is `_policy`'s business.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from speedpix_pipe.sdk import _policy
from speedpix_pipe.sdk._models import NodeState, PredictionState, Status, UploadTicket
from speedpix_pipe.sdk.errors import InputError, UnexpectedAnswerError

RESOURCE_HEADER: Final = "X-SP-RESOURCE-CONFIG-ID"
_SUCCESS: Final = 10
_STATUS_WORDS: Final = {
    "waiting": Status.WAITING,
    "running": Status.RUNNING,
    "succeeded": Status.SUCCEEDED,
    "successed": Status.SUCCEEDED,  # one Chinese page of the service spells it so
    "success": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "canceled": Status.CANCELED,
    "cancelled": Status.CANCELED,
}


class Operation(Enum):
    """The four calls, by path."""

    SUBMIT = "/scc/comfy_prompt"
    PROGRESS = "/scc/comfy_get_progress"
    RESULT = "/scc/comfy_get_result"
    TICKET = "/scc/sp_create_temp_file_upload_sign"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A successful answer."""

    data: dict[str, Any]
    invoke_id: str | None
    raw: dict[str, Any]


# -- requests ---------------------------------------------------------------------------------------------------------


_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode(body: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON; the very bytes that are hashed, signed and sent."""
    try:
        return _to_json(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the inputs cannot be written as JSON: {error}") from error


def submit_body(
    workflow_id: str,
    inputs: Mapping[str, Any],
    *,
    alias_id: str | None = None,
    version_id: str | None = None,
    randomise_seeds: bool | None = None,
    return_temp_files: bool | None = None,
) -> bytes:
    if not workflow_id:
        raise InputError("workflow_id is empty")
    if alias_id and version_id:
        raise InputError("alias_id and version_id name the same thing in two ways; give one of them")
    body: dict[str, Any] = {"workflow_id": workflow_id, "inputs": inputs}
    if version_id:
        body["version_id"] = version_id
    else:
        body["alias_id"] = alias_id or "main"
    if randomise_seeds is not None:
        body["randomise_seeds"] = randomise_seeds
    if return_temp_files is not None:
        body["return_temp_files"] = return_temp_files
    return encode(body)


def task_body(prediction_id: str) -> bytes:
    """The body of a progress or a result call."""
    if not prediction_id:
        raise InputError("the prediction id is empty")
    return encode({"taskId": prediction_id})


def ticket_body(filename: str, content_type: str) -> bytes:
    return encode({"contentType": content_type, "originalFilename": filename})


def resource_header(resource_config_id: str | list[str] | tuple[str, ...] | None) -> str | None:
    """A fallback list travels joined with commas; None sends nothing, which means the shared pool."""
    if not resource_config_id:
        return None
    pools = [resource_config_id] if isinstance(resource_config_id, str) else resource_config_id
    joined = ",".join(pool.strip() for pool in pools)
    if not joined.isascii() or not joined.isprintable():
        raise InputError(f"resource_config_id is not a list of pool ids: {joined!r}")
    return joined


# -- answers ----------------------------------------------------------------------------------------------------------

_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")
_SNAKE: dict[str, str] = {}


def pick(mapping: Mapping[str, Any], camel: str) -> Any:
    """The value under a camelCase name, or under the same name in snake_case."""
    if camel in mapping:
        return mapping[camel]
    snake = _SNAKE.get(camel)
    if snake is None:
        snake = _SNAKE[camel] = _CAMEL.sub("_", camel).lower()
    return mapping.get(snake)


def text_or_none(value: Any) -> str | None:
    """Codes and messages are strings; a number is tolerated, an empty string counts as absent."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def number_or_none(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole_or_none(value: Any) -> int | None:
    number = number_or_none(value)
    return None if number is None else int(number)


def _instant(value: Any) -> datetime | None:
    """Unix time: milliseconds above 10^11, else seconds."""
    number = number_or_none(value)
    if number is None or number <= 0:
        return None
    try:
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def parse_json(content: bytes) -> Any:
    """Any JSON text, or None."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def parse_envelope(http_status: int, headers: Mapping[str, str], content: bytes) -> Envelope:
    """A success, or the error that `_policy` makes of it."""
    raw = parse_json(content)
    body: dict[str, Any] = raw if isinstance(raw, dict) else {}
    invoke_id = text_or_none(pick(body, "apiInvokeId"))
    if http_status == 200 and body:
        data = pick(body, "data")
        status = number_or_none(body.get("status"))
        codes = text_or_none(pick(body, "errCode")) or text_or_none(pick(body, "subErrCode"))
        if status == _SUCCESS or (status is None and not codes and isinstance(data, dict)):
            return Envelope(data if isinstance(data, dict) else {}, invoke_id, body)
    raise _policy.refusal(
        _policy.Answer(
            http_status=http_status,
            headers=headers,
            status=number_or_none(body.get("status")),
            code=text_or_none(pick(body, "errCode")) or text_or_none(pick(body, "errorCode")),
            text=text_or_none(pick(body, "errMessage")) or text_or_none(pick(body, "errorMessage")),
            sub_code=text_or_none(pick(body, "subErrCode")),
            sub_text=text_or_none(pick(body, "subErrMessage")),
            invoke_id=invoke_id,
            readable=isinstance(raw, dict),
        )
    )


def status_of(word: Any) -> tuple[Status, str | None]:
    """The status we know, and the service's own word."""
    if not isinstance(word, str) or not word:
        return Status.UNKNOWN, None
    return _STATUS_WORDS.get(word.strip().lower(), Status.UNKNOWN), word


def read_submission(envelope: Envelope, workflow_id: str, inputs: Any) -> PredictionState:
    task_id = text_or_none(pick(envelope.data, "taskId"))
    if task_id is None:
        raise UnexpectedAnswerError(
            "the service accepted the submission but named no task",
            api_invoke_id=envelope.invoke_id,
            http_status=200,
        )
    status, word = status_of(envelope.data.get("status"))
    return PredictionState(
        id=task_id,
        status=status if word is not None else Status.WAITING,
        raw_status=word,
        workflow_id=workflow_id,
        input=inputs,
        estimated_duration=number_or_none(pick(envelope.data, "estimatedDurationInSeconds")),
        invoke_id=envelope.invoke_id,
        raw=envelope.raw,
    )


def read_progress(envelope: Envelope, before: PredictionState) -> PredictionState:
    data = envelope.data
    status, word = status_of(data.get("status"))
    node = pick(data, "state")
    if isinstance(node, dict):
        label = text_or_none(pick(node, "nodeLabel"))
        state = NodeState(label, _whole_or_none(node.get("step")), _whole_or_none(pick(node, "maxSteps")))
    else:
        state = None
    return replace(
        before,
        status=status,
        raw_status=word,
        progress=number_or_none(data.get("progress")),
        eta_relative=number_or_none(pick(data, "etaRelative")),
        queue_remaining=_whole_or_none(pick(data, "lastQueueRemaining")) if status is Status.WAITING else None,
        message=text_or_none(data.get("message")) or before.message,
        state=state,
        invoke_id=envelope.invoke_id,
        raw=envelope.raw,
    )


def read_result(envelope: Envelope, before: PredictionState) -> PredictionState:
    """The result call's answer. A status that is not final leaves the task unfinished."""
    data = envelope.data
    status, word = status_of(data.get("status"))
    if word is None:
        status, word = before.status, before.raw_status
    if before.status is Status.FAILED:
        status = Status.FAILED  # progress said so; a friendlier envelope does not undo it
    duration = number_or_none(pick(data, "taskDuration"))
    failed = status is Status.FAILED
    return replace(
        before,
        status=status,
        raw_status=word,
        output=_output(data, before) if status is Status.SUCCEEDED else before.output,
        error=(text_or_none(data.get("message")) or before.message or "the task failed") if failed else None,
        task_duration=None if duration is None else duration / 1000,
        started_at=_instant(pick(data, "taskBeginTime")),
        ended_at=_instant(pick(data, "taskEndTime")),
        invoke_id=envelope.invoke_id,
        raw=envelope.raw,
    )


def _output(data: dict[str, Any], before: PredictionState) -> Any:
    """`result` if the publisher configured fields, else the default images, else what progress last showed."""
    result, images = data.get("result"), data.get("images")
    if result not in (None, {}):
        return result
    if isinstance(images, list) and images:
        return {"images": images}
    if result is not None:
        return result
    seen = pick(before.raw, "data")
    current = text_or_none(pick(seen, "currentImage")) if isinstance(seen, dict) else None
    return {"images": [current]} if current else None


def read_ticket(envelope: Envelope) -> UploadTicket:
    data = envelope.data
    upload_url, access_url = text_or_none(pick(data, "uploadUrl")), text_or_none(pick(data, "accessUrl"))
    if upload_url is None or access_url is None:
        missing = "uploadUrl" if upload_url is None else "accessUrl"
        raise UnexpectedAnswerError(
            f"the upload ticket has no {missing}", api_invoke_id=envelope.invoke_id, http_status=200
        )
    expires = pick(data, "expireTime")
    return UploadTicket(
        upload_url=upload_url,
        access_url=access_url,
        object_key=text_or_none(pick(data, "objectKey")),
        path=text_or_none(data.get("path")),
        expires_at=parse_expiry(expires),
        expire_time=text_or_none(expires),
    )


def parse_expiry(value: Any) -> datetime | None:
    """Unit and type are not documented: a number (ms or s), a numeric string, ISO 8601, or nothing we can read."""
    instant = _instant(value)
    if instant is not None or not isinstance(value, str):
        return instant
    try:
        when = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    try:
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        return None
