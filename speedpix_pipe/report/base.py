"""What the gallery reads: a run and its tasks as the journal has them, frozen and without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path

from speedpix_pipe.model import Json, KeptFile, TaskStatus
from speedpix_pipe.records import dataclass


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a task was given. `path` is shown, `absolute` is where its bytes are now, if anywhere.

    `picture` is where those of an object are while thumbnails are made.
    """

    field: str
    path: str
    sha256: str
    absolute: Path | None = None
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that a task made, and where it was saved, if the step saves it."""

    kept: KeptFile
    saved: Path | None = None
    url: str = ""  # saved as an object


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task of the run. `status` is None while it has no final state."""

    step: str
    key: str
    status: TaskStatus | None
    order: tuple[int, ...] = ()
    label: str = ""  # how people call the item; the key's own part where empty
    matrix: Mapping[str, Json] = field(default_factory=dict)
    input: Json = None
    input_files: tuple[InputFile, ...] = ()
    files: tuple[ResultFile, ...] = ()
    output: Json = None
    attempts: int = 1
    seconds: float | None = None
    service_seconds: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error_kind: str = ""
    error_message: str = ""
    ignored: bool = False
    skip_reason: str = ""
    cause: str = ""  # step@key of the task that is to blame for a skip
    price: float | None = None
    prediction_id: str = ""
    source: str = ""  # of a cached result: `cache`, `twin` or `resumed`

    @property
    def task(self) -> str:
        return f"{self.step}@{self.key}"


@dataclass(frozen=True, slots=True)
class RunView:
    """The run as a whole. `folder` is the spec's; relative paths of inputs count from it."""

    run_id: str
    pipeline: str
    status: str
    folder: Path
    spec_path: str = ""
    steps: tuple[str, ...] = ()
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by step; of an old spec it may not be known
    resumable: bool = False
    local: bool = False
    redo: bool = False  # of some tasks of another run
    reason: str = ""
    started_at: datetime | None = None
    seconds: float = 0.0
    service: str = ""
    params: Json = None
    outputs: Json = None
    commit: str | None = None
    dirty: bool = False
    version: str = ""
    submitted: int = 0
    spent: float | None = None  # None: no price is known
    saved: float | None = None
