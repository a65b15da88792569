"""One task's events as lines for people, and what is known of it: what the live page shows when it is opened.

Names of events and of their fields leave as they are; the page has the words for them, in its language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from speedpix_pipe.events import Event, ItemFound, PredictionCreated, TaskCached, TaskStarted
from speedpix_pipe.model import Json
from speedpix_pipe.ui.follow import files_of
from speedpix_pipe.words.messages import translated

LONGEST = 4000
_NOT_TOLD = frozenset({"run_id", "seq", "at", "step", "key", "files", "input_files", "output", "input", "order"})


def tell(events: Sequence[Event], language: str = "en") -> dict[str, Json]:
    """The log, the input as it was sent, and the files that came of it."""
    last_input: Json = None
    files: list[dict[str, Json]] = []
    matrix: Json = None
    for event in events:
        match event:
            case ItemFound():
                matrix = event.matrix
            case TaskStarted():
                last_input = event.input
            case TaskCached():
                last_input, files = event.input or last_input, files_of(event) or files
            case _:
                files = files_of(event) or files
    log: list[Json] = [_line(event, language) for event in events]
    paid = any(_is_of_service(event) for event in events)
    return {"log": log, "input": _short(last_input), "files": files, "matrix": matrix, "paid": paid}


def _is_of_service(event: Event) -> bool:
    return isinstance(event, PredictionCreated) or (isinstance(event, TaskCached) and event.prediction_id is not None)


def _line(event: Event, language: str) -> dict[str, Json]:
    """What happened, when, and the fields that say something."""
    facts: list[Json] = []
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name not in _NOT_TOLD and value not in (None, "", False, (), field.default):
            facts.append([field.name, translated(_text(value), language)])
    at = event.at.timestamp() if event.at else None
    return {"at": at, "what": type(event).__name__, "facts": facts}


def _text(value: Json) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)[:LONGEST]


def _short(value: Json) -> Json:
    """Addresses lose their query, which signs them; long texts their end."""
    if isinstance(value, str):
        value = value.partition("?")[0] + "?…" if value.startswith(("http://", "https://")) and "?" in value else value
        return value if len(value) <= LONGEST else value[:LONGEST] + "…"
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return [_short(inner) for inner in value[:200]] if isinstance(value, list) else value
