"""Tasks whose files are being read: whoever is done first looks for all who are as far."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from speedpix_pipe.engine.foresight import Foresight, Sight
from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.model import Result, StepKind
from speedpix_pipe.steps.base import Prepared


class Named:
    """As much of a task as this takes."""

    def __init__(self, name: str, kind: StepKind = StepKind.WORKFLOW) -> None:
        self.name = name
        self.node = SimpleNamespace(step=SimpleNamespace(kind=kind))


def task_of(name: str, kind: StepKind = StepKind.WORKFLOW) -> Any:
    return Named(name, kind)


class House:
    """What a foresight works with; it remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.to_send: list[str] = []
        self.kept: dict[str, Result] = {}
        self.bad: set[str] = set()
        self.foresight = Foresight(self, self, self, self, self.to_send.extend)  # type: ignore[arg-type]

    def prepare(self, task: Any, rendered: Any) -> Prepared:
        if task.name in self.bad:
            raise TaskError("no such colour", kind=TaskErrorKind.INPUT)
        return Prepared(f"fingerprint of {task.name}", rendered, None)

    def wants_kept(self, _task: Any, _prepared: Prepared) -> bool:
        return True

    def good(self, _task: Any, _result: Result) -> bool:
        return True

    def ahead(self, fingerprints: Sequence[str]) -> dict[str, Result]:
        self.asked.append(list(fingerprints))
        return {name: self.kept[name] for name in fingerprints if name in self.kept}

    def places(self, _task: Any, _result: Result) -> None:
        return None

    def records(self, _addresses: Any) -> dict[Any, Any]:
        return {}


def sight_of(name: str) -> Sight:
    file = SimpleNamespace(known=True, sha256=f"digest of {name}")
    return Sight({}, files=[file], unknown=[file])  # type: ignore[list-item]


def test_one_look_serves_all_whose_files_have_been_read() -> None:
    house = House()
    tasks = [task_of(name) for name in "abcd"]
    sights = {task: sight_of(task.name) for task in tasks}
    readings = [house.foresight.reading(task, sights[task]) for task in tasks]
    for reading in readings:
        reading.__enter__()
    for task in tasks[:2]:
        sights[task].read = True  # c is still being read, and d, which has been, waits for it
    sights[tasks[3]].read = True
    readings[0].__exit__(None, None, None)
    assert house.asked == [["fingerprint of a", "fingerprint of b"]]
    readings[1].__exit__(None, None, None)
    assert len(house.asked) == 1
    sights[tasks[2]].read = True
    readings[3].__exit__(None, None, None)
    readings[2].__exit__(None, None, None)
    assert house.asked[1:] == [["fingerprint of c", "fingerprint of d"]]
    assert all(sight.prepared is not None for sight in sights.values())
    assert house.to_send == [f"digest of {name}" for name in "abcd"]


def test_what_is_wrong_with_one_is_its_own_business() -> None:
    house = House()
    house.bad = {"b"}
    first, second = task_of("a"), task_of("b")
    sight, other = sight_of("a"), sight_of("b")
    with house.foresight.reading(second, other):
        other.read = True
        with house.foresight.reading(first, sight):
            pass
    assert sight.prepared is not None
    assert isinstance(other.error, TaskError)
    assert house.asked == [["fingerprint of a"]]


def test_who_cannot_be_read_is_taken_along_by_nobody() -> None:
    house = House()
    first, second = task_of("a"), task_of("b")
    other = sight_of("b")
    with pytest.raises(OSError, match="gone"), house.foresight.reading(second, other):
        raise OSError("gone")
    with house.foresight.reading(first, sight_of("a")):
        pass
    assert house.asked == [["fingerprint of a"]]
    assert other.prepared is None


def test_only_what_a_workflow_has_to_be_sent_is_looked_for_among_uploads() -> None:
    house = House()
    picture, known = task_of("a", StepKind.IMAGE), task_of("b")
    house.kept = {"fingerprint of b": Result({}, (), None, None)}
    for task in (picture, known):
        with house.foresight.reading(task, sight_of(task.name)):
            pass
    assert house.to_send == []
