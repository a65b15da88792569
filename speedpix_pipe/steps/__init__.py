"""Kinds of step, by the key of a step that names them. Each is imported when a run first needs it."""

from __future__ import annotations

from importlib import import_module

from speedpix_pipe.steps.base import Kit, StepKind

KINDS: dict[str, str] = {
    "workflow": "speedpix_pipe.steps.workflow:WorkflowKind",
    "image": "speedpix_pipe.steps.picture:ImageKind",
}


def open_kind(name: str, kit: Kit) -> StepKind:
    """The kind of that name, ready for one run."""
    module, _, attribute = KINDS[name].partition(":")
    kind: StepKind = getattr(import_module(module), attribute)(kit)
    return kind
