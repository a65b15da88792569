"""How events and kept files lie in the journal: as JSON texts without the fields that have their default.

Written for speed, since every event of a run passes here on the engine's own thread: one table of fields for each
kind of event, made once, and no copying of what is inside. Reading gives back equal events.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, get_args

from speedpix_pipe.events import Event, TaskProgressed
from speedpix_pipe.model import Json, KeptFile, RunStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = frozenset({"run_id", "seq", "at", "step", "key"})  # of every event or every task event: not in the body


def _encoder() -> Callable[[Any], str]:
    """JSON without blanks. Escaping everything beyond ASCII lets a file name that is not valid UTF-8 (a lone surrogate
    in Python) survive the trip through SQLite, which takes nothing else.
    """
    make: Any = getattr(json.encoder, "c_make_encoder", None)  # JSONEncoder makes one for each value
    if make is None:
        return json.JSONEncoder(separators=(",", ":"), default=str).encode
    pieces = make(None, str, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True)
    return lambda value: "".join(pieces(value, 0))


encode_json = _encoder()


def decode_json(text: str | None) -> Json:
    return None if text is None else json.loads(text)


def to_stamp(moment: datetime) -> int:
    """Microseconds since 1970: exact, sortable, small."""
    return (moment - _EPOCH) // _MICROSECOND


def from_stamp(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)


def optional_stamp(moment: datetime | None) -> int | None:
    return None if moment is None else to_stamp(moment)


def optional_moment(stamp: int | None) -> datetime | None:
    return None if stamp is None else from_stamp(stamp)


def text_in(text: str) -> str | bytes:
    """Text for a column. A name that is not valid UTF-8 goes in as the bytes it had on disk."""
    return text if text.isascii() or _is_clean(text) else os.fsencode(text)


def text_out(value: str | bytes) -> str:
    return value if isinstance(value, str) else os.fsdecode(value)


def _is_clean(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- kept files ----------------------------------------------------------------------------------


@cache
def _kept() -> list[tuple[str, Any]]:
    return [(field.name, field.default) for field in dataclasses.fields(KeptFile)]


def pack_files(files: tuple[KeptFile, ...]) -> list[dict[str, Any]]:
    packed = []
    for file in files:
        row = {name: value for name, default in _kept() if (value := getattr(file, name)) is not default}
        if file.url_expires_at is not None:
            row["url_expires_at"] = to_stamp(file.url_expires_at)
        packed.append(row)
    return packed


def unpack_files(rows: list[dict[str, Any]]) -> tuple[KeptFile, ...]:
    files = []
    for row in rows:
        if "url_expires_at" in row:
            row["url_expires_at"] = from_stamp(row["url_expires_at"])
        files.append(KeptFile(**row))
    return tuple(files)


# --- events --------------------------------------------------------------------------------------

_PACK: dict[str, Callable[[Any], Any]] = {"files": pack_files}
_UNPACK: dict[str, Callable[[Any], Any]] = {
    "files": unpack_files,
    "steps": tuple,
    "order": tuple,
    "input_files": lambda rows: tuple(tuple(row) for row in rows),
    "status": RunStatus,
}
_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event) if kind is not TaskProgressed}


@cache
def _unpackers(kind: str) -> dict[str, Callable[[Any], Any]]:
    unpack = {field.name: _UNPACK[field.name] for field in dataclasses.fields(_KINDS[kind]) if field.name in _UNPACK}
    if kind == "PredictionFinished":
        unpack.pop("status")  # the service's word, a plain text
    return unpack


@cache
def _fields(kind: Any) -> list[tuple[str, Any, Callable[[Any], Any] | None]]:
    return [
        (field.name, field.default, _PACK.get(field.name))
        for field in dataclasses.fields(kind)
        if field.name not in _COLUMNS
    ]


def encode_event(event: Event) -> tuple[int, str, str | bytes | None, str]:
    """The columns `at`, `kind`, `task` and `body` of one event."""
    kind: Any = type(event)
    body = {}
    for name, default, pack in _fields(kind):
        value = getattr(event, name)
        if value is not default:
            body[name] = value if pack is None else pack(value)
    step = getattr(event, "step", None)
    task = None if step is None else text_in(f"{step}@{event.key}")  # type: ignore[union-attr]  # task events have both
    at = to_stamp(event.at) if event.at is not None else 0
    return at, kind.__name__, task, encode_json(body) if body else ""


def decode_body(kind: str, body: str) -> dict[str, Any]:
    """The fields of an event as they were, without run, number, time and task."""
    fields: dict[str, Any] = json.loads(body) if body else {}
    for name, unpack in _unpackers(kind).items():
        if name in fields:
            fields[name] = unpack(fields[name])
    return fields


def decode_event(run_id: str, seq: int, at: int, kind: str, task: str | bytes | None, body: str) -> Event:
    fields = decode_body(kind, body)
    if task is not None:
        fields["step"], _, fields["key"] = text_out(task).partition("@")
    return _KINDS[kind](run_id=run_id, seq=seq, at=from_stamp(at) if at else None, **fields)
