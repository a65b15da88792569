"""How an emulator behaves; everything a test or the command line may choose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from speedpix_pipe.emulator.faults import Fault
from speedpix_pipe.emulator.workflows.base import Inputs

__all__ = ["EmulatorOptions", "Fallback", "ScriptedWorkflow"]

ScriptedWorkflow = Callable[[Inputs], Any]
Fallback = Callable[[str, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """`latency` is the service time of a prediction in seconds, `jitter` a share of it (0.2: 20 % either way).

    `slots` predictions run at once, the others queue; 0 means all. `fast` answers a fixed small result without
    working any pixels, for benchmarks. `workflows` adds to or replaces ours; a callable gets the inputs and returns
    the result, in a worker thread. `fallback(workflow_id, inputs)` may answer an unknown workflow, or return
    None. `failed_result_status` is what the result call's envelope says of a failed task, 20 or 10: which of the
    two the real service uses is not known. `accounts` are further applications, their secrets by their keys: a
    prediction belongs to the one that made it.
    """

    port: int = 0
    app_key: str = "local"
    app_secret: str = "local"  # noqa: S105  # the documented credentials of a server on loopback
    latency: float = 0.0
    jitter: float = 0.0
    slots: int = 0
    result_ttl: float = 3600.0
    faults: tuple[Fault, ...] = ()
    fast: bool = False
    workflows: Mapping[str, ScriptedWorkflow] = field(default_factory=dict)
    fallback: Fallback | None = None
    resource_configs: tuple[str, ...] = ("default",)
    upload_ttl: float = 3600.0
    failed_result_status: int = 20
    accounts: Mapping[str, str] = field(default_factory=dict)
