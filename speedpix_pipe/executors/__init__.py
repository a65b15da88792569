"""Executors by name. Their modules are imported when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from speedpix_pipe.errors import UsageError
from speedpix_pipe.executors.base import Executor, Sends

EXECUTORS: Mapping[str, str] = {
    "local": "speedpix_pipe.executors.local:LocalExecutor",
}


def open_executor(name: str, *, http: Sends | None = None, workers: int | None = None) -> Executor:
    """The executor of that name; nothing is started before its first job."""
    if name not in EXECUTORS:
        raise UsageError(f'no executor "{name}"', hint=f"there is {', '.join(EXECUTORS)}")
    module, _, attribute = EXECUTORS[name].partition(":")
    opened: Executor = getattr(import_module(module), attribute)(http=http, workers=workers)
    return opened
