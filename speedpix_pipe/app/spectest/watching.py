"""What a run of a case came to, written down from its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from speedpix_pipe.errors import Problem
from speedpix_pipe.events import (
    Event,
    FileSaved,
    ItemFound,
    PredictionRequested,
    TaskCached,
    TaskCancelled,
    TaskFailed,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    TaskUnknown,
)
from speedpix_pipe.files import ObjectUrl, names_object
from speedpix_pipe.files.storage.folder import stand_in_path
from speedpix_pipe.model import Json, KeptFile, TaskStatus
from speedpix_pipe.records import dataclass


@dataclass(slots=True)
class Call:
    """One prediction that was paid for."""

    task: str
    input: Mapping[str, Json]


@dataclass(slots=True)
class Outcome:
    """A finished run as cases see it. Also the subscriber that takes its events."""

    folder: Path  # of the spec
    objects: Path  # what stands in for stores
    exit_code: int = 0
    status: str | None = None
    outputs: Json = None
    problems: list[Problem] = field(default_factory=list)
    refusal: str | None = None  # why nothing was begun, where no problem says it
    calls: list[Call] = field(default_factory=list)
    cost: float = 0.0
    tasks: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    _inputs: dict[str, Any] = field(default_factory=dict)
    _results: dict[str, str] = field(default_factory=dict)  # url -> STEP@KEY:place

    def place_of(self, saved: str) -> Path:
        """The file behind a path or URL that was saved."""
        return stand_in_path(self.objects, ObjectUrl(saved)) if names_object(saved) else self.folder / saved

    def __call__(self, event: Event) -> None:
        match event:
            case ItemFound():
                self.tasks.setdefault(event.task, "open")
            case TaskStarted():
                self._inputs[event.task] = event.input
            case PredictionRequested():
                self.calls.append(Call(event.task, self._named(self._inputs.get(event.task) or {})))
                self.cost += event.price or 0.0
            case TaskSucceeded():
                self._ended(event.task, TaskStatus.SUCCEEDED)
                self._remember(event.task, event.files)
            case TaskCached():
                self._ended(event.task, TaskStatus.CACHED)
                self._remember(event.task, event.files)
            case TaskFailed():
                self._ended(event.task, TaskStatus.FAILED, event.message)
            case TaskSkipped():
                self._ended(event.task, TaskStatus.SKIPPED, event.reason)
            case TaskCancelled():
                self._ended(event.task, TaskStatus.CANCELLED)
            case TaskUnknown():
                self._ended(event.task, TaskStatus.UNKNOWN, event.message)
            case FileSaved():
                self.files.append(event.path)
            case _:
                pass

    def close(self) -> None:
        """Nothing is held open."""

    def _ended(self, task: str, status: TaskStatus, reason: str = "") -> None:
        self.tasks[task] = status.value
        self.reasons[task] = reason

    def _remember(self, task: str, files: tuple[KeptFile, ...]) -> None:
        for kept in files:
            if kept.url is not None:
                self._results.setdefault(kept.url, f"{task}:{kept.place}")

    def _named(self, value: Any) -> Any:
        """Result URLs are new in each run; a case calls them by the task that made them."""
        match value:
            case str():
                return self._results.get(value, value)
            case dict():
                return {name: self._named(inner) for name, inner in value.items()}
            case list():
                return [self._named(inner) for inner in value]
            case _:
                return value
