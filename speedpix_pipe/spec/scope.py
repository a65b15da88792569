"""What an expression sees: params, item, the tasks of other steps. Whoever evaluates fills a Scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol

from speedpix_pipe.files import FileAccess, FileValue
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass


class Nothing(Enum):
    ABSENT = "absent"
    MISSING = "missing"

    def __repr__(self) -> str:
        return self.name


ABSENT: Final = Nothing.ABSENT  # the output of a task that was skipped, or failed and is ignored
MISSING: Final = Nothing.MISSING  # a name that does not exist here, such as `item` without `for_each`

_EMPTY: Mapping[str, Any] = {}


@dataclass(slots=True)
class TaskView:
    """What expressions see of one task of another step."""

    key: str
    item: Any = MISSING
    index: Any = MISSING
    matrix: Mapping[str, Any] = field(default_factory=dict)
    output: Any = ABSENT
    files: tuple[FileValue, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """As an element of `steps.X.tasks`."""
        return {
            "key": self.key,
            "item": None if self.item is MISSING else self.item,
            "index": None if self.index is MISSING else self.index,
            "matrix": dict(self.matrix),
            "output": self.output,
            "files": list(self.files),
        }


class StepsView(Protocol):
    """The tasks of other steps that agree with the task whose expression is evaluated."""

    def one(self, step: str) -> TaskView | None:
        """The one agreeing task; None while it cannot be known, as in a plan."""
        ...

    def many(self, step: str) -> Sequence[TaskView]:
        """The agreeing tasks that have an output, in order."""
        ...


@dataclass(slots=True)
class Scope:
    """The names of one evaluation. `steps` is None where no step's tasks are known."""

    folder: Path
    params: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    env: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    run: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    git: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    item: Any = MISSING
    index: Any = MISSING
    matrix: Any = MISSING
    steps: StepsView | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)  # `ext` and `n` in `save`
    files: FileAccess | None = None  # None: the disk, seen from `folder`
