"""`dataclass`, made for a quick start: the standard library's, each made ready when it is first used.

To a type checker it is `dataclasses.dataclass`, so `frozen=True` is checked where code is checked. At run time nothing
guards it: the guard costs 0.3 ms of generated code for each class, and a slower `__init__` for each object. A command
imports some two hundred classes and uses a third of them; what the library generates for one waits until then.
`replace`, `fields`, patterns and pickle work as ever.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

_GENERATED = ("__dataclass_fields__", "__dataclass_params__", "__match_args__")
_completing = threading.RLock()

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - seen as the original
else:

    def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True, kw_only: bool = False) -> Any:
        """The same as `dataclasses.dataclass`; `slots` is always True."""
        assert slots

        def made(given: type) -> type:
            own = {name: _compared(given, name) for name, kind in _annotations(given).items() if _is_field(kind)}
            every: dict[str, bool] = {}
            for base in given.__mro__[:0:-1]:
                every |= vars(base).get("__record__", {})
            every |= own
            new = _slotted(given, own)
            new.__record__ = every  # its fields, and whether they count for `==`
            _complete_later(new, given, kw_only=kw_only)
            if eq:
                _equal(new, [name for name, compared in every.items() if compared], hashable=frozen)
            if "__repr__" not in vars(new):
                new.__repr__ = _repr
            return new

        return made


def _annotations(given: type) -> dict[str, Any]:
    found: dict[str, Any] = vars(given).get("__annotations__", {})
    return found


def _is_field(kind: Any) -> bool:
    return "ClassVar" not in str(kind)


def _compared(given: type, name: str) -> bool:
    default = vars(given).get(name)
    return not isinstance(default, dataclasses.Field) or default.compare


def _slotted(given: type, own: dict[str, bool]) -> Any:
    """The class again, with slots. The one that was given keeps the defaults for its `__init__`."""
    taken = {name for base in given.__mro__[1:] for name in getattr(base, "__slots__", ())}
    members = {name: what for name, what in vars(given).items() if name not in own}
    members.pop("__dict__", None)
    members.pop("__weakref__", None)
    members["__slots__"] = tuple(name for name in own if name not in taken)
    members["__doc__"] = given.__doc__ or given.__name__  # the library would work out a signature for it
    return type(given)(given.__name__, given.__bases__, members)


class _Later:
    """An attribute of a class that the library makes, when somebody asks for it."""

    __slots__ = ("_complete", "_name")

    def __init__(self, name: str, complete: Callable[[], None]) -> None:
        self._name, self._complete = name, complete

    def __get__(self, _instance: object, owner: type) -> Any:
        self._complete()
        return getattr(owner, self._name)


def _complete_later(new: Any, given: Any, *, kw_only: bool) -> None:
    def complete() -> None:
        with _completing:
            if not isinstance(vars(new)[_GENERATED[0]], _Later):
                return  # another thread was quicker
            given.__doc__ = new.__doc__
            full = dataclasses.dataclass(given, eq=False, repr=False, kw_only=kw_only)
            for name in (*_GENERATED[1:], _GENERATED[0]):
                setattr(new, name, vars(full)[name])
            if is_ours:
                new.__init__ = vars(full)["__init__"]
                new.__init__.__qualname__ = f"{new.__qualname__}.__init__"

    def __init__(self: Any, *args: Any, **named: Any) -> None:  # noqa: N807 - it is one
        complete()
        new.__init__(self, *args, **named)

    for name in _GENERATED:
        setattr(new, name, _Later(name, complete))
    is_ours = "__init__" not in vars(given)
    if is_ours:
        new.__init__ = __init__


def _equal(cls: Any, compared: Sequence[str], *, hashable: bool) -> None:
    values: Callable[[Any], Any] = attrgetter(*compared) if compared else _nothing

    def equal(self: Any, other: Any) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    own = vars(cls)
    if "__eq__" not in own:
        cls.__eq__ = equal
    if own.get("__hash__") is None:  # not defined, or None because `__eq__` is
        cls.__hash__ = hashed if hashable else None


def _nothing(_: Any) -> tuple[()]:
    return ()


def _repr(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({shown})"
