"""The nouns of the house: what a spec says, once it is known to be well formed.

Frozen data without I/O. `spec` makes these, `plan` and `engine` read them. Values that hold expressions
are `Template` trees; `spec.expressions` renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from speedpix_pipe.records import dataclass

Json = Any  # JSON as Python has it: None, bool, int, float, str, list, dict


# --- places and templates ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Reference:
    """`steps.X.name` inside an expression. `many` is true for `outputs files tasks`, false for one agreeing task.

    `path` is what follows, each with the characters before it: names, and None for a position or what is computed.
    `tolerated`: it is only asked whether that is there, or it gets a default.
    """

    step: str
    name: str
    many: bool
    mark: Mark
    width: int = 1
    path: tuple[tuple[str | None, int], ...] = field(default=(), compare=False)
    tolerated: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A name that an expression uses, with the plain names behind it: `matrix.look` is `("matrix", "look")`."""

    names: tuple[str, ...]
    mark: Mark
    width: int


@dataclass(frozen=True, slots=True)
class Expression:
    """One `${{ }}`. `source` is the text between the delimiters, `normal` the same without free white space."""

    source: str
    normal: str
    mark: Mark  # of the first character of the source text
    references: tuple[Reference, ...] = ()
    names: frozenset[str] = frozenset()  # top-level names it uses: params env item index matrix run git ext n ...
    of_fan_out: tuple[NamedPlace, ...] = field(default=(), compare=False)  # every use of item, index and matrix


@dataclass(frozen=True, slots=True)
class Text:
    """A text with expressions inside: joined from its pieces."""

    parts: tuple[str | Expression, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Literal:
    """A value without any expression."""

    value: Json
    mark: Mark


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Template, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    value: Template
    mark: Mark  # of the key


@dataclass(frozen=True, slots=True)
class MapOf:
    entries: tuple[Entry, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class FileText:
    """A text written in the spec that names a file, relative to the spec's folder (`~/` to the home folder).

    A text that begins with an expression may turn out to be an http(s) or data URL; it is then sent as it is.
    """

    value: Literal | Text
    mark: Mark


Template = Expression | Text | Literal | ListOf | MapOf | FileText


# --- what a spec declares ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    type: str  # string integer number boolean array object file files
    schema: Mapping[str, Json]  # the JSON Schema keywords that stood beside the type
    mark: Mark
    required: bool = True
    default: Json = None
    allow_empty: bool = False
    description: str | None = None
    default_mark: Mark | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """One input or output field of a workflow's contract. `type` may be `file` or `files`, else JSON Schema's."""

    name: str
    type: str | None
    schema: Mapping[str, Json]
    mark: Mark
    required: bool = False


@dataclass(frozen=True, slots=True)
class Workflow:
    """What was published. A step that names no entry of `workflows` gets one made from its own fields."""

    name: str  # as steps name it; equals `id` where there is no entry
    id: str
    mark: Mark
    alias: str | None = None
    version: str | None = None
    input: Mapping[str, Field] | None = None  # None: no contract
    output: Mapping[str, Field] | None = None
    price: float | None = None
    description: str | None = None

    @property
    def release(self) -> str:
        """`alias:NAME` or `version:NAME`, as the fingerprint has it."""
        return f"version:{self.version}" if self.version else f"alias:{self.alias or 'main'}"


class OnError(StrEnum):
    CONTINUE = "continue"
    IGNORE = "ignore"
    STOP = "stop"


class OnUnknownSubmit(StrEnum):
    HOLD = "hold"
    RESUBMIT = "resubmit"


@dataclass(frozen=True, slots=True)
class Retry:
    """How one call is tried again. Times in seconds."""

    attempts: int = 5
    backoff_seconds: float = 1.0
    max_backoff_seconds: float = 60.0
    failed_task: int = 0


@dataclass(frozen=True, slots=True)
class CachePolicy:
    enabled: bool = True
    max_age_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """One entry of a step's `matrix`. `normal` is its list as written, without free white space."""

    name: str
    values: Template
    normal: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class SaveRule:
    """Where files go. `path` is None for every file of the output, else the place inside the output."""

    path: str | None
    target: Template
    mark: Mark


@dataclass(frozen=True, slots=True)
class ImageOperation:
    """One operation of an `image:` step, such as `contact-sheet`, with its options (templates)."""

    name: str
    options: MapOf
    mark: Mark


class StepKind(StrEnum):
    WORKFLOW = "workflow"
    PIPELINE = "pipeline"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the pipeline as written, defaults merged in."""

    name: str
    kind: StepKind
    mark: Mark
    workflow: Workflow | None = None
    pipeline: Pipeline | None = None
    operations: tuple[ImageOperation, ...] = ()
    description: str | None = None
    needs: Mapping[str, Mark] = field(default_factory=dict)  # where each stands
    for_each: Template | None = None
    chained_from: str | None = None  # the X of `for_each: ${{ steps.X }}`
    for_each_normal: str = ""  # the text that decides whether two steps share a fan-out
    matrix: tuple[Axis, ...] = ()
    key: Template | None = None
    when: Expression | None = None
    input: MapOf | None = None
    save: tuple[SaveRule, ...] = ()
    expect: Mapping[str, Template] = field(default_factory=dict)
    on_error: OnError = OnError.CONTINUE
    on_unknown_submit: OnUnknownSubmit = OnUnknownSubmit.HOLD
    cache: CachePolicy = CachePolicy()
    timeout_seconds: float = 1800.0
    retry: Retry = Retry()
    resource_config: tuple[str, ...] = ()
    randomise_seeds: bool | None = None
    return_temp_files: bool | None = None

    @property
    def price(self) -> float | None:
        return self.workflow.price if self.workflow else None


@dataclass(frozen=True, slots=True)
class Limits:
    concurrency: int = 16
    submitting: int = 32
    rate_per_second: float | None = None
    max_failures: int | None = None
    max_predictions: int | None = None
    max_cost: float | None = None
    per_day: int | None = None  # predictions a day, for `watch`


@dataclass(frozen=True, slots=True)
class Batch:
    max_files: int = 50
    max_wait_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Watch:
    """One watched folder. Paths are as written, relative to the spec's folder."""

    folder: str
    param: str
    mark: Mark
    patterns: tuple[str, ...] = ("*",)
    ignore: tuple[str, ...] = ()
    settle_seconds: float = 2.0
    batch: Batch = Batch()
    on_success: str | None = None  # folder to move to
    on_failure: str | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    name: str
    path: Path  # the spec's real path
    folder: Path  # what its relative paths are relative to
    shown: str  # the path as problems show it
    digest: str  # of the text, with the sub-pipelines' texts
    mark: Mark
    steps: Mapping[str, Step]  # in the order of the file
    params: Mapping[str, Param] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    limits: Limits = Limits()
    outputs: MapOf | None = None
    watch: tuple[Watch, ...] = ()
    description: str | None = None
    text: str = field(default="", repr=False)  # the source, for showing lines of it
    unused_params: frozenset[str] = frozenset()  # named by no expression: their defaults are not evaluated
    given_patterns: tuple[tuple[str, Path], ...] = ()  # of params, beside those in the file, and their folders


# --- what a run makes ----------------------------------------------------------------------------


class TaskStatus(StrEnum):
    """Final states of a task; the names are those of `run --json`."""

    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class RunStatus(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of a finished result, kept in the blob store.

    `place` says where it stands in the output (`images.url`, `images.0.url`); `url` is the service's, if any.
    """

    place: str
    sha256: str
    size: int
    media_type: str
    extension: str  # without dot, from the content
    name: str = ""
    url: str | None = None
    url_expires_at: datetime | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came back for one fingerprint: the output as JSON, and its files."""

    output: Json
    files: tuple[KeptFile, ...] = ()
    prediction_id: str | None = None
    received_at: datetime | None = None


class SubmissionState(StrEnum):
    """States of a ledger row."""

    REQUESTED = "requested"
    CREATED = "created"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    GONE = "gone"
    ABANDONED = "abandoned"


OPEN_STATES = frozenset({SubmissionState.REQUESTED, SubmissionState.CREATED, SubmissionState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Submission:
    """One row of the ledger: one paid (or perhaps paid) submission."""

    id: int
    account: str
    fingerprint: str
    state: SubmissionState
    run_id: str
    step: str
    key: str
    requested_at: datetime
    prediction_id: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    price: float | None = None
    message: str | None = None
