"""Our quick dataclasses behave as the standard library's do, but for the guard at run time."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from speedpix_pipe.records import dataclass as ours


@ours(frozen=True, slots=True)
class Frozen:
    name: str
    size: int = 0
    memo: list[int] = dataclasses.field(default_factory=list, repr=False, compare=False)


@ours(slots=True)
class Open:
    name: str


@ours(slots=True, eq=False)
class Itself:
    name: str


@ours(frozen=True, slots=True)
class Named:
    name: str

    def __repr__(self) -> str:
        return "named"

    def __hash__(self) -> int:
        return 7


@ours(frozen=True, slots=True)
class Empty:
    pass


def test_equal_are_those_of_one_class_with_equal_fields() -> None:
    assert Frozen("a", 1, [1]) == Frozen("a", 1, [2])
    assert Frozen("a", 1) != Frozen("a", 2)
    assert Named("a") != Open("a")
    assert Empty() == Empty()
    assert Itself("a") != Itself("a")


def test_hashes_are_those_of_the_original() -> None:
    assert hash(Frozen("a", 1, [1])) == hash(Frozen("a", 1)) == hash(("a", 1))
    assert hash(Named("a")) == 7
    with pytest.raises(TypeError, match="unhashable"):
        hash(Open("a"))
    assert {Itself("a"): 1}
    assert hash(Empty()) == hash(())


def test_it_says_what_it_is() -> None:
    assert repr(Frozen("a", 1)) == "Frozen(name='a', size=1)"
    assert repr(Named("a")) == "named"


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copies_are_equal(through: Callable[[Any], Any]) -> None:
    it = Frozen("a", 1, [1])
    assert through(it) == it
    assert through(it).memo == [1]


def test_the_library_takes_them_for_its_own() -> None:
    assert dataclasses.replace(Frozen("a", 1), size=2) == Frozen("a", 2)
    assert [field.name for field in dataclasses.fields(Frozen)] == ["name", "size", "memo"]
    match Frozen("a", 1):
        case Frozen(name, size):
            assert (name, size) == ("a", 1)
