"""A difference of two specs for people: what changed, line by line, and what would run again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from speedpix_pipe.console.base import clip, pad, plural, printable
from speedpix_pipe.model import Json
from speedpix_pipe.plan.diff import Change, ChangeKind
from speedpix_pipe.plan.estimate import Outlook, StepEstimate

WIDEST = 60  # cells of a value that is shown
CONTEXT = 16  # characters before the first difference
NO_CHANGE = "no change in meaning"
_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-"}


def render_changes(changes: Sequence[Change]) -> str:
    """One line for each change, those of one thing below its name."""
    if not changes:
        return NO_CHANGE
    lines: list[str] = []
    headed: tuple[str, str] | None = None
    for change in changes:
        whole = not change.field and change.kind is not ChangeKind.CHANGED
        if whole:
            lines.append(_whole(change))
            headed = (change.what, change.name)
            continue
        if headed != (change.what, change.name):
            headed = (change.what, change.name)
            lines.append(f"~ {change.what} {printable(change.name)}")
        lines.append(f"    {_part(change)}")
    return "\n".join(lines)


def _whole(change: Change) -> str:
    name = f"{change.what} {printable(change.name)}"
    if change.kind is ChangeKind.RENAMED:
        return f"~ {change.what} {printable(str(change.before))} is now {printable(change.name)}"
    value = change.after if change.kind is ChangeKind.ADDED else change.before
    shown = f": {_value(value)}" if value is not None else ""
    return f"{_SIGNS.get(change.kind, '~')} {name}{shown}"


def _part(change: Change) -> str:
    field = f"{printable(change.field)}: " if change.field else ""
    if change.kind is ChangeKind.PINNED:
        field = "pin: "
    before, after = _apart(_text(change.before), _text(change.after))
    return f"{field}{_short(before)} -> {_short(after)}"


def _value(value: Json) -> str:
    return _short(_text(value))


def _text(value: Json) -> str:
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return " ".join(text.split()) or '""'


def _apart(before: str, after: str) -> tuple[str, str]:
    """Of long texts that begin alike, the beginning is left out: what differs must be in sight."""
    pairs = enumerate(zip(before, after, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
    cut = same - CONTEXT
    if cut <= CONTEXT or max(len(before), len(after)) <= WIDEST:
        return before, after
    return f"…{before[cut:]}", f"…{after[cut:]}"


def _short(text: str) -> str:
    return printable(clip(text, WIDEST))


def render_tasks(steps: Sequence[tuple[StepEstimate, int]]) -> str:
    """What a run would do now, as far as it would not find results of before."""
    again = sum(changed for _, changed in steps)
    waiting = sum(step.when_known for step, _ in steps)
    cached = sum(step.counts[Outlook.CACHED] for step, _ in steps)
    run = sum(step.counts[Outlook.RUN] for step, _ in steps)
    lines = [f"{plural(again, 'task')} changed; a run now would do {run:,}, find {cached:,} cached" + _later(waiting)]
    return "\n".join([*lines, *_rows(steps)])


def _later(waiting: int) -> str:
    return f", and up to {waiting:,} more would follow" if waiting else ""


def _rows(steps: Sequence[tuple[StepEstimate, int]]) -> Iterator[str]:
    busy = [(step, changed) for step, changed in steps if changed or step.counts[Outlook.RUN] or step.when_known]
    if not busy:
        return
    width = max(len(printable(step.step)) for step, _ in busy)
    for step, changed in busy:
        tasks = "? tasks" if step.total is None else plural(step.total, "task")
        parts = [f"{changed:,} changed" if changed else "", f"{step.counts[Outlook.RUN]:,} would run"]
        parts += [f"{step.when_known:,} wait for them"] if step.when_known else []
        yield f"  {pad(printable(step.step), width)}  {tasks}: {', '.join(part for part in parts if part)}"
