"""How a run's steps feed each other, for drawing: what each needs, and the column that puts it right of all that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from speedpix_pipe.model import Json

_REFERENCE = re.compile(r"\bsteps\.(\w+)")


def draw(steps: Sequence[str], resolved: Json) -> list[dict[str, Json]]:
    """A node per step, in the order of the graph. Of a spec that was not kept, the steps stand side by side."""
    known = list(steps)
    needs = {name: sorted(set(_needs(name, known, resolved)) - {name}, key=known.index) for name in known}
    column: dict[str, int] = {}
    for name in known:  # the order of the graph: what is needed comes first
        column[name] = 1 + max((column.get(needed, 0) for needed in needs[name]), default=-1)
    return [{"step": name, "needs": needs[name], "column": column[name]} for name in known]


def _needs(name: str, known: Sequence[str], spec: Json, prefix: str = "", outer: Sequence[str] = ()) -> Iterator[str]:
    """`outer`: what the steps around this one need, which its entries need too."""
    first, _, rest = name.removeprefix(prefix).partition(".")
    step = _mapping(_mapping(spec).get("steps")).get(first)
    mine = [*_named(step, prefix, known)] or list(outer)
    if rest:
        inner = _mapping(_mapping(spec).get("x-pipelines")).get(_mapping(step).get("pipeline", ""))
        yield from _needs(name, known, inner, f"{prefix}{first}.", mine)
    else:
        yield from mine


def _named(step: Json, prefix: str, known: Sequence[str]) -> Iterator[str]:
    written = json.dumps(step, ensure_ascii=False)
    for name in dict.fromkeys([*_REFERENCE.findall(written), *_mapping(step).get("needs", [])]):
        full = prefix + name
        if full in known:
            yield full
        else:  # a step that is a pipeline: all that is in it
            yield from (other for other in known if other.startswith(f"{full}."))


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
