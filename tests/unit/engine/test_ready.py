"""What starts next: the deepest, then the earliest; looked at together, never out of sight of each other."""

from __future__ import annotations

from dataclasses import dataclass

from speedpix_pipe.engine.ready import Ready


@dataclass
class Stub:
    depth: int
    order: tuple[int, ...]


def filled(*places: tuple[int, int]) -> Ready:
    ready = Ready()
    for depth, number in places:
        ready.push(Stub(depth, (number,)))  # type: ignore[arg-type]  # all that a queue looks at
    return ready


def test_the_deepest_come_first_then_those_that_are_earlier() -> None:
    ready = filled((0, 2), (1, 5), (0, 1), (2, 9))
    assert [(task.depth, task.order[0]) for task in ready.ahead(10)] == [(2, 9), (1, 5), (0, 1), (0, 2)]


def test_they_are_given_out_in_the_order_in_which_they_were_looked_at() -> None:
    ready = filled((0, 1), (0, 2), (0, 3))
    looked_at = ready.ahead(2)
    ready.push(Stub(5, (0,)))  # type: ignore[arg-type]
    assert ready.ahead(2) == []  # not before these have started
    assert [ready.pop(), ready.pop()] == looked_at
    assert [task.depth for task in ready.ahead(2)] == [5, 0]
    assert ready


def test_it_is_empty_when_the_last_was_given_out() -> None:
    ready = filled((0, 1))
    ready.ahead(64)
    assert ready
    ready.pop()
    assert not ready
