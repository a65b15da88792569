"""A difference of two specs for people: what changed, line by line, and what would run again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from speedpix_pipe.console.base import Ink, cell_width, clip, pad, printable
from speedpix_pipe.model import Json
from speedpix_pipe.plan.diff import Change, ChangeKind
from speedpix_pipe.plan.estimate import Outlook, StepEstimate

WIDEST = 60  # cells of a value that is shown
CONTEXT = 16  # characters before the first difference
_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-"}


def render_changes(changes: Sequence[Change], *, language: str = "en") -> str:
    """One line for each change, those of one thing below its name."""
    ink = Ink(color=False, language=language)
    if not changes:
        return ink.say("diff_none")
    lines: list[str] = []
    headed: tuple[str, str] | None = None
    for change in changes:
        whole = not change.field and change.kind is not ChangeKind.CHANGED
        if whole:
            lines.append(_whole(change, ink))
            headed = (change.what, change.name)
            continue
        if headed != (change.what, change.name):
            headed = (change.what, change.name)
            lines.append(f"~ {change.what} {printable(change.name)}")
        lines.append(f"    {_part(change, ink)}")
    return "\n".join(lines)


def _whole(change: Change, ink: Ink) -> str:
    name = f"{change.what} {printable(change.name)}"
    if change.kind is ChangeKind.RENAMED:
        before, after = printable(str(change.before)), printable(change.name)
        return f"~ {ink.say('diff_renamed', what=change.what, before=before, name=after)}"
    value = change.after if change.kind is ChangeKind.ADDED else change.before
    shown = f": {_short(_text(value, ink))}" if value is not None else ""
    return f"{_SIGNS.get(change.kind, '~')} {name}{shown}"


def _part(change: Change, ink: Ink) -> str:
    field = f"{printable(change.field)}: " if change.field else ""
    if change.kind is ChangeKind.PINNED:
        field = "pin: "
    before, after = _apart(_text(change.before, ink), _text(change.after, ink))
    return f"{field}{_short(before)} -> {_short(after)}"


def _text(value: Json, ink: Ink) -> str:
    if value is None:
        return ink.say("diff_nothing")
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


def render_tasks(steps: Sequence[tuple[StepEstimate, int]], *, language: str = "en") -> str:
    """What a run would do now, as far as it would not find results of before."""
    ink = Ink(color=False, language=language)
    again = sum(changed for _, changed in steps)
    waiting = sum(step.when_known for step, _ in steps)
    cached = sum(step.counts[Outlook.CACHED] for step, _ in steps)
    run = sum(step.counts[Outlook.RUN] for step, _ in steps)
    head = ink.say("diff_head", tasks=ink.count("task", again), run=run, cached=cached)
    later = ink.say("diff_later", count=waiting) if waiting else ""
    return "\n".join([head + later, *_rows(steps, ink)])


def _rows(steps: Sequence[tuple[StepEstimate, int]], ink: Ink) -> Iterator[str]:
    busy = [(step, changed) for step, changed in steps if changed or step.counts[Outlook.RUN] or step.when_known]
    if not busy:
        return
    width = max(cell_width(printable(step.step)) for step, _ in busy)
    for step, changed in busy:
        tasks = ink.say("diff_tasks_unknown") if step.total is None else ink.count("task", step.total)
        parts = [ink.say("diff_changed", count=changed)] if changed else []
        parts.append(ink.say("diff_would_run", count=step.counts[Outlook.RUN]))
        parts += [ink.say("diff_wait", count=step.when_known)] if step.when_known else []
        yield f"  {pad(printable(step.step), width)}  {ink.say('diff_step', tasks=tasks, parts=', '.join(parts))}"
