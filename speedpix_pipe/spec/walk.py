"""`name.a.b.c`, the commonest expression of all: walked without anything around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.names import root
from speedpix_pipe.spec.tasks import task_name
from speedpix_pipe.spec.values import attribute

_SPELT_OUT = 20  # names in a row; of longer ones an error says only where they begin

Closure = Callable[[Evaluation], Any]


def walk(name: str, names: list[str]) -> Closure:
    """A closure for a top-level name and the names that follow it."""
    if name == "steps":
        if len(names) == 1:
            return _chain(names[0])
        start: Closure = task_name(names[0], names[1])
        written, names = f"steps.{names[0]}.{names[1]}", names[2:]
    else:
        start, written = root(name), name
    return followed(start, names, written) if names else start


def _chain(step: str) -> Closure:
    def chain(_ev: Evaluation) -> Any:
        raise ExpressionError(f"`steps.{step}` is no value: it chains a step, as the whole of `for_each`")

    return chain


def followed(start: Closure, names: list[str], written: str) -> Closure:
    if len(names) > _SPELT_OUT:
        owners = [written] * len(names)
    else:
        owners = [".".join([written, *names[:at]]) for at in range(len(names))]
    if len(names) == 1:
        only, owner = names[0], owners[0]
        return lambda ev: attribute(start(ev), only, owner)
    steps = list(zip(names, owners, strict=True))

    def follow(ev: Evaluation) -> Any:
        value = start(ev)
        for name, owner in steps:
            value = value[name] if value.__class__ is dict and name in value else attribute(value, name, owner)
        return value

    return follow
