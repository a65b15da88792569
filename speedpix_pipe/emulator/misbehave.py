"""Acting out the faults of `faults.py`: what the client sees, and whether the work was done before it.

"Done before" is what matters for money: after `reset-after`, `swallow`, `garbage`, `truncated`, `wrong-content`,
`nonce-used`, `invoke-timeout` and `backend-timeout` a submission has made its prediction, and only we know.
`nonce-used` is one of them because a nonce that nobody reused was delivered twice: the first time worked.
"""

import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from speedpix_pipe.emulator.clock import Clock
from speedpix_pipe.emulator.envelope import BusinessError, failure, gateway_refusal, storage_error
from speedpix_pipe.emulator.faults import Fault, FaultKind, Where
from speedpix_pipe.emulator.signing import Refusal

__all__ = ["IN_ROUTES", "act_out"]

# These change what an answer says, not how it travels; the routes see to them.
IN_ROUTES = frozenset({FaultKind.EXPIRED_URL, FaultKind.RESULT_GONE, FaultKind.TASK_FAILED, FaultKind.BROKEN_CONTRACT})
_REFUSALS = {
    FaultKind.THROTTLE_429: Refusal(429, "T429ID", "Throttled by INSTANCE Flow Control"),
    FaultKind.THROTTLE_403: Refusal(403, "", "Throttled by APP Flow Control"),
    FaultKind.BUSY: Refusal(503, "D503BB", "Backend service is busy"),
    FaultKind.STALE_TIMESTAMP: Refusal(400, "", "Timestamp Expired"),
    FaultKind.ARREARS: Refusal(403, "B403OD", "User Arrears"),
    FaultKind.UNAUTHORIZED: Refusal(403, "I403AA", "Unauthorized"),
}
_REFUSALS_AFTER = {
    FaultKind.NONCE_USED: Refusal(400, "", "Nonce Used"),
    FaultKind.BACKEND_TIMEOUT: Refusal(504, "D504TO", "Backend service timed out"),
}
_FLOW = BusinessError(None, None, "B_API_CauseFlowControl", "flow control: 20 calls per second")
_AUDIT = BusinessError(None, None, "B_API_AuditFailed", "the input did not pass the content check")
_TIMEOUT = BusinessError(None, None, "B_API_InvokeTimeout", "the application did not answer in time")
_LISTEN_SECONDS = 0.05
_HTML = b"<!doctype html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>\n"

Work = Callable[[], Awaitable[web.StreamResponse]]


async def act_out(fault: Fault, request: web.BaseRequest, clock: Clock, work: Work) -> web.StreamResponse:
    """Answer this request wrongly in the way of its fault."""
    match fault.kind:
        case FaultKind.RESET_BEFORE | FaultKind.STALE_KEEPALIVE:
            return _hang_up(request)
        case FaultKind.SLOW:
            await clock.sleep(fault.seconds)
            return await work()
        case FaultKind.REDIRECT:
            return web.Response(status=302, headers={"Location": "/moved" + request.raw_path})
        case FaultKind.BARE_503:
            return web.Response(status=503)
        case FaultKind.THROTTLE_FLOW_CONTROL:
            return failure(_FLOW)
        case FaultKind.AUDIT_FAILED:
            return failure(_AUDIT)
        case _ if fault.kind in _REFUSALS:
            return _refuse(fault)
        case _:
            answer = await work()
            return await _spoil(fault, request, clock, answer)


def _refuse(fault: Fault) -> web.Response:
    if fault.where in {Where.UPLOAD, Where.DOWNLOAD}:
        return storage_error(503, "SlowDown", "Please reduce your request rate.", **{"Retry-After": "1"})
    throttled = {"Retry-After": "1"} if fault.kind is FaultKind.THROTTLE_429 else {}
    return gateway_refusal(_REFUSALS[fault.kind], **throttled)


async def _spoil(
    fault: Fault, request: web.BaseRequest, clock: Clock, answer: web.StreamResponse
) -> web.StreamResponse:
    match fault.kind:
        case FaultKind.RESET_AFTER:
            return _hang_up(request)
        case FaultKind.SWALLOW:
            while (transport := request.transport) is not None and not transport.is_closing():
                await clock.sleep(_LISTEN_SECONDS)
            return answer
        case FaultKind.GARBAGE:
            return web.Response(body=b'{"status":10,"data":{"taskId":"01', content_type="application/json")
        case FaultKind.WRONG_CONTENT:
            return web.Response(body=_HTML, content_type="text/html")
        case FaultKind.INVOKE_TIMEOUT:
            return failure(_TIMEOUT)
        case FaultKind.TRUNCATED:
            return await _cut_short(request, answer)
        case _:
            return gateway_refusal(_REFUSALS_AFTER[fault.kind])


async def _cut_short(request: web.BaseRequest, answer: web.StreamResponse) -> web.StreamResponse:
    """Promise the whole body, send half of it, close."""
    body = answer.body if isinstance(answer, web.Response) else None
    content = bytes(body) if isinstance(body, bytes | bytearray) and body else b"nothing to see"
    short = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    short.content_length = len(content)
    await short.prepare(request)
    await short.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return short


def _hang_up(request: web.BaseRequest) -> web.Response:
    """Close without a word; lingering off, so that the client sees a reset and not a polite end."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
