"""The nouns of a walk: tasks, expansions to come, and the commands that a walk gives."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, IntEnum
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.model import TaskStatus
from speedpix_pipe.plan.graph import Grows, Node
from speedpix_pipe.records import dataclass

Place = tuple[Any, ...]  # one coordinate per fan-out; None where a list could not be had


class Effect(Enum):
    """What a final task means to those that refer to it."""

    OK = "ok"
    ABSENT = "absent"  # no output, and that is fine: left out of gathers
    BLAME = "blame"  # whoever refers to it is skipped
    CANCELLED = "cancelled"


class Phase(IntEnum):
    ORIGIN = 0
    WHEN = 1
    DECIDING = 2
    INPUT = 3
    READY = 4
    DONE = 5


@dataclass(slots=True, eq=False)
class Task:
    """One step for one item."""

    node: Node
    place: Place
    order: tuple[int, ...]
    key: str
    stem: str  # the key without axes, uncut
    axes: tuple[tuple[str, str], ...]  # axes since the stem, as text
    item: Any
    index: int | None
    matrix: dict[str, Any]
    source: Task | None
    phase: Phase = Phase.ORIGIN
    link: int = 0  # which link of the phase is being waited for
    demanded: bool = True
    status: TaskStatus | None = None
    effect: Effect | None = None
    reason: str = ""
    cause: Task | None = None
    output: Any = None
    files: Sequence[Any] = ()
    waiters: list[Task | Unit] | None = None
    has_item: bool = True
    stand_in: bool = False  # for a list that could not be had
    fault: Hole | None = None  # why it cannot run, whatever it refers to

    @property
    def name(self) -> str:
        return f"{self.node.name}@{self.key}"

    @property
    def depth(self) -> int:
        return self.node.depth


@dataclass(frozen=True, slots=True)
class Hole:
    """Why a list could not be had, or a task cannot run. The task, or the list's one stand-in, ends so."""

    status: TaskStatus
    reason: str
    cause: Task | None = None
    by_failure: bool = False
    error: ExpressionError | None = None  # what to say of it if it is known before the run


@dataclass(slots=True, eq=False)
class Unit:
    """An expansion to come: the list of a source task, or the axes of one element."""

    node: Node
    source: Task | None
    place: Place  # what is known of it
    element: Element | None = None  # set where only the axes are still to be found
    link: int = 0
    hole: Hole | None = None

    @property
    def for_axes(self) -> bool:
        """Whether the elements are known and only the axes are asked for."""
        return self.element is not None or self.node.grows in {Grows.CHAIN, Grows.SINGLE}


@dataclass(slots=True)
class Element:
    """One element of a list, as evaluated. `axes` holds a list of values per axis, None if they come later."""

    item: Any = None
    part: str | None = None  # its part of the key; None inherits
    axes: tuple[Sequence[Any], ...] | None = ()
    position: int | None = None  # in the list; None for what stands for a whole list
    hole: Hole | None = None


# --- commands ---


@dataclass(frozen=True, slots=True)
class Born:
    task: Task


@dataclass(frozen=True, slots=True)
class Expand:
    """Evaluate the unit's list (and axes), answer with `Walk.expanded`."""

    unit: Unit


@dataclass(frozen=True, slots=True)
class Decide:
    """Evaluate the task's `when`, answer with `Walk.decided` or `Walk.ended`."""

    task: Task


@dataclass(frozen=True, slots=True)
class Run:
    """Everything the task refers to is there. Answer with `Walk.ended`."""

    task: Task


@dataclass(frozen=True, slots=True)
class Ended:
    """The walk itself ended a task: skipped, cancelled, or the stand-in of a failed list."""

    task: Task


Command = Born | Expand | Decide | Run | Ended
