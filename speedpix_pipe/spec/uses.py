"""Names in expressions that can be judged without looking at other steps: params, env, run, git, and those of `save`.

Also the warning about params that nothing uses. What `item`, `matrix` and `steps.X` mean is left to the graph.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from speedpix_pipe.errors import Severity
from speedpix_pipe.model import NamedPlace, Param, Pipeline
from speedpix_pipe.spec.draft import Draft
from speedpix_pipe.spec.nearest import did_you_mean, listed

_FIXED: Mapping[str, Collection[str]] = {"run": ("id", "date", "time"), "git": ("commit", "dirty")}
_ONLY_IN_SAVE = frozenset({"ext", "n"})


def check_uses(draft: Draft, pipeline: Pipeline, *, warn: bool) -> frozenset[str]:
    """Every use of a name with its place; the params that no expression uses, with `warn` as warnings too."""
    for use in draft.uses:
        _check_members(draft, use, pipeline)
        if use.names[0] in _ONLY_IN_SAVE:
            draft.add(
                draft.source.problem_at(
                    use.mark,
                    "expression.only-in-save",
                    f"{use.names[0]} exists only in `save`, where the result is known",
                    width=use.width,
                )
            )
    for use in draft.uses_in_save:
        _check_members(draft, use, pipeline)
    unused = _unused_params(pipeline, [*draft.uses, *draft.uses_in_save])
    if warn:
        for name in unused:
            _warn_unused(draft, pipeline.params[name])
    return frozenset(unused)


def _check_members(draft: Draft, use: NamedPlace, pipeline: Pipeline) -> None:
    if len(use.names) < 2:
        return
    owner, name = use.names[:2]
    if owner == "params" and name not in pipeline.params:
        hint = did_you_mean(name, pipeline.params) or f"declare it: `params: {{{name}: {{type: string}}}}`"
        _add(draft, use, "spec.unknown-param", f'no param "{name}"', hint)
    elif owner == "env" and name not in pipeline.env:
        hint = did_you_mean(name, pipeline.env) or f"list it: `env: [{', '.join([*pipeline.env[:5], name])}]`"
        _add(draft, use, "spec.unknown-env", f"the environment variable {name} is not listed in env", hint)
    elif owner in _FIXED and name not in _FIXED[owner]:
        hint = did_you_mean(name, _FIXED[owner]) or f"{owner} has {listed(_FIXED[owner])}"
        _add(draft, use, "expression.unknown-name", f"{owner} has no {name}", hint)


def _add(draft: Draft, use: NamedPlace, code: str, message: str, hint: str) -> None:
    width = len(".".join(use.names[:2]))
    draft.add(draft.source.problem_at(use.mark, code, message, hint=hint, width=min(width, use.width)))


def _unused_params(pipeline: Pipeline, uses: Iterable[NamedPlace]) -> list[str]:
    used = {watch.param for watch in pipeline.watch}
    for use in uses:
        if use.names[0] == "params":
            if len(use.names) < 2:
                return []  # as a whole, or by a computed name: all may be used
            used.add(use.names[1])
    return [name for name in pipeline.params if name not in used]


def _warn_unused(draft: Draft, param: Param) -> None:
    draft.add(
        draft.source.problem_at(
            param.mark,
            "spec.unused-param",
            f"no expression uses params.{param.name}",
            width=len(param.name),
            severity=Severity.WARNING,
        )
    )
