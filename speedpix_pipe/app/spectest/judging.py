"""What a case expected against what came: every difference in a sentence, with the place of the expectation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from speedpix_pipe.app.selection import matches
from speedpix_pipe.app.spectest.answers import fits, fits_all
from speedpix_pipe.app.spectest.casefile import Expected
from speedpix_pipe.app.spectest.watching import Call, Outcome
from speedpix_pipe.errors import Severity
from speedpix_pipe.model import Json, Mark
from speedpix_pipe.records import dataclass

MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Miss:
    """One expectation that was not met."""

    mark: Mark
    what: str
    expected: Json
    came: Json

    def to_json(self) -> dict[str, Json]:
        return {
            "path": self.mark.path,
            "line": self.mark.line,
            "column": self.mark.column,
            "what": self.what,
            "expected": self.expected,
            "came": self.came,
        }


def judge(expected: Expected, came: Outcome) -> list[Miss]:
    """Everything that came otherwise; empty where the case holds."""
    misses = [*_exit(expected, came), *_problems(expected, came)]
    if misses and came.status is None:
        return misses  # nothing was begun: that all else is missing says nothing more
    for name, look in _LOOKS.items():
        if name in expected.parts:
            misses += look(expected, expected.parts[name], came)
    return misses


def _exit(expected: Expected, came: Outcome) -> Iterator[Miss]:
    wanted = expected.parts.get("exit", 2 if expected.parts.get("problems") else 0)
    if came.exit_code == wanted:
        return
    why = [came.refusal] if came.refusal else []
    why += [str(p) for p in came.problems if p.severity is Severity.ERROR and "problems" not in expected.parts]
    why += [f"{task}: {came.reasons[task]}" for task, status in came.tasks.items() if status in {"failed", "unknown"}]
    shown = f"{came.exit_code} ({'; '.join(_few(why))})" if why else came.exit_code
    yield Miss(expected.mark("exit"), "exit", wanted, shown)


def _problems(expected: Expected, came: Outcome) -> Iterator[Miss]:
    if "problems" not in expected.parts:
        return
    codes = sorted(problem.code for problem in came.problems if problem.severity is Severity.ERROR)
    if codes != sorted(expected.parts["problems"]):
        yield Miss(expected.mark("problems"), "problems", sorted(expected.parts["problems"]), codes)


def _status(expected: Expected, wanted: Any, came: Outcome) -> Iterator[Miss]:
    if came.status != wanted:
        yield Miss(expected.mark("status"), "status", wanted, came.status)


def _cost(expected: Expected, wanted: Any, came: Outcome) -> Iterator[Miss]:
    if abs(came.cost - wanted) > 1e-6:
        yield Miss(expected.mark("cost"), "cost", wanted, round(came.cost, 6))


# --- calls ---


def _calls(expected: Expected, wanted: Any, came: Outcome) -> Iterator[Miss]:
    if isinstance(wanted, int):
        if len(came.calls) != wanted:
            yield Miss(expected.mark("calls"), "calls", wanted, _counted(call.task for call in came.calls))
        return
    for selector, one in wanted.items():
        found = [call for call in came.calls if selected(call.task, selector)]
        rule: Mapping[str, Any] = {"count": one} if isinstance(one, int) else one
        mark, what = expected.mark("calls", selector), f"calls.{selector}"
        if "count" in rule and len(found) != rule["count"]:
            yield Miss(mark, what, rule["count"], _counted(call.task for call in found))
        elif "count" not in rule and not found:
            yield Miss(mark, what, "at least one call", _counted(call.task for call in came.calls))
        if "input" in rule:
            yield from _inputs(expected, selector, rule["input"], found)


def _inputs(expected: Expected, selector: str, wanted: Mapping[str, Any], found: list[Call]) -> Iterator[Miss]:
    for call in [call for call in found if not fits_all(call.input, wanted)][:MOST_SHOWN]:
        for name, value in wanted.items():
            if name not in call.input or not fits(call.input[name], value):
                mark = expected.mark("calls", selector, "input", name)
                yield Miss(mark, f"input {name} of {call.task}", value, call.input.get(name, "(not sent)"))


# --- tasks ---


def _tasks(expected: Expected, wanted: Any, came: Outcome) -> Iterator[Miss]:
    for selector, one in wanted.items():
        found = {task: status for task, status in came.tasks.items() if selected(task, selector)}
        mark, what = expected.mark("tasks", selector), f"tasks.{selector}"
        counts = dict(Counter(found.values()))
        if isinstance(one, str):
            others = [f"{task}: {_with_reason(came, task)}" for task, status in found.items() if status != one]
            if others or not found:
                yield Miss(mark, what, one, _few(others) if found else "no such task")
        elif any(counts.get(status, 0) != count for status, count in one.items()):
            yield Miss(mark, what, one, counts)


def _with_reason(came: Outcome, task: str) -> str:
    reason = came.reasons.get(task)
    return f"{came.tasks[task]} ({reason})" if reason else came.tasks[task]


def _errors(expected: Expected, wanted: Any, came: Outcome) -> Iterator[Miss]:
    for selector, pattern in wanted.items():
        found = {task: reason for task, reason in came.reasons.items() if reason and selected(task, selector)}
        others = [f"{task}: {reason}" for task, reason in found.items() if not fits(reason, pattern)]
        if others or not found:
            mark = expected.mark("errors", selector)
            yield Miss(mark, f"errors.{selector}", pattern, _few(others) if found else "no error")


# --- files and outputs ---


def _files(expected: Expected, wanted: Any, came: Outcome) -> Iterator[Miss]:
    paths = list(dict.fromkeys(came.files))
    rules: Mapping[str, Any] = {pattern: {} for pattern in wanted} if isinstance(wanted, list) else wanted
    for pattern, given in rules.items():
        rule = {"count": given} if isinstance(given, int) else given
        found = [path for path in paths if fits(path, pattern)]
        mark, what = expected.mark("files", pattern), f"files.{pattern}"
        if "count" in rule and len(found) != rule["count"]:
            yield Miss(mark, what, rule["count"], _few(found))
        elif "count" not in rule and not found:
            yield Miss(mark, what, "a file", _few(paths) or "none was saved")
        for path in found:
            yield from _contents(mark, came, path, rule)
    more = [path for path in paths if not any(fits(path, pattern) for pattern in rules)]
    if more:
        yield Miss(expected.mark("files"), "files", "no other files", _few(more))


def _contents(mark: Mark, came: Outcome, path: str, rule: Mapping[str, Any]) -> Iterator[Miss]:
    if "text" in rule:
        text = came.place_of(path).read_text(encoding="utf-8", errors="replace")
        if not fits(text, rule["text"]):
            yield Miss(mark, f"text of {path}", rule["text"], text[:200])
    looks = [name for name in ("width", "height", "format") if name in rule]
    if looks:
        seen = _look_at(came, path)
        for name in looks:
            if seen.get(name) != rule[name]:
                yield Miss(mark, f"{name} of {path}", rule[name], seen.get(name, "no picture"))


def _look_at(came: Outcome, path: str) -> dict[str, Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(came.place_of(path)) as picture:
            return {"width": picture.width, "height": picture.height, "format": (picture.format or "").lower()}
    except (OSError, UnidentifiedImageError):
        return {}


def _outputs(expected: Expected, wanted: Any, came: Outcome) -> Iterator[Miss]:
    outputs = came.outputs if isinstance(came.outputs, Mapping) else {}
    for name, value in wanted.items():
        if name not in outputs or not fits(outputs[name], value):
            yield Miss(expected.mark("outputs", name), f"outputs.{name}", value, outputs.get(name, "no such output"))


_LOOKS = {
    "status": _status,
    "calls": _calls,
    "tasks": _tasks,
    "errors": _errors,
    "files": _files,
    "cost": _cost,
    "outputs": _outputs,
}


def selected(task: str, selector: str) -> bool:
    """STEP is all its tasks, STEP@KEY those whose key fits, as on the command line."""
    step, at, key = selector.partition("@")
    own_step, _, own_key = task.partition("@")
    return step == own_step and (not at or matches(own_key, key))


def _counted(tasks: Iterable[str]) -> str:
    names = sorted(tasks)  # not in the order of a race
    return f"{len(names)}: {', '.join(_few(names))}" if names else "0"


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= MOST_SHOWN else [*names[:MOST_SHOWN], f"and {len(names) - MOST_SHOWN} more"]
