"""The frozen nouns of the SDK, as they are known after the wire has been read. No I/O, no client."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

JSON = Any


class Status(StrEnum):
    """Where a task stands. `UNKNOWN` is a word of the service that we do not know: polling goes on."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the workflow is doing right now."""

    node_label: str | None = None
    step: int | None = None
    max_steps: int | None = None


@dataclass(frozen=True, slots=True)
class PredictionState:
    """One task on the service, as of the last answer about it."""

    id: str
    status: Status
    raw_status: str | None = None
    workflow_id: str | None = None
    input: JSON = None
    output: JSON = None
    error: str | None = None
    error_code: str | None = None
    sub_error_code: str | None = None
    progress: float | None = None
    eta_relative: float | None = None
    queue_remaining: int | None = None
    message: str | None = None
    state: NodeState | None = None
    estimated_duration: float | None = None
    task_duration: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    invoke_id: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class UploadTicket:
    """Permission to PUT one object, and the URL under which workflows will read it."""

    upload_url: str
    access_url: str
    object_key: str | None = None
    path: str | None = None
    expires_at: datetime | None = None
    expire_time: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file. `str(file)` is its URL, and it may be used as an input as it is."""

    access_url: str
    name: str
    content_type: str
    size: int
    sha256: str
    object_key: str | None = None
    path: str | None = None
    upload_url: str = field(default="", repr=False)
    expires_at: datetime | None = None
    expire_time: str | None = None

    @property
    def id(self) -> str:
        """The storage key: no other id comes over the wire."""
        return self.object_key or self.access_url

    @property
    def url(self) -> str:
        return self.access_url

    def __str__(self) -> str:
        return self.access_url
