"""`NAME.error.json`: why a file stands in the failed folder, for whoever finds it there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from speedpix_pipe.triggers.naming import fitting
from speedpix_pipe.triggers.scan import NOTE_SUFFIX
from speedpix_pipe.words import words_for
from speedpix_pipe.words.messages import translated

_KEYS = {"message", "file", "reason", "step", "run_id", "time"}


def note_of(file: Path) -> Path:
    """The note beside a file. A name that leaves no room for the ending is cut and gets a digest."""
    return file.with_name(fitting(file.name, NOTE_SUFFIX))


def write_note(
    file: Path, *, message: str, reason: str, step: str | None, run_id: str | None, arrived: str, at: datetime
) -> Path:
    """Write the note, whole or not at all. `message` is for people, the rest for whoever looks further."""
    note = note_of(file)
    content: dict[str, str | None] = {
        "message": message,
        "file": os.fsencode(arrived).decode("utf-8", "backslashreplace"),
        "reason": reason,
        "step": step,
        "run_id": run_id,
        "time": at.isoformat(timespec="seconds"),
    }
    part = part_of(note)
    with part.open("wb") as out:
        out.write(json.dumps(content, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(note)
    return note


def in_words(reason: str, step: str | None, name: str, language: str = "en") -> str:
    """The reason as sentences for somebody who only knows the folder."""
    words = words_for("terminal", language)
    shown = os.fsencode(name).decode("utf-8", "replace")
    told = reason.rstrip(". ")
    whole = f"{shown} {told}" if told.startswith(("is ", "may ", "has ")) and language == "en" else f"{shown}: {told}"
    if step is not None:
        return words["note_step"].format(file=shown, step=step, why=translated(told, language))
    return words["note_refused"].format(said=translated(whole, language))


def part_of(note: Path) -> Path:
    """Its name while it is being written."""
    return note.with_name(f".{hashlib.sha256(os.fsencode(note.name)).hexdigest()[:16]}.part")


def remove_notes(files: Iterable[Path], *, unless: Callable[[Path], bool] = lambda _: False) -> None:
    for file in files:
        with contextlib.suppress(OSError):
            note = note_of(file)
            if not unless(note):
                note.unlink()


def is_foreign(note: Path) -> bool:
    """Whether somebody else has written it. OSError where there is none."""
    try:
        content = json.loads(note.read_bytes())
    except ValueError:
        return True
    return not (isinstance(content, dict) and content.keys() >= _KEYS)
