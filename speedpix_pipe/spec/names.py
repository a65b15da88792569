"""The names that expressions know, and where each gets its value from the scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.scope import MISSING
from speedpix_pipe.spec.values import Undefined

NAMES = ("params", "env", "steps", "item", "index", "matrix", "run", "git", "ext", "n")
CONSTANTS: Mapping[str, Any] = {"null": None}  # `true`, `false` and `none` are the parser's

_NO_FAN_OUT = "only a step with `for_each` has it, and not inside its `for_each`"


def root(name: str) -> Callable[[Evaluation], Any]:
    """A closure for a top-level name."""
    return _ROOTS.get(name) or _extra(name)


def _params(ev: Evaluation) -> Any:
    return ev.scope.params


def _env(ev: Evaluation) -> Any:
    return ev.scope.env


def _run(ev: Evaluation) -> Any:
    return ev.scope.run


def _git(ev: Evaluation) -> Any:
    return ev.scope.git


def _item(ev: Evaluation) -> Any:
    value = ev.scope.item
    return Undefined("there is no `item` here", _NO_FAN_OUT) if value is MISSING else value


def _index(ev: Evaluation) -> Any:
    value = ev.scope.index
    return Undefined("there is no `index` here", _NO_FAN_OUT) if value is MISSING else value


def _matrix(ev: Evaluation) -> Any:
    value = ev.scope.matrix
    return Undefined("there is no `matrix` here", "only a step with `matrix` has it") if value is MISSING else value


def _extra(name: str) -> Callable[[Evaluation], Any]:
    def extra(ev: Evaluation) -> Any:
        if name in ev.scope.extra:
            return ev.scope.extra[name]
        return Undefined(f"there is no `{name}` here", "`ext` and `n` exist in `save`")

    return extra


_ROOTS = {
    "params": _params,
    "env": _env,
    "run": _run,
    "git": _git,
    "item": _item,
    "index": _index,
    "matrix": _matrix,
}
