"""Runs, steps and keys that the journal knows, read for completion: no lock, no folder made, no complaint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speedpix_pipe.errors import PipeError
from speedpix_pipe.settings import load_settings
from speedpix_pipe.store import RunRow, Store


@contextmanager
def _past(spec: Path | None) -> Iterator[tuple[Store, list[RunRow]] | None]:
    """The state folder, and the runs in it (of a spec), the newest first."""
    settings = load_settings()
    folder = settings.state_folder(spec.absolute().parent) if spec else settings.nearest_state_folder(Path.cwd())
    if folder is None or not folder.is_dir():
        yield None
        return
    with Store.open(folder, write=False) as store:
        path = str(spec.resolve()) if spec else None
        yield store, store.journal.runs(spec_path=path, limit=200)


def keys(spec: Path | None, step: str, key: str, most: int) -> list[str]:
    """Keys of a step in the newest run that had it."""
    try:
        with _past(spec) as past:
            if past is None or not past[1]:
                return []
            store, rows = past
            names = store.journal.task_names(rows[0].id, f"{step}@{key}", most)
            return [name.partition("@")[2] for name in names]
    except PipeError:
        return []


def steps() -> list[str]:
    try:
        with _past(None) as past:
            return list(past[0].journal.started(past[1][0].id).steps) if past and past[1] else []
    except PipeError:
        return []


def runs(most: int) -> list[tuple[str, str]]:
    """Each with its pipeline and what became of it."""
    try:
        with _past(None) as past:
            return [(row.id, f"{row.pipeline}, {row.status}") for row in past[1][:most]] if past else []
    except PipeError:
        return []
