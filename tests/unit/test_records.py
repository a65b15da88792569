"""Our quick dataclasses behave as the standard library's do, but for the guard at run time."""

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

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


# --- as the library would have made them ---


def like(make: Callable[..., Any]) -> list[type]:
    """The same classes, by us and by the library."""

    @make(slots=True, kw_only=True)
    class Base:
        run: str | None = None
        seq: int = 0

    @make(slots=True, kw_only=True)
    class Event(Base):
        step: str
        files: tuple[str, ...] = ()

    @make(slots=True)
    class Plain:
        a: int
        b: list[int] = dataclasses.field(default_factory=list)
        c: str = dataclasses.field(default="c", repr=False)
        d: int = dataclasses.field(init=False, default=3)

    @make(slots=True)
    class Checked:
        a: int
        twice: int = 0

        def __post_init__(self) -> None:
            self.twice = 2 * self.a

    @make(slots=True)
    class Longer(Checked):
        c: ClassVar[int] = 9
        z: int = 5

    @make(slots=True)
    class Own:
        a: int

        def __init__(self) -> None:
            self.a = 7

    return [Base, Event, Plain, Checked, Longer, Own, make(slots=True)(type("Nothing", (), {"__annotations__": {}}))]


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((), {}),
        ((1,), {}),
        ((1, 2), {}),
        ((1, 2, 3), {}),
        ((), {"a": 1}),
        ((), {"step": "s", "run": "r"}),
        ((), {"step": "s", "wrong": 1}),
        ((1,), {"a": 1}),
        ((1, 2, 3, 4, 5), {}),
    ],
)
def test_they_take_what_the_library_takes(at: int, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    mine, its = like(ours)[at], like(dataclasses.dataclass)[at]
    try:
        wanted = its(*given, **named)
    except TypeError as wrong:
        said = str(wrong).rpartition("__init__")[2]
    else:
        said = None
    if said is not None:
        with pytest.raises(TypeError, match=re.escape(said)):
            mine(*given, **named)
        return
    made = mine(*given, **named)
    assert dataclasses.asdict(made) == dataclasses.asdict(wanted)
    assert repr(made) == repr(wanted)
    assert [field.name for field in dataclasses.fields(mine)] == [field.name for field in dataclasses.fields(its)]
    assert mine.__match_args__ == its.__match_args__
    assert not hasattr(made, "__dict__")


def test_many_threads_may_make_the_first_of_a_class() -> None:
    for _ in range(20):
        plain = like(ours)[2]
        with ThreadPoolExecutor(8) as pool:
            assert {repr(made) for made in pool.map(plain, [1] * 8)} == {repr(plain(1))}
