"""`comfy_get_progress`: how far a prediction is."""

from typing import Any

from speedpix_pipe.emulator.envelope import BusinessError
from speedpix_pipe.emulator.routes.base import Call, find_task
from speedpix_pipe.emulator.service import Service
from speedpix_pipe.emulator.tasks import TaskStatus

__all__ = ["answer"]


async def answer(service: Service, call: Call) -> dict[str, Any] | BusinessError:
    task = find_task(service, call)
    if isinstance(task, BusinessError):
        return task
    now = service.clock.now()
    shown: dict[str, Any] = {
        "taskId": task.id,
        "status": task.status.value,
        "progress": round(task.progress(now), 4),
        "etaRelative": round(task.eta(now), 3),
    }
    match task.status:
        case TaskStatus.WAITING:
            shown["lastQueueRemaining"] = service.queue.queue_remaining(task)
        case TaskStatus.RUNNING:
            steps = 20
            shown["message"] = task.note or f"running {task.workflow}"
            shown["state"] = {
                "nodeLabel": "KSampler",
                "step": int(task.progress(now) * steps),
                "maxSteps": steps,
            }
        case TaskStatus.FAILED:
            shown["message"] = task.failure.message if task.failure else "failed"
        case TaskStatus.SUCCEEDED:
            if task.note:
                shown["message"] = task.note
    return shown
