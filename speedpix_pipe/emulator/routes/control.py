"""`/_emulator/...`: not part of the service. Counts, predictions and faults, for tests in another process.

No signature, but only for requests addressed to a loopback name, so that a web page cannot reach in.
"""

import json
from typing import Any

from aiohttp import web

from speedpix_pipe.emulator.faults import Fault, FaultKind, Where
from speedpix_pipe.emulator.service import Service
from speedpix_pipe.emulator.tasks import Task

__all__ = ["CONTROL", "control", "counters", "predictions"]

CONTROL = "/_emulator/"
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


async def control(service: Service, request: web.BaseRequest) -> web.Response:
    host = request.headers.get("Host", "").rpartition(":")[0] or request.headers.get("Host", "")
    if host not in _LOOPBACK:
        return web.json_response({"error": "loopback only"}, status=403)
    name = request.raw_path.partition("?")[0][len(CONTROL) :]
    match request.method, name:
        case "GET", "counters":
            return web.json_response(counters(service))
        case "GET", "predictions":
            return web.json_response(predictions(service))
        case "POST", "reset":
            service.reset()
            return web.json_response({})
        case "POST", "faults":
            return await _add_faults(service, request)
        case "DELETE", "faults":
            service.faults.clear()
            return web.json_response({})
        case _:
            known = ["GET counters", "GET predictions", "POST reset", "POST faults", "DELETE faults"]
            return web.json_response({"error": "unknown", "known": known}, status=404)


async def _add_faults(service: Service, request: web.BaseRequest) -> web.Response:
    """One fault or a list of them, each as text (`submit:busy`) or as an object with the fields of `Fault`."""
    try:
        body = json.loads(await request.read() or b"null")
        faults = [_fault(entry) for entry in (body if isinstance(body, list) else [body])]
    except (ValueError, TypeError, KeyError) as error:
        return web.json_response({"error": str(error)}, status=400)
    for fault in faults:
        service.faults.add(fault)
    return web.json_response({"added": len(faults)})


def _fault(entry: Any) -> Fault:
    if isinstance(entry, str):
        return Fault.parse(entry)
    fields = dict(entry)
    return Fault(kind=FaultKind(fields.pop("kind")), where=Where(fields.pop("where")), **fields)


def counters(service: Service) -> dict[str, Any]:
    """All counts since the start or the last reset; a name that never happened counts 0."""
    named = ("predictions", "uploads", "upload_bytes", "downloads", "download_bytes", "connections", "refused")
    shown: dict[str, Any] = {name: service.counters[name] for name in named}
    shown["calls"] = {where.value: service.counters[f"call:{where}"] for where in Where}
    shown["faults"] = dict(service.faults.fired)
    return shown


def predictions(service: Service) -> list[dict[str, Any]]:
    service.queue.advance(service.clock.now())
    return [_shown(task) for task in service.queue.tasks.values()]


def _shown(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "owner": task.owner,
        "workflow": task.workflow,
        "inputs": dict(task.inputs),
        "created_at": task.created,
        "started_at": task.started,
        "finished_at": task.finished,
        "status": task.status.value,
        "error": task.failure.message if task.failure else None,
        "note": task.note,
    }
