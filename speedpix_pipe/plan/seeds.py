"""Seeds in an input: which fields are one, and another value for each of them.

A seed is a field whose name says so and whose value is a whole number: `seed`, `noise_seed`, `KSampler.seed`,
`随机种子`. A workflow may take one that the spec does not send; then its contract has to list it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from speedpix_pipe.model import Field, Json, Workflow

MOST = 2**31 - 1  # what every sampler takes, and what `stable_seed` gives
_NAMES = ("seed", "种子")
_WHOLE = frozenset({"integer", "number"})
Random = Callable[[], float]


def draw_seeds(workflow: Workflow, rendered: Mapping[str, Any], random: Random) -> dict[str, Json] | None:
    """Other seeds for an input, by field. None where it is not known to take any: the service has to draw them."""
    contract = workflow.input or {}
    drawn: dict[str, Json] = {}
    for name in _seeds_sent(rendered) or _seeds_taken(contract):
        now = rendered.get(name)
        seed = _another(contract.get(name), now, random)
        drawn[name] = str(seed) if isinstance(now, str) else seed
    return drawn or None


def _seeds_sent(rendered: Mapping[str, Any]) -> list[str]:
    return [name for name, value in rendered.items() if _is_named_so(name) and _is_whole(value)]


def _seeds_taken(contract: Mapping[str, Field]) -> list[str]:
    return [name for name, field in contract.items() if _is_named_so(name) and not _WHOLE.isdisjoint(_types_of(field))]


def _is_named_so(name: str) -> bool:
    folded = name.casefold()
    return any(word in folded for word in _NAMES)


def _is_whole(value: Any) -> bool:
    """A whole number, also one that is written as text. `true` and `fixed` are modes, not seeds."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal()
    return isinstance(value, int) and not isinstance(value, bool)


def _types_of(field: Field) -> Iterator[str]:
    kinds = field.schema.get("type")
    yield from [field.type] if field.type else [kinds] if isinstance(kinds, str) else kinds or ()


def _another(field: Field | None, now: Any, random: Random) -> int:
    """Any seed but the one that was sent, within the bounds that the contract sets."""
    schema: Mapping[str, Any] = field.schema if field else {}
    low: int = max(0, math.ceil(schema.get("minimum", 0)))
    high: int = min(MOST, math.floor(schema.get("maximum", MOST)))
    width = max(1, high - low + 1)
    drawn = low + int(random() * width)
    if str(drawn) == str(now):
        drawn = low + (drawn - low + 1) % width
    return drawn
