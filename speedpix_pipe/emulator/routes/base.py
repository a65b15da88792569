"""What the API calls have in common: a call as it arrived, and refusals that several of them give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speedpix_pipe.emulator.envelope import BusinessError
from speedpix_pipe.emulator.faults import Fault, FaultKind
from speedpix_pipe.emulator.service import Service
from speedpix_pipe.emulator.tasks import Task, TaskFailure

__all__ = ["Call", "find_task", "invalid", "task_failure"]


@dataclass(frozen=True, slots=True)
class Call:
    """A checked call: its JSON body, its headers, and the fault that the route itself acts out."""

    payload: dict[str, Any]
    headers: Mapping[str, str]
    fault: Fault | None = None

    @property
    def owner(self) -> str:
        """The application that calls."""
        return self.headers.get("x-ca-key", "")

    def suffers(self, kind: FaultKind) -> bool:
        return self.fault is not None and self.fault.kind is kind


def invalid(message: str) -> BusinessError:
    return BusinessError("Emulator.InvalidParameter", message)


def find_task(service: Service, call: Call) -> Task | BusinessError:
    """The task that a progress or result call asks about, brought up to this moment."""
    task_id = call.payload.get("taskId")
    if task_id is None and "task_id" in call.payload:
        return invalid('unknown key "task_id": this call takes "taskId"')
    if not isinstance(task_id, str) or not task_id:
        return invalid('"taskId" is missing')
    if call.suffers(FaultKind.RESULT_GONE):
        return BusinessError("Emulator.TaskGone", f"the result of task {task_id} is no longer kept")
    now = service.clock.now()
    service.queue.advance(now)
    task = service.queue.tasks.get(task_id)
    if task is None or task.owner != call.owner:
        return BusinessError("Emulator.TaskNotFound", f"there is no task {task_id}")
    if call.suffers(FaultKind.TASK_FAILED):
        service.queue.fail(task, scripted_failure(), now)
    return task


def scripted_failure() -> TaskFailure:
    return TaskFailure("Emulator.ScriptedFailure", "the workflow failed because a fault told it to")


def task_failure(failure: TaskFailure) -> BusinessError:
    return BusinessError(failure.code, failure.message)
