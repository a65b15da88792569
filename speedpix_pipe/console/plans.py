"""A plan as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from speedpix_pipe.console.base import cell_width, duration, money, pad, plural, printable, size
from speedpix_pipe.plan.estimate import Estimate, Outlook, StepEstimate

UNKNOWN = "?"


def render_plan(name: str, estimate: Estimate) -> str:
    """Steps as rows, what a task would come to as columns, and what it all takes below."""
    header = ["step", "tasks", "run", "cached"]
    optional = [
        ("join", [step.counts[Outlook.JOIN] for step in estimate.steps]),
        ("unknown", [step.counts[Outlook.UNKNOWN] for step in estimate.steps]),
        ("when known", [step.when_known for step in estimate.steps]),
        ("skipped", [step.skipped for step in estimate.steps]),
        ("failing", [step.failed for step in estimate.steps]),
    ]
    shown = [(title, counts) for title, counts in optional if any(counts)]
    rows = [[*header, *[title for title, _ in shown]]]
    for number, step in enumerate(estimate.steps):
        rows.append([*_columns(step), *[f"{counts[number]:,}" if counts[number] else "" for _, counts in shown]])
    lines = [f"{printable(name)}: {_headline(estimate)}", "", *_table(rows)]
    facts = list(_facts(estimate))
    return "\n".join([*lines, "", *facts] if facts else lines)


def _columns(step: StepEstimate) -> list[str]:
    total = UNKNOWN if step.total is None else f"{step.total:,}"
    run, cached = step.counts[Outlook.RUN], step.counts[Outlook.CACHED]
    return [printable(step.step), total, f"{run:,}" if run else "", f"{cached:,}" if cached else ""]


def _headline(estimate: Estimate) -> str:
    run = sum(step.counts[Outlook.RUN] for step in estimate.steps)
    later = sum(step.when_known for step in estimate.steps)
    open_end = any(step.total is None for step in estimate.steps)
    if not run and not later and not open_end:
        return "nothing to run"
    text = f"{plural(run, 'task')} to run"
    if later or open_end:
        text += f", then {'at least ' if open_end else 'up to '}{plural(later, 'more task')} that wait for them"
    return text


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(cell_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = row
        cells = [pad(first, widths[0])]
        cells += [" " * (width - cell_width(cell)) + cell for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def _facts(estimate: Estimate) -> Iterator[str]:
    if estimate.upload_bytes != 0:
        yield f"upload  {UNKNOWN if estimate.upload_bytes is None else size(estimate.upload_bytes)}"
    if estimate.seconds:
        yield f"time    about {duration(estimate.seconds)}, from how long these steps took before"
    if estimate.priced and estimate.cost is not None:
        sure = estimate.sure_cost
        text = money(estimate.cost)
        yield f"cost    {text}" if sure == estimate.cost else f"cost    {money(sure)}, up to {text}"
    elif estimate.priced:
        yield f"cost    {money(estimate.sure_cost)}, and what cannot be known yet"
