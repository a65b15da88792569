"""What the page knows, as JSON: rows, tasks, files by number, failures by reason, figures per step.

Everything here may come from outside (keys, captions, messages, file names), so it leaves as JSON that is safe
inside an HTML page, and links are relative to the page and quoted.
"""

from __future__ import annotations

import mimetypes
import os
import statistics
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from speedpix_pipe.model import Json, TaskStatus
from speedpix_pipe.records import dataclass
from speedpix_pipe.report.base import InputFile, ResultFile, RunView, TaskView
from speedpix_pipe.report.rows import Row, axis_text, make_rows, without_axes
from speedpix_pipe.summary import common_reason
from speedpix_pipe.words.messages import translated

LONGEST_TEXT = 4000
COMMAND = "speedpix-pipe"
OpenBlob = Callable[[str], Path]


@dataclass(slots=True)
class _Files:
    """Files by number; the same content at the same place is one file, with one thumbnail."""

    folder: Path
    target: Path
    open_blob: OpenBlob
    rows: list[dict[str, Json]] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)  # what the thumbnail of each number is made from
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def result(self, file: ResultFile) -> int:
        blob = self._blob(file.kept.sha256)
        full = _first_existing(file.saved, blob)
        shown = _shown(file.saved, self.folder) if file.saved else (file.url or file.kept.name or file.kept.place)
        kind = file.kept.media_type.partition("/")[0]
        return self._number(file.kept.sha256, shown, full, _first_existing(blob, file.saved), kind)

    def given(self, file: InputFile) -> int:
        path = file.absolute or (self.folder / file.path if file.picture is None else None)
        full = _first_existing(path, self._blob(file.sha256))
        kind = (mimetypes.guess_type(file.path)[0] or "").partition("/")[0]
        return self._number(file.sha256, file.path, full, full or file.picture, kind)

    def _blob(self, sha256: str) -> Path | None:
        try:
            return self.open_blob(sha256)
        except (OSError, LookupError):  # pruned: the saved copy may still be there
            return None

    def _number(self, sha256: str, shown: str, full: Path | None, source: Path | None, kind: str) -> int:
        place = (sha256, shown)
        if place in self._numbers:
            return self._numbers[place]
        number = self._numbers[place] = len(self.rows)
        row: dict[str, Json] = {"name": shown}
        if full is not None:
            row["src"] = link(full, self.target)
        if kind not in {"", "image"}:
            row["kind"] = kind
        self.rows.append(row)
        self.sources.append(source or Path())
        return number


@dataclass(frozen=True, slots=True)
class Contents:
    """The page's data, and the picture behind each file number."""

    page: dict[str, Json]
    sources: Sequence[Path]


def make_contents(
    run: RunView, tasks: Iterable[TaskView], target: Path, open_blob: OpenBlob, language: str = "en"
) -> Contents:
    views = list(tasks)
    by_step: dict[str, list[TaskView]] = {name: [] for name in run.steps}
    for task in views:
        by_step.setdefault(task.step, []).append(task)
    steps = {name: number for number, name in enumerate(name for name, of_step in by_step.items() if of_step)}
    files = _Files(run.folder, target, open_blob)
    made: dict[str, int] = {}  # digest -> the first step that made such a file
    for task in views:
        for file in task.files:
            made[file.kept.sha256] = min(steps[task.step], made.get(file.kept.sha256, len(steps)))
    begin = _begin(run, views)
    page_rows: list[dict[str, Json]] = []
    page_tasks: list[dict[str, Json]] = []
    number_of: dict[str, int] = {}
    for row in make_rows(views, list(steps)):
        inputs = _row_inputs(row, steps, made, files)
        first = len(page_tasks)
        for task in row.tasks:
            number_of[task.task] = len(page_tasks)
            page_tasks.append(_task(task, steps[task.step], begin, files, language))
            base = without_axes(task.key, task.matrix)
            if base != row.key:  # flat-mapped: the viewer tells by it what lies below what
                page_tasks[-1]["b"] = base
        page_rows.append({"key": row.key, "label": row.label, "in": inputs, "first": first, "count": len(row.tasks)})
    page = {
        "run": {"id": run.run_id, "pipeline": run.pipeline},
        "steps": [{**_step(name, by_step[name]), "kin": _kin(name, run, steps)} for name in steps],
        "axes": _axes(views),
        "rows": page_rows,
        "tasks": page_tasks,
        "files": files.rows,
        "failures": _failures(views, number_of, language),
        "commands": commands(run),
    }
    return Contents(page, files.sources)


def commands(run: RunView) -> dict[str, str]:
    resume = f"run {_quoted(run.spec_path or 'SPEC')} --resume{' --local' if run.local else ''}"
    if run.redo:
        resume = f"runs redo {run.run_id} --rest"
    return {
        "retry": f"{COMMAND} runs redo {run.run_id} --failed",
        "resend": f"{COMMAND} runs redo {run.run_id} --unknown",
        "resume": f"{COMMAND} {resume}" if run.resumable else "",
        "redo": f"{COMMAND} runs redo {run.run_id}",
        "marked": f"{COMMAND} runs redo {run.run_id} --from-file rejected-{run.run_id}.txt",
    }


def _quoted(text: str) -> str:
    safe = text.replace("/", "").replace(".", "").replace("_", "").replace("-", "")
    return text if safe.isalnum() else "'" + text.replace("'", "'\\''") + "'"


def link(file: Path, target: Path) -> str:
    """The file's address as seen from the page. Never absolute, never a scheme, every odd sign quoted."""
    relative = os.path.relpath(file.absolute(), target.absolute().parent)
    return "./" + urllib.parse.quote(os.fsencode(relative))


def _first_existing(*paths: Path | None) -> Path | None:
    return next((path for path in paths if path is not None and path.is_file()), None)


def _shown(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _row_inputs(row: Row, steps: dict[str, int], made: dict[str, int], files: _Files) -> list[int]:
    """What the item came with, each content once: files that no step before made.

    A step may well give back what it got, so that its own result says nothing about where its input came from.
    """
    once: dict[str, int] = {}
    for task in row.tasks:
        for file in task.input_files:
            if file.sha256 not in once and made.get(file.sha256, len(steps)) >= steps[task.step]:
                once[file.sha256] = files.given(file)
    return list(once.values())


def _begin(run: RunView, tasks: Sequence[TaskView]) -> float:
    starts = [task.started_at.timestamp() for task in tasks if task.started_at]
    if run.started_at:
        starts.append(run.started_at.timestamp())
    return min(starts, default=0.0)


def _task(task: TaskView, step: int, begin: float, files: _Files, language: str) -> dict[str, Json]:
    """Short names and no empty fields: there may be tens of thousands of these."""
    full: dict[str, Json] = {
        "s": step,
        "k": task.key,
        "st": task.status.value if task.status else "open",
        "m": {axis: axis_text(value) for axis, value in task.matrix.items()},
        "f": [files.result(file) for file in task.files],
        "in": _readable(task.input),
        "out": None if task.files else _readable(task.output),
        "sec": _rounded(task.seconds),
        "svc": _rounded(task.service_seconds),
        "t0": _rounded(task.started_at.timestamp() - begin) if task.started_at else None,
        "t1": _rounded(task.finished_at.timestamp() - begin) if task.finished_at else None,
        "n": task.attempts if task.attempts > 1 else None,
        "kind": task.error_kind,
        "why": translated(task.error_message or task.skip_reason, language)[:LONGEST_TEXT],
        "ign": task.ignored,
        "by": task.cause,
        "p": task.price,
        "id": task.prediction_id,
        "src": task.source if task.status is TaskStatus.CACHED else "",
    }
    return {name: value for name, value in full.items() if value not in (None, "", False, [], {})} | {"s": step}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _readable(value: Json) -> Json:
    """Inputs as people may see them: addresses lose their query (it signs them), long texts their end."""
    if isinstance(value, str):
        if value.startswith(("http://", "https://")) and "?" in value:
            value = value.partition("?")[0] + "?…"
        return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…"
    if isinstance(value, dict):
        return {str(name): _readable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_readable(inner) for inner in value[:200]]
    return value


def _axes(tasks: Iterable[TaskView]) -> dict[str, list[str]]:
    axes: dict[str, dict[str, None]] = {}
    for task in tasks:
        for axis, value in task.matrix.items():
            axes.setdefault(axis, {}).setdefault(axis_text(value))
    return {axis: list(values) for axis, values in axes.items()}


def _kin(name: str, run: RunView, steps: Mapping[str, int]) -> list[int]:
    """Steps that this one was made from, and those that were made from it; all of them where nobody knows."""
    if not any(run.needs.values()):
        return list(steps.values())
    follow: dict[str, list[str]] = {}
    for step, needed in run.needs.items():
        for other in needed:
            follow.setdefault(other, []).append(step)
    kin = _closure(name, run.needs) | _closure(name, follow)
    return [number for step, number in steps.items() if step in kin]


def _closure(name: str, leads: Mapping[str, Sequence[str]]) -> set[str]:
    found, todo = set[str](), [name]
    while todo:
        for other in leads.get(todo.pop(), ()):
            if other not in found:
                found.add(other)
                todo.append(other)
    return found


def _step(name: str, tasks: Sequence[TaskView]) -> dict[str, Json]:
    counts = {status.value: sum(task.status is status for task in tasks) for status in TaskStatus}
    counts["open"] = sum(task.status is None for task in tasks)
    times = sorted(t.seconds for t in tasks if t.status is TaskStatus.SUCCEEDED and t.seconds is not None)
    paid = [t.price for t in tasks if t.price is not None and _was_paid(t)]
    saved = [t.price for t in tasks if t.price is not None and t.status is TaskStatus.CACHED and not _was_paid(t)]
    median = statistics.median(times) if times else None
    slow = max(times[int(len(times) * 0.95) - 1], 1.5 * median) if median is not None and len(times) > 3 else None
    return {
        "name": name,
        "counts": {status: count for status, count in counts.items() if count},
        "total": len(tasks),
        "median": _rounded(median),
        "longest": _rounded(times[-1]) if times else None,
        "sum": _rounded(sum(times)),
        "slow": _rounded(slow),
        "spent": round(sum(paid), 6) if paid else None,
        "saved": round(sum(saved), 6) if saved else None,
    }


def _was_paid(task: TaskView) -> bool:
    """Unknown counts as spent; a failed task was paid only if the service took it; what the run got before it was
    resumed it has paid for as well.
    """
    if task.status in {TaskStatus.SUCCEEDED, TaskStatus.UNKNOWN}:
        return True
    if task.status is TaskStatus.CACHED:
        return task.source == "resumed"
    return task.status is TaskStatus.FAILED and bool(task.prediction_id)


def _failures(tasks: Iterable[TaskView], number_of: dict[str, int], language: str) -> list[dict[str, Json]]:
    """Failed and unknown tasks by reason: what fails the run first, then the commonest first."""
    groups: dict[tuple[Json, ...], dict[str, Json]] = {}
    for task in tasks:
        if task.status not in {TaskStatus.FAILED, TaskStatus.UNKNOWN}:
            continue
        reason = common_reason(task.error_message, task.key)
        key = (task.ignored, task.status is TaskStatus.UNKNOWN, task.step, task.error_kind, reason)
        group = groups.setdefault(
            key,
            {
                "status": task.status.value,
                "step": task.step,
                "kind": task.error_kind,
                "message": translated(task.error_message, language)[:LONGEST_TEXT],
                "ignored": task.ignored,
                "tasks": [],
            },
        )
        group["tasks"].append(number_of[task.task])
    ordered = sorted(groups.items(), key=lambda entry: (entry[0][0], entry[0][1], -len(entry[1]["tasks"])))
    return [group for _, group in ordered]
