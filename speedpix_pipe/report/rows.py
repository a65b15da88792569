"""Which tasks belong to one item: the rows of the gallery.

A key is an item's part, then what a flat-map and the matrix added (`p1,n=2/0,zoom=3`). Peeled back to the item's
part it names the row, so that a photo stands beside everything that any step made of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.report.base import TaskView

_POSITION = re.compile(r"(.*)/\d+\Z", re.DOTALL)
_CUT = re.compile(r"~[0-9a-f]{8}\Z")


@dataclass(slots=True)
class Row:
    """All tasks of one item, in the order of the graph. The row of the whole run has an empty key."""

    key: str
    label: str
    tasks: list[TaskView]


def make_rows(tasks: Iterable[TaskView], steps: Sequence[str]) -> list[Row]:
    """Rows in the order of their items; the whole run's own results come first."""
    place = {name: number for number, name in enumerate(steps)}
    ordered = sorted(tasks, key=lambda task: (place.get(task.step, len(place)), task.order, task.key))
    known = {task.key for task in ordered}
    rows: dict[str, Row] = {}
    for task in ordered:
        key = item_part(task.key, task.matrix, known)
        row = rows.get(key)
        if row is None:
            row = rows[key] = Row(key, task.label or key, [])
        row.tasks.append(task)
    whole = rows.pop("", None)
    return ([whole] if whole else []) + list(rows.values())


def item_part(key: str, matrix: Mapping[str, Json], known: set[str] | frozenset[str] = frozenset()) -> str:
    """The key of the item at the root of this task. `known` are the run's keys: only one of them is an origin."""
    if _CUT.search(key):
        return key  # a cut key has lost its end; it stands for itself
    while True:
        bare = without_axes(key, matrix)
        found = _POSITION.match(bare)
        if found and found[1] in known:
            key = found[1]
            continue
        return bare


def without_axes(key: str, matrix: Mapping[str, Json]) -> str:
    """The key without the `,axis=value` at its end."""
    peeled = True
    while peeled:
        peeled = False
        for axis, value in matrix.items():
            ending = f"{axis}={axis_text(value)}"
            if key == ending:
                return ""
            if key.endswith(f",{ending}"):
                key, peeled = key[: -len(ending) - 1], True
    return key


def axis_text(value: Json) -> str:
    """A matrix value as a key has it: text as it is, numbers and booleans as in JSON, an object by its name."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return str(value["name"])
    return json.dumps(value, ensure_ascii=False, default=str)
