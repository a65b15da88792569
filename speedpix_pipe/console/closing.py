"""The last words of a run, for people: what happened, what went wrong first, where things are, what to do next.

Made from a `RunSummary` alone, so that `runs show` can print the same for any past run. Equal reasons are told
once with the tasks they hit; nothing here grows with the number of tasks.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from speedpix_pipe.console.base import Ink, cell_width, clip, clip_middle, duration, money, pad, printable, wrap
from speedpix_pipe.model import RunStatus, TaskStatus
from speedpix_pipe.summary import Failure, RunSummary, StepTally, UnknownTask, common_reason, exit_code

COMMAND = "speedpix-pipe"
MOST_REASONS = 10
MOST_ALIKE = 3  # warnings of one kind
MOST_TASKS = 4
MOST_FOLDERS = 6
MOST_STEPS = 12
LABEL = 10  # cells of the left column
MOST_LINES = 3  # of one reason


def render_closing(
    summary: RunSummary,
    *,
    color: bool = False,
    width: int = 80,
    report: Path | str | None = None,
    language: str = "en",
    program: str = COMMAND,
    folder: Path | None = None,
) -> str:
    """The closing summary as one text without a final line break.

    `program` is how this shell calls us, `folder` where it stands: commands are there to be copied.
    """
    ink = Ink(color, language)
    width = max(40, min(width, 120))
    parts = [
        _headline(summary, ink, width),
        *_failed(summary, ink, width),
        *_unknown(summary, ink, width, program),
        *_warnings(summary, ink, width),
        "\n".join([*_facts(summary, ink, width, report), *_next(summary, ink, program, folder)]),
    ]
    return "\n\n".join(part for part in parts if part)


def _headline(summary: RunSummary, ink: Ink, width: int) -> str:
    name = ink.bold(printable(summary.pipeline) or ink.say("run"))
    took = ink.dim(ink.say("took", time=duration(summary.seconds)))
    counts = ", ".join(text.replace(" ", "\u00a0") for text in _counts(summary, ink)) or ink.say("nothing_to_do")
    if summary.under_way:
        word = ink.yellow(ink.say("is_under_way"))
    elif summary.status is RunStatus.CANCELLED:
        word = ink.yellow(ink.say("was_interrupted" if summary.resumable else "was_cancelled"))
    elif exit_code(summary):
        fatal = summary.tasks[TaskStatus.FAILED] - summary.ignored
        word = ink.red(ink.say("did_fail" if fatal else "not_complete"))
    else:
        word = ink.green(ink.say("did_succeed"))
    lines = wrap(ink.say("headline", name=name, what=word, took=took, counts=counts), width, indent=2)
    if summary.reason and exit_code(summary) and not summary.under_way:
        lines += wrap(ink.say("stopped_because", reason=ink.said(summary.reason)), width, indent=2)
    return "\n".join(lines)


def _counts(summary: RunSummary, ink: Ink) -> Iterator[str]:
    paint = {TaskStatus.FAILED: ink.red, TaskStatus.UNKNOWN: ink.yellow, TaskStatus.SUCCEEDED: ink.green}
    for status in TaskStatus:
        count = summary.tasks[status]
        if not count:
            continue
        text = ink.say(_state(summary, status), count=count)
        if status is TaskStatus.CACHED:
            text = ink.say("from_cache", count=count)
        elif status is TaskStatus.FAILED and summary.ignored:
            text += ink.say("all_ignored" if summary.ignored == count else "some_ignored", count=summary.ignored)
        elif status is TaskStatus.SKIPPED and summary.skipped_by_failure:
            text += ink.say("because_of_failures", count=summary.skipped_by_failure)
        yield paint.get(status, str)(text)


def _state(summary: RunSummary, status: TaskStatus) -> str:
    return "to_come" if summary.under_way and status is TaskStatus.CANCELLED else status.value


def _failed(summary: RunSummary, ink: Ink, width: int) -> Iterator[str]:
    tasks = [failure for failure in summary.failures if failure.step is not None]
    if not tasks:
        return
    groups = _grouped(tasks)
    lines = [ink.red(ink.say("title_failed"))]
    for group in groups[:MOST_REASONS]:
        first = group[0]
        times = f"{len(group):,} × " if len(group) > 1 else ""
        note = ink.say("ignored") if first.ignored else ""
        kind = ink.kind(first.kind)
        reason = ink.say("reason_of", times=times, message=ink.said(first.message), kind=kind, ignored=note)
        lines += _indented(reason, width, MOST_LINES)
        lines.append(ink.dim(f"    {_named((failure.task for failure in group), len(group), width - 4, ink)}"))
    if len(groups) > MOST_REASONS:
        rest = sum(len(group) for group in groups[MOST_REASONS:])
        lines.append(f"  {ink.say('more_reasons', count=rest)}")
    yield "\n".join(lines)


def _grouped(failures: Iterable[Failure]) -> list[list[Failure]]:
    """Failures with the same reason together, the commonest first; those that fail the run before ignored ones."""
    groups: dict[tuple[bool, str | None, str, str], list[Failure]] = {}
    for failure in failures:
        reason = (failure.ignored, failure.step, failure.kind, common_reason(failure.message, failure.key))
        groups.setdefault(reason, []).append(failure)
    return sorted(groups.values(), key=lambda group: (group[0].ignored, -len(group)))


def _named(tasks: Iterable[str], count: int, width: int, ink: Ink) -> str:
    each = max(16, width // 2)
    names = [clip_middle(printable(task), each) for task, _ in zip(tasks, range(MOST_TASKS), strict=False)]
    more = ink.say("and_more", count=count - len(names)) if count > len(names) else ""
    while len(names) > 1 and cell_width("  ".join(names)) > width - 12:
        names.pop()
        more = ink.say("and_more", count=count - len(names))
    return "  ".join(names) + more


def _unknown(summary: RunSummary, ink: Ink, width: int, program: str) -> Iterator[str]:
    tasks: tuple[UnknownTask, ...] = summary.unknown
    if not tasks:
        return
    run = summary.run_id or ""
    yield "\n".join(
        [
            ink.yellow(ink.say("title_unknown")),
            *_indented(ink.count("stands", summary.unknown_submissions), width, 0),
            ink.dim(f"    {_named((task.task for task in tasks), len(tasks), width - 4, ink)}"),
            *_indented(ink.say("decide"), width, 0),
            f"    {program} runs show {run} --unknown",
            f"    {program} runs redo {run} --unknown",
            *[f"    {line}" for line in _indented(ink.say("pays_twice"), width - 4, 0)],
        ]
    )


def _indented(text: str, width: int, most: int) -> list[str]:
    return [f"  {line}" for line in wrap(text, width - 2, indent=2, most=most)]


def _warnings(summary: RunSummary, ink: Ink, width: int) -> Iterator[str]:
    if not summary.warnings:
        return
    seen: Counter[str] = Counter()
    told = []
    for code, message in summary.warnings:
        seen[code] += 1
        if seen[code] <= MOST_ALIKE:
            told.append(message)
    told = told[:MOST_REASONS]
    shown = [line for message in told for line in _indented(ink.said(message), width, MOST_LINES)]
    if len(summary.warnings) > len(told):
        shown.append(f"  {ink.say('more', count=len(summary.warnings) - len(told))}")
    yield "\n".join([ink.yellow(ink.say("title_warnings")), *shown])


def _facts(summary: RunSummary, ink: Ink, width: int, report: Path | str | None) -> Iterator[str]:
    yield from _steps(summary, ink, width)
    yield from _labelled(ink.say("files"), _folders(summary, ink), ink, width)
    if isinstance(summary.outputs, dict):
        outputs = [
            f"{name}: {value}" for name, value in summary.outputs.items() if isinstance(value, str | int | float)
        ]
        yield from _labelled(ink.say("outputs"), outputs[:MOST_FOLDERS], ink, width)
    if summary.priced:
        yield from _labelled(ink.say("cost"), [_cost(summary, ink)], ink, width)
    if report is not None:
        # never cut: it is there to be copied
        yield f"{ink.dim(pad(ink.say('report'), LABEL))}{printable(str(report))}"


def _labelled(label: str, values: list[str], ink: Ink, width: int) -> Iterator[str]:
    for number, value in enumerate(values):
        yield f"{ink.dim(pad('' if number else label, LABEL))}{clip_middle(printable(value), width - LABEL)}"


def _steps(summary: RunSummary, ink: Ink, width: int) -> Iterator[str]:
    steps = [step for step in summary.steps if step.total]
    name_cells = min(24, max((len(step.name) for step in steps), default=0)) + 2
    for number, step in enumerate(steps[:MOST_STEPS]):
        name = pad(clip(printable(step.name), name_cells - 2), name_cells)
        yield ink.dim(pad("" if number else ink.say("steps"), LABEL)) + clip(
            name + _step(summary, step, ink), width - LABEL
        )
    if len(steps) > MOST_STEPS:
        yield " " * LABEL + ink.say("more", count=len(steps) - MOST_STEPS)


def _step(summary: RunSummary, step: StepTally, ink: Ink) -> str:
    counted = [status for status in TaskStatus if step.counts[status]]
    words = [ink.say(_state(summary, status), count=step.counts[status]) for status in counted]
    succeeded = step.counts[TaskStatus.SUCCEEDED]
    if succeeded:
        took = duration(step.seconds / succeeded)
        words.append(ink.say("each", time=took) if succeeded > 1 else took)
    return ", ".join(words)


def _folders(summary: RunSummary, ink: Ink) -> list[str]:
    folders = Counter(_folder_of(file.path) for file in summary.files)
    lines = [ink.say("in_folder", count=count, folder=folder) for folder, count in folders.most_common(MOST_FOLDERS)]
    if len(folders) > MOST_FOLDERS:
        rest = len(summary.files) - sum(count for _, count in folders.most_common(MOST_FOLDERS))
        others = ink.count("folder", len(folders) - MOST_FOLDERS)
        lines.append(ink.say("in_other_folders", count=rest, folders=others))
    return lines


def _folder_of(path: str) -> str:
    """As it is written: a path library would take the two slashes of a URL for one."""
    return path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")


def _cost(summary: RunSummary, ink: Ink) -> str:
    predictions = ink.count("prediction", summary.submitted)
    text = ink.say("spent_on", money=money(summary.spent), predictions=predictions)
    return text + ink.say("saved_by_cache", money=money(summary.saved)) if summary.saved else text


def _next(summary: RunSummary, ink: Ink, program: str, folder: Path | None) -> Iterator[str]:
    """The command that goes on from here, if there is something to go on with."""
    run, spec = summary.run_id or "", _spec(summary.spec_path, folder)
    local = " --local" if summary.local else ""
    if summary.under_way:
        return
    if summary.resumable:
        command = f"runs redo {run} --rest" if summary.redo else f"run {spec} --resume{local}"
    elif summary.reason and summary.tasks[TaskStatus.CANCELLED] and summary.status is RunStatus.FAILED:
        command = f"run {spec}{local}"  # turned away by the service: to redo what failed would leave out the rest
    elif summary.tasks[TaskStatus.FAILED] > summary.ignored:
        command = f"runs redo {run} --failed"
    else:
        return
    yield f"{ink.dim(pad(ink.say('next'), LABEL))}{ink.bold(f'{program} {command}')}"


def _spec(path: str, folder: Path | None) -> str:
    """As one would write it where the shell stands."""
    if folder is not None and path and Path(path).is_relative_to(folder):
        path = str(Path(path).relative_to(folder))
    return shlex.quote(printable(path)) if path else "SPEC"
