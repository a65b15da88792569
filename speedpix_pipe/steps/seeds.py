"""Seeds that somebody chose over those of the spec: what `runs redo --new-seed` asks for, and what later runs keep to.

A choice is about one task as the spec means it: `step@key`, and the fingerprint that its input has as written. Where
either is another one, the spec's seed holds again. It is written down before it is sent, and counts once it was
sent: a redo that was refused, or died before, leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Protocol

from speedpix_pipe.model import Json, Workflow
from speedpix_pipe.plan.seeds import Random, draw_seeds
from speedpix_pipe.records import dataclass

Seed = Mapping[str, Json] | None  # the fields that are sent instead; None: the service draws


class Wish(Enum):
    """What may be asked for a task."""

    NEW = "new"
    OF_SPEC = "of spec"


@dataclass(frozen=True, slots=True)
class Choice:
    """The seed that a task is sent with. `fresh`: drawn in this run, and not yet written down."""

    base: str
    task: str
    seed: Seed
    fresh: bool = False


class Chosen(Protocol):
    """Where choices are kept."""

    def known(self) -> Mapping[tuple[str, str], Seed]: ...

    def keep(self, base: str, task: str, seed: Seed, *, fingerprint: str, run_id: str) -> Awaitable[None]: ...

    def drop(self, base: str, task: str) -> Awaitable[None]: ...


class Seeds:
    """The choices that hold in one run. `wishes` are by `step@key`; `sent` says whether a fingerprint ever was."""

    def __init__(self, chosen: Chosen | None, *, sent: Callable[[str], bool], random: Random, run_id: str) -> None:
        self.wishes: Mapping[str, Wish] = {}
        self.sent = sent
        self._chosen = chosen
        self._known = dict(chosen.known()) if chosen is not None else {}
        self._random = random
        self._run_id = run_id
        self._drawn: dict[str, Seed] = {}

    @property
    def idle(self) -> bool:
        """Nobody ever chose anything, so no task need be looked up."""
        return not self._known and not self.wishes

    def choice(self, base: str, task: str, workflow: Workflow, rendered: Mapping[str, Any]) -> Choice | None:
        """What holds for a task whose input has the fingerprint `base` as written."""
        place, wish = (base, task), self.wishes.get(task)
        if wish is Wish.NEW:
            if task not in self._drawn:  # a task may be prepared several times, and draws once
                self._drawn[task] = draw_seeds(workflow, rendered, self._random)
            return Choice(base, task, self._drawn[task], fresh=True)
        if place not in self._known:
            return None
        if wish is Wish.OF_SPEC:
            del self._known[place]
            if self._chosen is not None:
                self._chosen.drop(base, task)
            return None
        return Choice(base, task, self._known[place])

    async def keep(self, choice: Choice, fingerprint: str) -> None:
        """On disk when this returns."""
        if choice.fresh and self._chosen is not None:
            await self._chosen.keep(choice.base, choice.task, choice.seed, fingerprint=fingerprint, run_id=self._run_id)
