"""What `runs redo` was asked for, kept in the journal: so that `--rest` can go on with one that was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedpix_pipe.errors import UsageError
from speedpix_pipe.model import TaskStatus
from speedpix_pipe.steps.base import Again
from speedpix_pipe.steps.seeds import Wish
from speedpix_pipe.store import RunRow, Store

Named = tuple[str, str]  # step and key


def remembered(run_id: str, found: Mapping[Named, Again], wishes: Mapping[str, Wish]) -> dict[str, Any]:
    """For the journal: the tasks by what each may set aside, and which seed is wished for some of them."""
    asked: dict[str, list[list[str]]] = {}
    for (step, key), again in found.items():
        asked.setdefault(again.value, []).append([step, key])
    wished: dict[str, list[str]] = {}
    for task, wish in wishes.items():
        wished.setdefault(wish.value, []).append(task)
    return {"run": run_id, "tasks": len(found), "seeds": len(wishes), "asked": asked, "wished": wished}


def rest_of(store: Store, row: RunRow) -> tuple[dict[Named, Again], dict[str, Wish]]:
    """What that redo did not come to. What it had sent is joined, or fetched, and not asked for again."""
    redo = row.arguments.get("redo") if isinstance(row.arguments, dict) else None
    if row.origin is None or not isinstance(redo, dict):
        raise UsageError(
            f"run {row.id} is no redo",
            code="usage.redo",
            hint="--rest goes on with a redo; `run SPEC --resume` with a run",
        )
    named = {(step, key): Again(kind) for kind, tasks in redo.get("asked", {}).items() for step, key in tasks}
    wished = {task: Wish(kind) for kind, tasks in redo.get("wished", {}).items() for task in tasks}
    sent = store.ledger.sent_by(row.id)
    found: dict[Named, Again] = {}
    wishes: dict[str, Wish] = {}
    ended: set[Named] = set()
    for task in store.journal.tasks(row.id):
        place = (task.step, task.key)
        if task.status not in (None, TaskStatus.CANCELLED):
            ended.add(place)
        elif place in sent or place not in named:
            found[place] = Again.NO
    for place, again in named.items():
        if place in ended or place in sent:
            continue
        found[place] = again
        if wish := wished.get(f"{place[0]}@{place[1]}"):
            wishes[f"{place[0]}@{place[1]}"] = wish
    if not found:
        raise UsageError(f"run {row.id} has done all that it was asked for", code="usage.nothing-to-redo")
    return found, wishes
