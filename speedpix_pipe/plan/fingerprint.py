"""Fingerprints: a digest of all that determines a task's result, and of nothing else.

Not in it: the step's name, its key, where files are saved, timeouts, prices, the text of the spec. Files and
result URLs count by content, so a moved file, a renamed step or a fresh URL for the same picture change nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from speedpix_pipe.files import FileValue, canonical_json
from speedpix_pipe.model import Json, Step, Workflow

FORMAT = 1
# No key of a spec or an answer holds a NUL: nobody can write what looks like a file's content.
_FILE = "\x00file"

KnownUrl = Callable[[str], str | None]  # the digest of a result of this run by its URL


def by_content(value: Any, known_url: KnownUrl) -> Json:
    """A rendered value with every file, and every URL of a known result, replaced by its digest."""
    match value:
        case FileValue():
            return {_FILE: value.sha256}
        case str():
            digest = known_url(value) if value.startswith(("http://", "https://")) else None
            return value if digest is None else {_FILE: digest}
        case Mapping():
            return {key: by_content(inner, known_url) for key, inner in value.items()}
        case list() | tuple():
            return [by_content(inner, known_url) for inner in value]
        case _:
            return value


def workflow_fingerprint(
    step: Step,
    workflow: Workflow,
    rendered: Mapping[str, Any],
    *,
    service: str,
    known_url: KnownUrl,
    salt: Sequence[str],
) -> str:
    """Of one prediction. `salt` is `step@key` for steps that randomise, run id and `step@key` for uncached ones."""
    return _digest(
        [
            FORMAT,
            service,
            workflow.id,
            workflow.release,
            bool(step.randomise_seeds),
            bool(step.return_temp_files),
            by_content(rendered, known_url),
            list(salt),
        ]
    )


def image_fingerprint(
    operations: Json, rendered: Mapping[str, Any], *, version: str, known_url: KnownUrl, salt: Sequence[str]
) -> str:
    """Of work on this machine: operations, contents, and the version of our image code."""
    return _digest(
        [FORMAT, "image", version, by_content(operations, known_url), by_content(rendered, known_url), list(salt)]
    )


def salt_of(step: Step, task: str, run_id: str, *, cached: bool) -> tuple[str, ...]:
    """What keeps a task's result from being shared with equal tasks."""
    salt: tuple[str, ...] = ()
    if step.randomise_seeds:
        salt += (task,)
    if not cached:
        salt += (run_id, task)
    return salt


def _digest(parts: Sequence[Json]) -> str:
    return hashlib.sha256(canonical_json(parts)).hexdigest()
