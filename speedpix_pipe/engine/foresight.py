"""What is known of tasks that are about to start, looked up many at a time.

A look at the store costs a statement of SQLite and, beside a busy writer, a fight for the interpreter: 50 µs for one,
5 for each of sixty. So the driver shows the next tasks here before it starts them. A task whose result is kept, and
whose files stand untouched, ends without waiting, without a thread and without a task of asyncio's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from speedpix_pipe.engine.saving import Address, Saver
from speedpix_pipe.errors import ExpressionError, TaskError
from speedpix_pipe.files import FileValue
from speedpix_pipe.files.objects import LookFirstError
from speedpix_pipe.model import Result
from speedpix_pipe.plan.graph import Role
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.base import Prepared
from speedpix_pipe.steps.rendered import files_in


class Results(Protocol):
    """Finished results by fingerprint: the ledger's other side."""

    def result(self, fingerprint: str) -> Result | None: ...

    def results(self, fingerprints: Sequence[str]) -> dict[str, Result]: ...

    def keep_result(self, fingerprint: str, service: str, result: Result, *, kind: str) -> asyncio.Future[None]: ...


class Digests(Protocol):
    def recall_all(self, paths: Iterable[Path]) -> None:
        """Have the digests of these files at hand, as far as they are remembered."""
        ...


class Looks(Protocol):
    """What of a task's life is pure."""

    def render(self, task: Task) -> dict[str, Any]: ...

    def prepare(self, task: Task, rendered: Mapping[str, Any]) -> Prepared: ...

    def wants_kept(self, task: Task, prepared: Prepared) -> bool: ...

    def good(self, task: Task, result: Result) -> bool: ...


@dataclass(slots=True)
class Sight:
    """What is known of one task."""

    rendered: dict[str, Any]
    files: Sequence[FileValue] = ()  # that stand in it
    unknown: Sequence[FileValue] = ()  # of these, whose digests have to be made
    prepared: Prepared | None = None  # None: a file in it has to be read first
    result: Result | None = None  # kept, whole, and what the step still asks for
    saved: Mapping[str, Address] | None = None  # where its files stand untouched; None: not all of them do
    error: ExpressionError | TaskError | None = None


class Foresight:
    """The sights of tasks that are about to start. Each is taken once, within the turn of the loop that made it."""

    def __init__(self, looks: Looks, results: Results, saver: Saver, digests: Digests) -> None:
        self._looks = looks
        self._results = results
        self._saver = saver
        self._digests = digests
        self._sights: dict[Task, Sight] = {}

    def take(self, task: Task) -> Sight | None:
        return self._sights.pop(task, None)

    def look(self, tasks: Iterable[Task]) -> None:
        """Find out about these tasks what can be found out at once."""
        seen: list[tuple[Task, Sight]] = []
        files: list[FileValue] = []
        for task in tasks:
            sight = self._rendered(task)
            if sight is not None:
                seen.append((task, sight))
                files += [file for file in sight.files if file.origin is None]
        if files:
            self._digests.recall_all([file.absolute for file in files])
        asked = [(task, sight) for task, sight in seen if self._prepared(task, sight)]
        kept = self._results.results([_fingerprint(sight) for _, sight in asked]) if asked else {}
        if kept:
            self._stand([pair for pair in asked if self._is_good(*pair, kept)])
        self._sights.update(seen)

    def _rendered(self, task: Task) -> Sight | None:
        if task.node.role is not Role.STEP:
            return None
        try:
            rendered = self._looks.render(task)
        except LookFirstError:
            return None  # it takes a request to tell
        except (ExpressionError, TaskError) as error:
            return Sight({}, error=error)
        files = [file for _, file in files_in(rendered)]
        return None if any(file.remote for file in files) else Sight(rendered, files)

    def _prepared(self, task: Task, sight: Sight) -> bool:
        """Whether a kept result would serve."""
        if sight.error is not None:
            return False
        sight.unknown = [file for file in sight.files if not file.known]
        if sight.unknown:
            return False
        try:
            sight.prepared = self._looks.prepare(task, sight.rendered)
        except LookFirstError:
            return False
        except (ExpressionError, TaskError) as error:
            sight.error = error
            return False
        return self._looks.wants_kept(task, sight.prepared)

    def _is_good(self, task: Task, sight: Sight, kept: Mapping[str, Result]) -> bool:
        result = kept.get(_fingerprint(sight))
        if result is None or not self._looks.good(task, result):
            return False
        sight.result = result
        return True

    def _stand(self, found: list[tuple[Task, Sight]]) -> None:
        """Which of these have all their files in place already."""
        places: dict[Task, Mapping[str, Address]] = {}
        for task, sight in found:
            assert sight.result is not None
            try:
                there = self._saver.places(task, sight.result)
            except LookFirstError:
                continue  # it takes a request to tell where they would stand
            except (ExpressionError, TaskError) as error:
                sight.error = error
                continue
            if there is not None:
                places[task] = there
        records = self._saver.records(address for there in places.values() for address in there.values())
        for task, sight in found:
            if task in places and sight.result is not None:
                sight.saved = self._saver.standing(places[task], sight.result, records)


def _fingerprint(sight: Sight) -> str:
    assert sight.prepared is not None
    assert sight.prepared.fingerprint is not None
    return sight.prepared.fingerprint
