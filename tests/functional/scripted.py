"""A pipeline run in process against the emulator, with workflows that answer from a script, and what came of it.

A script is a list of rules for each workflow; the first whose `for` fits the input decides. `give` is the answer,
in which `{field}` stands for the input of that name; `picture: NAME` in it becomes a small file; `fail` is an error.
"""

from __future__ import annotations

import asyncio
import fnmatch
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import run
from speedpix_pipe.emulator import Artifact, EmulatorOptions, EmulatorThread, Inputs, WorkflowError
from speedpix_pipe.errors import Problem, SpecError
from speedpix_pipe.events import (
    Event,
    ItemFound,
    PredictionCreated,
    TaskCached,
    TaskCancelled,
    TaskFailed,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    TaskUnknown,
)
from speedpix_pipe.settings import load_settings
from speedpix_pipe.summary import RunSummary

HEAD = "apiVersion: speedpix-pipe/v1\nname: case\n"
Rules = Sequence[Mapping[str, Any]]
_STATUS = {
    TaskSucceeded: "succeeded",
    TaskCached: "cached",
    TaskFailed: "failed",
    TaskSkipped: "skipped",
    TaskCancelled: "cancelled",
    TaskUnknown: "unknown",
}


@dataclass
class Came:
    """What a run came to. `statuses` and `sent` are by `step@key`."""

    exit_code: int
    statuses: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Any] = field(default_factory=dict)
    orders: dict[str, tuple[int, ...]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)  # every task as it was found, twins included
    ends: list[str] = field(default_factory=list)  # every task as it ended
    urls: dict[str, str] = field(default_factory=dict)  # of the first file of each task's result
    reasons: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    summary: RunSummary | None = None
    submitted: int = 0

    def of(self, step: str) -> dict[str, str]:
        """Statuses of one step's tasks, by key, in item order and then in matrix order."""
        found = [task for task in self.statuses if task.partition("@")[0] == step]
        shared = {"cached": "succeeded"}  # an equal task's prediction
        return {
            task.partition("@")[2]: shared.get(self.statuses[task], self.statuses[task])
            for task in sorted(found, key=self.orders.__getitem__)
        }

    def inputs(self, step: str) -> dict[str, Any]:
        """What was sent for one step, by key; where equal tasks share a prediction, what would have been sent."""
        known = {**self.rendered, **self.sent}
        return {task.partition("@")[2]: sent for task, sent in known.items() if task.partition("@")[0] == step}

    @property
    def errors(self) -> list[str]:
        return [str(problem) for problem in self.problems if problem.severity.value == "error"]

    @property
    def warnings(self) -> list[str]:
        return [problem.code for problem in self.problems if problem.severity.value == "warning"]


class _Listener:
    def __init__(self, came: Came) -> None:
        self.came = came
        self.predictions: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case ItemFound():
                self.came.keys.append(f"{event.step}@{event.key}")
                self.came.statuses.setdefault(f"{event.step}@{event.key}", "open")
                self.came.orders[f"{event.step}@{event.key}"] = tuple(event.order)
            case TaskStarted():
                self.came.rendered[f"{event.step}@{event.key}"] = event.input
            case PredictionCreated():
                self.predictions[event.prediction_id] = f"{event.step}@{event.key}"
            case TaskSucceeded() | TaskCached() | TaskFailed() | TaskSkipped() | TaskCancelled() | TaskUnknown():
                self.ended(event)
            case _:
                pass

    def ended(self, event: Any) -> None:
        name = f"{event.step}@{event.key}"
        self.came.ends.append(name)
        self.came.statuses[name] = _STATUS[type(event)]
        self.came.reasons[name] = getattr(event, "reason", None) or getattr(event, "message", "")
        for kept in getattr(event, "files", ())[:1]:
            self.came.urls[name] = kept.url or ""

    def close(self) -> None:
        pass


def carry_out(
    folder: Path,
    spec: str,
    answers: Mapping[str, Rules] | None = None,
    *,
    only: Sequence[str] = (),
    concurrency: int | None = None,
    **params: str,
) -> Came:
    """Run a spec; `spec` is a file's name below `folder`, or the text of one without its first two lines."""
    path = folder / spec if "\n" not in spec else folder / "pipeline.yaml"
    if "\n" in spec:
        path.write_text(HEAD + spec, encoding="utf-8")
    script = answers or {}
    options = EmulatorOptions(
        workflows={name: _Scripted(rules) for name, rules in script.items()},
        fallback=lambda _workflow, inputs: {"v": inputs.get("x")},
    )
    with EmulatorThread(options) as emulator:
        environment = {
            "SPEEDPIX_APP_KEY": options.app_key,
            "SPEEDPIX_APP_SECRET": options.app_secret,
            "SPEEDPIX_ENDPOINT": emulator.url,
        }
        settings = load_settings(None, environment)
        wanted = SpecRequest(
            Path(path.name), path.parent, settings, params={name: [text] for name, text in params.items()}
        )
        came = _run(RunRequest(wanted, only=only, concurrency=concurrency), emulator)
        came.submitted = emulator.counters["predictions"]
    return came


def _run(request: RunRequest, emulator: EmulatorThread) -> Came:
    came = Came(exit_code=0)
    listener = _Listener(came)
    try:

        def subscribe(_tally: object, loaded: Any) -> list[_Listener]:
            came.problems = list(loaded.warnings)
            return [listener]

        outcome = asyncio.run(run(request, subscribe))
    except SpecError as error:
        came.exit_code, came.problems = error.exit_code, error.problems
        return came
    came.exit_code, came.summary = outcome.exit_code, outcome.summary
    for prediction in emulator.predictions():
        task = listener.predictions[prediction["id"]]
        assert task not in came.sent, f"{task} was submitted twice"
        came.sent[task] = prediction["inputs"]
    return came


class _Scripted:
    """A workflow that answers from its rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def __call__(self, inputs: Inputs) -> Any:
        given = dict(inputs)
        for rule in self.rules:
            if all(_fits(given.get(name), wanted) for name, wanted in rule.get("for", {}).items()):
                if "fail" in rule:
                    raise WorkflowError(rule["fail"])
                return _filled(rule["give"], given)
        raise WorkflowError(f"no rule for {given}")


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and isinstance(value, str):
        return fnmatch.fnmatchcase(value, wanted)
    return bool(value == wanted)


def _filled(answer: Any, given: Mapping[str, Any]) -> Any:
    match answer:
        case str():
            whole = re.fullmatch(r"\{(\w+)\}", answer)
            if whole:
                return given[whole[1]]
            return re.sub(r"\{(\w+)\}", lambda found: str(given[found[1]]), answer)
        case {"picture": name}:
            return _picture(_filled(name, given))
        case dict():
            return {name: _filled(value, given) for name, value in answer.items()}
        case list():
            return [_filled(value, given) for value in answer]
        case _:
            return answer


def _picture(name: str) -> Artifact:
    """A small picture whose bytes differ from name to name."""
    image = Image.new("RGB", (8, 8), tuple(name.encode().ljust(3, b"\x40")[:3]))
    target = io.BytesIO()
    image.save(target, "PNG")
    return Artifact(target.getvalue(), "png", 8, 8)
