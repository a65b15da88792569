"""What became of a task, as the event that the journal and all views hear."""

from __future__ import annotations

from speedpix_pipe.engine.life import Failed, Finished, InDoubt
from speedpix_pipe.events import Event, TaskCached, TaskCancelled, TaskFailed, TaskSkipped, TaskSucceeded, TaskUnknown
from speedpix_pipe.model import OnError, TaskStatus
from speedpix_pipe.plan.graph import Role
from speedpix_pipe.plan.scopes import visible
from speedpix_pipe.plan.tasks import Task


def succeeded(task: Task, ending: Finished, seconds: float) -> TaskSucceeded:
    result = ending.result
    return TaskSucceeded(
        step=task.node.name,
        key=task.key,
        seconds=seconds,
        attempts=ending.attempts,
        fingerprint=ending.prepared.fingerprint,
        output=result.output,
        files=result.files,
        prediction_id=result.prediction_id,
    )


def cached(task: Task, ending: Finished, source: str) -> TaskCached:
    result, prepared = ending.result, ending.prepared
    return TaskCached(
        step=task.node.name,
        key=task.key,
        fingerprint=prepared.fingerprint or "",
        output=result.output,
        files=result.files,
        prediction_id=result.prediction_id,
        source=source,
        price=task.node.step.price,
        input=None if ending.began else prepared.shown,
        input_files=() if ending.began else prepared.files,
    )


def failed(task: Task, ending: Failed, seconds: float) -> TaskFailed:
    return TaskFailed(
        step=task.node.name,
        key=task.key,
        kind=str(ending.kind),
        code=ending.code,
        message=ending.message,
        attempts=ending.attempts,
        seconds=seconds,
        ignored=_ignored(task),
        prediction_id=ending.prediction_id,
    )


def doubted(task: Task, ending: InDoubt) -> TaskUnknown:
    row = ending.submission
    return TaskUnknown(
        step=task.node.name,
        key=task.key,
        message=ending.message,
        fingerprint=row.fingerprint,
        submission=row.id,
        price=row.price,
    )


def ended(task: Task) -> Event | None:
    """Of a task that the walk itself ended. One that nobody asked for was never shown, and the way out of a
    sub-pipeline is told by the way in, in the name of the whole.
    """
    if not visible(task.node) or not task.demanded:
        return None
    step, key = task.node.name, task.key
    match task.status:
        case TaskStatus.SKIPPED:
            cause = task.cause.name if task.cause else None
            by_failure = task.effect is not None and task.effect.value == "blame"
            return TaskSkipped(step=step, key=key, reason=task.reason, cause=cause, by_failure=by_failure)
        case TaskStatus.CANCELLED:
            return TaskCancelled(step=step, key=key)
        case _ if task.node.role is Role.LEAVE:
            return None
        case _:
            return TaskFailed(
                step=step, key=key, kind="input", code="task.list", message=task.reason, ignored=_ignored(task)
            )


def _ignored(task: Task) -> bool:
    return task.node.on_error is OnError.IGNORE
