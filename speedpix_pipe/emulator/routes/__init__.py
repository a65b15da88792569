"""The four API calls by path. Each is a function from a call to `data`, or to the reason why not."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from speedpix_pipe.emulator.envelope import BusinessError
from speedpix_pipe.emulator.faults import Where
from speedpix_pipe.emulator.routes import progress, result, submit, upload_sign
from speedpix_pipe.emulator.routes.base import Call
from speedpix_pipe.emulator.service import Service

__all__ = ["CALLS", "Route"]


@dataclass(frozen=True, slots=True)
class Route:
    where: Where
    answer: Callable[[Service, Call], Awaitable[dict[str, Any] | BusinessError]]


CALLS: Mapping[str, Route] = {
    "/scc/comfy_prompt": Route(Where.SUBMIT, submit.answer),
    "/scc/comfy_get_progress": Route(Where.POLL, progress.answer),
    "/scc/comfy_get_result": Route(Where.RESULT, result.answer),
    "/scc/sp_create_temp_file_upload_sign": Route(Where.UPLOAD_SIGN, upload_sign.answer),
}
