"""A run as lines, for logs and pipes: plain text that stays short for thousands of tasks, or JSON lines.

Plain lines tell the start, then where each step stands (when it begins, when it ends, and every five seconds in
between), failures one by one up to a cap, and warnings. The closing summary is `closing`'s. Time is read off the
events, so the same events always give the same lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from speedpix_pipe.console.base import Ink, duration, printable
from speedpix_pipe.events import (
    Event,
    FileSaved,
    ItemFound,
    PredictionCreated,
    PredictionFinished,
    PredictionRequested,
    RunFinished,
    RunResumed,
    RunStarted,
    TaskCached,
    TaskFailed,
    TaskProgressed,
    TaskRetrying,
    TaskStarted,
    TaskSucceeded,
    TaskUnknown,
    Warned,
)
from speedpix_pipe.model import Json, TaskStatus
from speedpix_pipe.summary import StepTally, Tally

MOST_FAILURES = 20
MOST_RETRIES = 5
EVERY_SECONDS = 5.0
# What happens to a task between its beginning and its end moves no step; most events of a run are these.
_ON_THE_WAY = frozenset({TaskProgressed, FileSaved, PredictionRequested, PredictionCreated, PredictionFinished})
# Counted by the tally, and told of by milestones alone.
_COUNTED = _ON_THE_WAY | {ItemFound, TaskStarted, TaskCached, TaskSucceeded}

_SIGNED = re.compile(r"https?://[^?]*\?", re.IGNORECASE)
Write = Callable[[str], None]


class PlainLines:
    """A subscriber that writes lines. `tally` must see each event first: the app subscribes it before this."""

    def __init__(
        self, tally: Tally, write: Write, *, every_seconds: float = EVERY_SECONDS, language: str = "en"
    ) -> None:
        self._ink = Ink(color=False, language=language)
        self._tally = tally
        self._write = write
        self._every = every_seconds
        self._failures = 0
        self._retries = 0
        self._told: dict[str, str] = {}  # step -> begun, done, trickling
        self._last: datetime | None = None
        self._warned: set[tuple[str, str]] = set()

    def __call__(self, event: Event) -> None:
        if event.__class__ not in _COUNTED:
            self._tell(event)
        if not isinstance(event, RunFinished):
            self._milestones(event)

    def _tell(self, event: Event) -> None:
        match event:
            case RunStarted():
                steps = ", ".join(event.steps)
                name = printable(event.pipeline)
                self._say(event, "line_run", run=event.run_id, name=name, service=event.service, steps=steps)
            case RunResumed():
                self._told.clear()
                self._say(
                    event,
                    "line_resumed",
                    run=event.run_id,
                    why=f": {self._ink.said(event.reason)}" if event.reason else "",
                )
            case TaskFailed() | TaskUnknown():
                self._failed(event)
            case TaskRetrying():
                self._retrying(event)
            case Warned():
                if (event.code, event.message) not in self._warned and len(self._warned) < MOST_FAILURES:
                    self._warned.add((event.code, event.message))
                    self._line(event, f"{self._ink.say('is_warning')} {self._ink.said(event.message)}")
            case RunFinished():
                status = self._ink.say(f"status_{event.status.value}")
                self._say(event, "line_ended", run=event.run_id, status=status, time=duration(event.seconds))
            case _:
                pass

    def close(self) -> None:
        """Nothing is held back."""

    def _failed(self, event: TaskFailed | TaskUnknown) -> None:
        self._failures += 1
        if self._failures > MOST_FAILURES:
            return
        if isinstance(event, TaskUnknown):
            self._say(event, "line_unknown", task=event.task, message=self._ink.said(event.message))
        else:
            word = "line_ignored" if event.ignored else "line_failed"
            attempts = self._ink.count("attempt", event.attempts)
            again = self._ink.say("after_attempts", attempts=attempts) if event.attempts > 1 else ""
            message, kind = self._ink.said(event.message), self._ink.kind(event.kind)
            self._say(event, word, task=event.task, message=message, kind=kind, again=again)
        if self._failures == MOST_FAILURES:
            self._say(event, "line_counted_only", run=event.run_id)

    def _retrying(self, event: TaskRetrying) -> None:
        self._retries += 1
        if self._retries <= MOST_RETRIES:
            wait = duration(event.delay_seconds)
            message, kind = self._ink.said(event.message), self._ink.kind(event.kind)
            self._say(event, "line_retry", task=event.task, time=wait, kind=kind, message=message)

    def _milestones(self, event: Event) -> None:
        name = getattr(event, "step", None)
        step = self._tally.steps.get(name) if name else None
        if step is not None and event.__class__ not in _ON_THE_WAY:
            self._step_milestone(event, step)
        if event.at is None:
            return
        if self._last is None:
            self._last = event.at
        elif (event.at - self._last).total_seconds() >= self._every:
            for busy in list(self._tally.steps.values()):
                if busy.running or (busy.left and self._told.get(busy.name)):
                    self._say(event, "line_standing", step=busy.name, standing=self._standing(busy))
            self._last = event.at

    def _step_milestone(self, event: Event, step: StepTally) -> None:
        told = self._told.get(step.name)
        if told is None and (step.running or step.done):
            self._told[step.name] = "begun"
            if step.total > 1:
                self._say(event, "line_first", step=step.name, tasks=self._ink.count("task", step.total))
        elif told == "begun" and step.at_rest:
            self._told[step.name] = "done"
            self._say(event, "line_standing", step=step.name, standing=self._standing(step))
        elif told == "done" and step.left:
            # Items that trickle in from the step before would end this step again and again: told once is enough,
            # the five-second lines and the closing summary tell the rest.
            self._told[step.name] = "trickling"

    def _standing(self, step: StepTally) -> str:
        words = [self._ink.say(status.value, count=step.counts[status]) for status in TaskStatus if step.counts[status]]
        if step.running:
            words.append(self._ink.say("running", count=step.running))
        done = self._ink.say("standing", done=step.done, total=step.total)
        return done + (f" ({', '.join(words)})" if words else "")

    def _say(self, event: Event, name: str, /, **gaps: object) -> None:
        self._line(event, self._ink.say(name, **gaps))

    def _line(self, event: Event, text: str) -> None:
        clock = event.at.astimezone().strftime("%H:%M:%S ") if event.at else ""
        self._write(clock + printable(text))


class JsonLines:
    """A subscriber that writes one JSON object per event, progress of single tasks left out."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def __call__(self, event: Event) -> None:
        if not isinstance(event, TaskProgressed):
            self._write(json.dumps(event_to_json(event), ensure_ascii=False))

    def close(self) -> None:
        """Nothing is held back."""


def event_to_json(event: Event) -> dict[str, Json]:
    """The event as JSON has it: its name as `event`, then its fields. Addresses lose their query, which signs them."""
    return {"event": type(event).__name__} | {f.name: _plain(getattr(event, f.name)) for f in fields(event)}


def _plain(value: Json) -> Json:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {str(name): _plain(element) for name, element in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, str):  # a name that is no Unicode must not break the line
        text = value.encode("utf-8", "backslashreplace").decode()
        return f"{text.partition('?')[0]}?…" if _SIGNED.match(text) else text
    return value
