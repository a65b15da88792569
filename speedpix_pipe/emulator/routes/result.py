"""`comfy_get_result`: what a prediction answered, with fresh URLs."""

from typing import Any

from speedpix_pipe.emulator.envelope import BusinessError
from speedpix_pipe.emulator.faults import FaultKind
from speedpix_pipe.emulator.routes.base import Call, find_task, task_failure
from speedpix_pipe.emulator.service import Service, StoredFile
from speedpix_pipe.emulator.tasks import Task, TaskStatus

__all__ = ["answer"]

EXPIRED_SECONDS = -60.0


async def answer(service: Service, call: Call) -> dict[str, Any] | BusinessError:
    task = find_task(service, call)
    if isinstance(task, BusinessError):
        return task
    if task.status is TaskStatus.FAILED and service.options.failed_result_status != 10:
        assert task.failure is not None
        return task_failure(task.failure)
    shown: dict[str, Any] = {
        "taskId": task.id,
        "status": task.status.value,
        "taskDuration": _milliseconds(_duration(task)),
        "taskBeginTime": _milliseconds(task.started),
        "taskEndTime": _milliseconds(task.finished),
        "images": None,
        "result": None,
    }
    if task.status is TaskStatus.SUCCEEDED:
        ttl = EXPIRED_SECONDS if call.suffers(FaultKind.EXPIRED_URL) else service.options.result_ttl
        if task.broken_contract or call.suffers(FaultKind.BROKEN_CONTRACT):
            shown["result"] = {"unexpected": 42}
        elif isinstance(task.answer, tuple):
            shown["images"] = [service.file_object(file, ttl)["url"] for file in task.answer]
        else:
            shown["result"] = _with_urls(service, task.answer, ttl)
    return shown


def _with_urls(service: Service, value: Any, ttl: float) -> Any:
    if isinstance(value, StoredFile):
        return service.file_object(value, ttl)
    if isinstance(value, dict):
        return {name: _with_urls(service, part, ttl) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_urls(service, part, ttl) for part in value]
    return value


def _duration(task: Task) -> float | None:
    return None if task.started is None or task.finished is None else task.finished - task.started


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
