"""What is known of tasks that are about to start, looked up many at a time.

A look at the store costs a statement of SQLite and, beside a busy writer, a fight for the interpreter: 50 µs for one,
5 for each of sixty. So the driver shows the next tasks here before it starts them. A task whose result is kept, and
whose files stand untouched, ends without waiting, without a thread and without a task of asyncio's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

from speedpix_pipe.engine.saving import Address, Saver
from speedpix_pipe.errors import ExpressionError, TaskError
from speedpix_pipe.files import FileValue
from speedpix_pipe.files.objects import LookFirstError
from speedpix_pipe.model import Result, StepKind
from speedpix_pipe.plan.graph import Role
from speedpix_pipe.plan.tasks import Task
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.base import Prepared
from speedpix_pipe.steps.rendered import files_in


class Results(Protocol):
    """Finished results by fingerprint: the ledger's other side."""

    def result(self, fingerprint: str) -> Result | None: ...

    def ahead(self, fingerprints: Sequence[str]) -> dict[str, Result]:
        """Those that are kept; for the others, the looks that follow are answered by this one."""
        ...

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
    read: bool = False  # they are
    prepared: Prepared | None = None  # None: a file in it has to be read first
    result: Result | None = None  # kept, whole, and what the step still asks for
    saved: Mapping[str, Address] | None = None  # where its files stand untouched; None: not all of them do
    error: ExpressionError | TaskError | None = None


class Foresight:
    """The sights of tasks that are about to start. Each is taken once, within the turn of the loop that made it."""

    def __init__(
        self,
        looks: Looks,
        results: Results,
        saver: Saver,
        digests: Digests,
        to_upload: Callable[[Sequence[str]], None],
    ) -> None:
        self._looks = looks
        self._to_upload = to_upload
        self._results = results
        self._saver = saver
        self._digests = digests
        self._sights: dict[Task, Sight] = {}
        self._reading: dict[Task, Sight] = {}  # in the order in which they are read

    def take(self, task: Task) -> Sight | None:
        return self._sights.pop(task, None)

    def look(self, tasks: Iterable[Task]) -> None:
        """Find out about these tasks what can be found out at once."""
        seen: dict[Task, Sight] = {}
        files: list[FileValue] = []
        for task in tasks:
            sight = self._rendered(task)
            if sight is not None:
                seen[task] = sight
                files += [file for file in sight.files if file.origin is None]
        if files:
            self._digests.recall_all([file.absolute for file in files])
        self._look_up(seen)
        if found := [(task, sight) for task, sight in seen.items() if sight.result is not None]:
            self._stand(found)
        self._sights |= seen

    @contextmanager
    def reading(self, task: Task, sight: Sight) -> Iterator[None]:
        """Around the reading of a task's unknown files. After it there is one look for all who are as far."""
        self._reading[task] = sight
        try:
            yield
            if task in self._reading:
                as_far = dict(takewhile(lambda other: other[1].read, self._reading.items())) | {task: sight}
                for other in as_far:
                    del self._reading[other]
                self._look_up(as_far)
        finally:
            self._reading.pop(task, None)

    def _look_up(self, seen: Mapping[Task, Sight]) -> None:
        """Which of these have a good result. The others' next looks at the store find their answers there."""
        asked = [(task, sight) for task, sight in seen.items() if self._prepared(task, sight)]
        if not asked:
            return
        kept = self._results.ahead([_fingerprint(sight) for _, sight in asked])
        for task, sight in asked:
            result = kept.get(_fingerprint(sight))
            if result is not None and self._looks.good(task, result):
                sight.result = result
        sending = [sight for task, sight in asked if sight.result is None and task.node.step.kind is StepKind.WORKFLOW]
        if digests := [file.sha256 for sight in sending for file in sight.files]:
            self._to_upload(digests)

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
