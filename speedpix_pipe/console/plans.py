"""A plan as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from speedpix_pipe.console.base import Ink, cell_width, duration, money, pad, printable, size
from speedpix_pipe.plan.estimate import Estimate, Outlook, StepEstimate

UNKNOWN = "?"


def render_plan(name: str, estimate: Estimate, *, language: str = "en") -> str:
    """Steps as rows, what a task would come to as columns, and what it all takes below."""
    ink = Ink(color=False, language=language)
    header = ["plan_step", "plan_tasks", "plan_run", "plan_cached"]
    optional = [
        ("plan_join", [step.counts[Outlook.JOIN] for step in estimate.steps]),
        ("plan_unknown", [step.counts[Outlook.UNKNOWN] for step in estimate.steps]),
        ("plan_when_known", [step.when_known for step in estimate.steps]),
        ("plan_skipped", [step.skipped for step in estimate.steps]),
        ("plan_failing", [step.failed for step in estimate.steps]),
    ]
    shown = [(title, counts) for title, counts in optional if any(counts)]
    rows = [[ink.say(title) for title in [*header, *[title for title, _ in shown]]]]
    for number, step in enumerate(estimate.steps):
        rows.append([*_columns(step), *[f"{counts[number]:,}" if counts[number] else "" for _, counts in shown]])
    lines = [f"{printable(name)}: {_headline(estimate, ink)}", "", *_table(rows)]
    facts = list(_facts(estimate, ink))
    return "\n".join([*lines, "", *facts] if facts else lines)


def _columns(step: StepEstimate) -> list[str]:
    total = UNKNOWN if step.total is None else f"{step.total:,}"
    run, cached = step.counts[Outlook.RUN], step.counts[Outlook.CACHED]
    return [printable(step.step), total, f"{run:,}" if run else "", f"{cached:,}" if cached else ""]


def _headline(estimate: Estimate, ink: Ink) -> str:
    run = sum(step.counts[Outlook.RUN] for step in estimate.steps)
    later = sum(step.when_known for step in estimate.steps)
    open_end = any(step.total is None for step in estimate.steps)
    if not run and not later and not open_end:
        return ink.say("plan_nothing")
    text = ink.say("plan_to_run", tasks=ink.count("task", run))
    if later or open_end:
        bound = ink.say("plan_at_least" if open_end else "plan_up_to")
        text += ink.say("plan_then_1" if later == 1 else "plan_then", bound=bound, count=later)
    return text


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(cell_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = row
        cells = [pad(first, widths[0])]
        cells += [" " * (width - cell_width(cell)) + cell for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def _facts(estimate: Estimate, ink: Ink) -> Iterator[str]:
    for label, text in _said(estimate, ink):
        yield f"{pad(ink.say(label), 8)}{text}"


def _said(estimate: Estimate, ink: Ink) -> Iterator[tuple[str, str]]:
    if estimate.upload_bytes != 0:
        yield "plan_upload", UNKNOWN if estimate.upload_bytes is None else size(estimate.upload_bytes)
    if estimate.seconds:
        yield "plan_time", ink.say("plan_about", time=duration(estimate.seconds))
    if estimate.priced and estimate.cost is not None:
        sure, most = money(estimate.sure_cost), money(estimate.cost)
        same = estimate.sure_cost == estimate.cost
        yield "cost", most if same else ink.say("plan_cost_up_to", sure=sure, most=most)
    elif estimate.priced:
        yield "cost", ink.say("plan_cost_open", sure=money(estimate.sure_cost))
