"""Executors by name. Their modules are imported when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from speedpix_pipe.errors import UsageError
from speedpix_pipe.executors.base import Executor, Sends

EXECUTORS: Mapping[str, str] = {
    "local": "speedpix_pipe.executors.local:LocalExecutor",
    "dask": "speedpix_pipe.executors.dask:DaskExecutor",
}
NEED_SCHEDULER = frozenset({"dask"})


def open_executor(
    name: str, *, http: Sends | None = None, workers: int | None = None, scheduler: str | None = None
) -> Executor:
    """The executor of that name; nothing is started before it is opened or has its first job."""
    if name not in EXECUTORS:
        raise UsageError(f'no executor "{name}"', hint=f"there is {', '.join(EXECUTORS)}")
    asked: dict[str, Any] = {"http": http, "workers": workers}
    if name in NEED_SCHEDULER:
        if scheduler is None:
            hint = "give the address of a running one: --scheduler tcp://HOST:8786"
            raise UsageError(f"--executor {name} needs a scheduler", code="usage.scheduler", hint=hint)
        asked["scheduler"] = scheduler
    elif scheduler is not None:
        hint = "add --executor dask, or leave --scheduler out"
        raise UsageError(f"--scheduler is not for --executor {name}", code="usage.scheduler", hint=hint)
    module, _, attribute = EXECUTORS[name].partition(":")
    opened: Executor = getattr(import_module(module), attribute)(**asked)
    return opened
