"""`comfy_prompt`: create a prediction. The one call with snake_case keys."""

import secrets
from collections.abc import Callable
from typing import Any

from speedpix_pipe.emulator.envelope import BusinessError
from speedpix_pipe.emulator.faults import FaultKind
from speedpix_pipe.emulator.options import ScriptedWorkflow
from speedpix_pipe.emulator.routes.base import Call, invalid, scripted_failure
from speedpix_pipe.emulator.service import Service
from speedpix_pipe.emulator.workflows.base import WorkflowError

__all__ = ["answer"]

_WRONG_CASE = {
    "workflowId": "workflow_id",
    "aliasId": "alias_id",
    "versionId": "version_id",
    "randomiseSeeds": "randomise_seeds",
    "returnTempFiles": "return_temp_files",
    "input": "inputs",
}


async def answer(service: Service, call: Call) -> dict[str, Any] | BusinessError:
    problem = _check(call.payload) or _check_pools(service, call)
    if problem is not None:
        return problem
    workflow_id: str = call.payload["workflow_id"]
    inputs: dict[str, Any] = call.payload["inputs"]
    if call.payload.get("randomise_seeds"):
        inputs = _with_random_seeds(inputs)
    run = service.find_workflow(workflow_id)
    note = None
    if run is None:
        run, note = await _fallback(service, workflow_id, inputs), "answered by the fallback"
    if run is None:
        return BusinessError("Emulator.WorkflowNotFound", f'there is no workflow "{workflow_id}"')
    if call.suffers(FaultKind.TASK_FAILED):
        run = _failing(scripted_failure().code, scripted_failure().message)
    elif call.suffers(FaultKind.EXPIRED_URL):
        run = _failing("Emulator.FetchFailed", "cannot fetch the input: AccessDenied: Request has expired.")
    temp_files = bool(call.payload.get("return_temp_files"))
    task = service.start(workflow_id, inputs, run, return_temp_files=temp_files)
    task.broken_contract = call.suffers(FaultKind.BROKEN_CONTRACT)
    task.owner = call.owner
    task.note = note
    return {
        "taskId": task.id,
        "status": "waiting",
        "estimatedDurationInSeconds": round(service.queue.estimate(task), 3),
    }


def _with_random_seeds(inputs: dict[str, Any]) -> dict[str, Any]:
    """Every seed is replaced, and a workflow that was given none has one of its own."""
    seeds = [name for name in inputs if "seed" in name] or ["seed"]
    return {**inputs, **{name: secrets.randbelow(2**31) for name in seeds}}


async def _fallback(service: Service, workflow_id: str, inputs: dict[str, Any]) -> ScriptedWorkflow | None:
    """The fallback's answer as a workflow; None where it has none."""
    try:
        made = await service.ask_fallback(workflow_id, inputs)
    except WorkflowError as error:
        return _failing(error.code, error.message)
    return None if made is None else lambda _: made


def _failing(code: str, message: str) -> Callable[[Any], Any]:
    def run(_: Any) -> Any:
        raise WorkflowError(message, code)

    return run


def _check(payload: dict[str, Any]) -> BusinessError | None:
    for wrong, right in _WRONG_CASE.items():
        if wrong in payload:
            return invalid(f'unknown key "{wrong}": this call takes "{right}"')
    if not isinstance(payload.get("workflow_id"), str) or not payload["workflow_id"]:
        return invalid('"workflow_id" is missing')
    if not isinstance(payload.get("inputs"), dict):
        return invalid('"inputs" must be an object')
    for name in ("alias_id", "version_id"):
        if payload.get(name) is not None and not isinstance(payload[name], str):
            return invalid(f'"{name}" must be text')
    # With both, the version wins; here every version answers alike, so there is nothing to choose.
    if not payload.get("alias_id") and not payload.get("version_id"):
        return invalid('one of "alias_id" and "version_id" is needed')
    for name in ("randomise_seeds", "return_temp_files"):
        if payload.get(name) is not None and not isinstance(payload[name], bool):
            return invalid(f'"{name}" must be true or false')
    return None


def _check_pools(service: Service, call: Call) -> BusinessError | None:
    named = call.headers.get("x-sp-resource-config-id") or "default"
    for pool in (part.strip() for part in named.split(",")):
        if pool not in service.options.resource_configs:
            return BusinessError("Emulator.ResourceConfigNotFound", f'there is no resource pool "{pool}"')
    return None
