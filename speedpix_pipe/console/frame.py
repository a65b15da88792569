"""One frame of the live view as lines of text: a bar per step, folded to what the screen can hold.

Pure: a `Tally`, a size and the elapsed time in, lines out, every one at most `width` cells. Drawing them again
and again on a terminal is `progress`'s work.
"""

from __future__ import annotations

from speedpix_pipe.console.base import Ink, cell_width, clip, clip_middle, duration, pad, printable
from speedpix_pipe.model import TaskStatus
from speedpix_pipe.records import dataclass
from speedpix_pipe.summary import StepTally, Tally

SHORTEST_BAR, LONGEST_BAR = 8, 40
COUNT_CELLS = 15  # `100,000/100,000`
NAME_CELLS = 22
MOST_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Glyphs:
    done: str = "━"
    failed: str = "━"
    running: str = "╌"
    rest: str = "─"
    dot: str = "·"


COLOR_GLYPHS = Glyphs()
PLAIN_GLYPHS = Glyphs(failed="x")  # without colour a failure needs a shape of its own
ASCII_GLYPHS = Glyphs("=", "x", "~", "-", "|")


def draw_frame(
    tally: Tally, *, width: int, height: int, elapsed_seconds: float, ink: Ink, unicode: bool = True
) -> list[str]:
    """The lines of one frame: at most `height` of them, each at most `width` cells."""
    glyphs = (COLOR_GLYPHS if ink.color else PLAIN_GLYPHS) if unicode else ASCII_GLYPHS
    steps = list(tally.steps.values())
    failures = _failures(tally, width, ink) if height >= 10 else []
    room = max(1, height - 2 - len(failures))
    shown, folded = _fold(steps, room)
    names = min(NAME_CELLS, max([4, *(cell_width(step.name) for step in shown)]), max(4, width // 4))
    counts = max([7, *(cell_width(_count(step, ink)) for step in shown)])
    rows = [_row(step, width, names, min(COUNT_CELLS, counts), ink, glyphs) for step in shown]
    if folded:
        rows.append(ink.dim(clip(_folded(folded, ink), width)))
    lines = [_header(tally, width, elapsed_seconds, ink, glyphs), *rows, *failures, _footer(tally, width, ink, glyphs)]
    return lines[: max(1, height)]


def _fold(steps: list[StepTally], room: int) -> tuple[list[StepTally], list[StepTally]]:
    """As many steps as fit, the active ones first, in the order of the graph; and those left out."""
    if len(steps) <= room:
        return steps, []
    order = sorted(range(len(steps)), key=lambda number: (_rank(steps[number]), number))
    chosen = set(order[: max(0, room - 1)])
    shown = [step for number, step in enumerate(steps) if number in chosen]
    return shown, [step for number, step in enumerate(steps) if number not in chosen]


def _rank(step: StepTally) -> int:
    if step.running:
        return 0
    if step.done and step.left:
        return 1
    if step.counts[TaskStatus.FAILED] or step.counts[TaskStatus.UNKNOWN]:
        return 2
    return 4 if step.total and not step.left else 3


def _folded(steps: list[StepTally], ink: Ink) -> str:
    ended = sum(1 for step in steps if step.total and not step.left)
    active = sum(1 for step in steps if step.running)
    words = [ink.say("running", count=active)] if active else []
    if ended:
        words.append(ink.say("finished", count=ended))
    if len(steps) - ended - active:
        words.append(ink.say("waiting", count=len(steps) - ended - active))
    return ink.say("and_more_steps", steps=ink.count("step_more", len(steps)), states=", ".join(words))


def _header(tally: Tally, width: int, elapsed: float, ink: Ink, glyphs: Glyphs) -> str:
    took = duration(int(elapsed)) if elapsed >= 10 else f"{int(elapsed)} s"
    start = tally.start
    name = printable(start.pipeline) if start else ink.say("run")
    service = f" {glyphs.dot} {start.service}" if start and start.service else ""
    rest = f" {glyphs.dot} {tally.run_id}{service}" if tally.run_id else ""
    room = width - cell_width(took) - 1
    name = clip(name, room)
    rest = clip(rest, room - cell_width(name))
    gap = " " * (width - cell_width(name + rest) - cell_width(took))
    return ink.bold(name) + ink.dim(rest) + gap + took


def _count(step: StepTally, ink: Ink) -> str:
    return f"{step.done:,}/{step.total:,}" if step.total else ink.say("waits")


def _row(step: StepTally, width: int, names: int, counts: int, ink: Ink, glyphs: Glyphs) -> str:
    left = _time_left(step)
    tail = f"~{_about(left)}" if left is not None else ""
    notes = _notes(step, glyphs, ink)
    fixed = names + 1 + 1 + counts
    room = width - fixed
    bar = max(SHORTEST_BAR, min(LONGEST_BAR, room - cell_width(notes) - 12, width // 3))
    bar = min(bar, max(0, room - 1))
    line = pad(clip(printable(step.name), names), names) + " " + _bar(step, bar, ink, glyphs)
    count = clip(_count(step, ink), counts)
    line += " " * (1 + counts - cell_width(count)) + count
    rest = room - bar
    if rest < 4:
        return line
    right = f" {tail}" if tail and cell_width(tail) + 2 < rest else ""
    text = clip(f"  {notes}", rest - cell_width(right))
    bad = step.counts[TaskStatus.FAILED] + step.counts[TaskStatus.UNKNOWN]
    gap = " " * (rest - cell_width(text) - cell_width(right)) if right else ""
    return line + (ink.red(text) if bad else text) + gap + ink.dim(right)


def _notes(step: StepTally, glyphs: Glyphs, ink: Ink) -> str:
    """What matters most comes first: it is the end that is cut."""

    def counted(*statuses: TaskStatus) -> list[str]:
        return [ink.say(status.value, count=step.counts[status]) for status in statuses if step.counts[status]]

    words = counted(TaskStatus.FAILED, TaskStatus.UNKNOWN)
    if step.running:
        words.append(ink.say("running", count=step.running))
    words += counted(TaskStatus.CACHED, TaskStatus.SKIPPED, TaskStatus.CANCELLED)
    return f" {glyphs.dot} ".join(words)


def _bar(step: StepTally, cells: int, ink: Ink, glyphs: Glyphs) -> str:
    if not step.total or cells <= 0:
        return ink.dim(glyphs.rest * max(0, cells))
    bad = step.counts[TaskStatus.FAILED] + step.counts[TaskStatus.UNKNOWN]
    good = step.done - bad
    parts = [_share(good, step.total, cells), _share(bad, step.total, cells), _share(step.running, step.total, cells)]
    if not step.left:  # a finished step has a full bar
        parts[0] = cells - parts[1]
    while sum(parts) > cells:
        parts[parts.index(max(parts))] -= 1
    rest = cells - sum(parts)
    return (
        ink.green(glyphs.done * parts[0])
        + ink.red(glyphs.failed * parts[1])
        + ink.cyan(glyphs.running * parts[2])
        + ink.dim(glyphs.rest * rest)
    )


def _share(count: int, total: int, cells: int) -> int:
    """Cells for a part: whole cells only, but something that exists is never invisible."""
    return max(1, cells * count // total) if count else 0


def _time_left(step: StepTally) -> float | None:
    """By the pace since the step began; cached and skipped tasks took no time and tell nothing."""
    worked = step.counts[TaskStatus.SUCCEEDED] + step.counts[TaskStatus.FAILED]
    if not worked or not step.left or step.first_at is None or step.last_at is None:
        return None
    return (step.last_at - step.first_at).total_seconds() / worked * step.left


def _about(seconds: float) -> str:
    """An estimate, without digits that it does not have."""
    return f"{max(1, round(seconds))} s" if seconds < 10 else duration(seconds)


def _failures(tally: Tally, width: int, ink: Ink) -> list[str]:
    lines = []
    for failure in tally.failures[-MOST_FAILURES:]:
        name = clip_middle(printable(failure.task), max(16, width // 2))
        word = ink.say("failed_task")
        lines.append(ink.red(word) + clip(f"{name}: {ink.said(failure.message)}", width - cell_width(word)))
    return lines


def _footer(tally: Tally, width: int, ink: Ink, glyphs: Glyphs) -> str:
    words = [ink.say("done_of", done=tally.done, tasks=ink.count("task", tally.total))]
    failed, unknown = tally.count(TaskStatus.FAILED), tally.count(TaskStatus.UNKNOWN)
    if failed:
        words.append(ink.say("failed", count=failed))
    if unknown:
        words.append(ink.say("unknown", count=unknown))
    if tally.on_service:
        words.append(ink.say("on_service", count=tally.on_service))
    left = [seconds for step in list(tally.steps.values()) if (seconds := _time_left(step)) is not None]
    if left:
        words.append(ink.say("about_left", time=_about(max(left))))
    line = f" {glyphs.dot} ".join(words)
    hint = f" {glyphs.dot} {ink.say('ctrl_c')}"
    return ink.dim(line + hint if cell_width(line + hint) <= width else clip(line, width))
