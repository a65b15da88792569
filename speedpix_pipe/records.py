"""`dataclass`, made for a quick start: the library's, but what that generates is shared, or waits until it is used.

To a type checker it is `dataclasses.dataclass`, so `frozen=True` is checked where code is checked. At run time nothing
guards it: the guard costs 0.3 ms of generated code for each class, and a slower `__init__` for each object, and a
command imports some two hundred classes. `replace`, `fields`, patterns and pickle work as ever.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING
from functools import cache
from operator import attrgetter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

_FIELDS = "__dataclass_fields__"
_GENERATED = ("__dataclass_params__", "__match_args__", _FIELDS)
_completing = threading.RLock()

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - seen as the original
else:

    def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True, kw_only: bool = False) -> Any:
        """The same as `dataclasses.dataclass`; `slots` is always True."""
        assert slots

        def made(given: type) -> type:
            own, every = _members(given, kw_only=kw_only)
            new = _slotted(given, own)
            new.__record__ = every
            _complete_later(new, given, kw_only=kw_only)
            if eq:
                _equal(new, [name for name, member in every.items() if member.compared], hashable=frozen)
            if "__repr__" not in vars(new):
                new.__repr__ = _repr
            return new

        return made


class _Member(NamedTuple):
    """A field, as far as a start needs it."""

    default: Any
    kw_only: bool
    compared: bool = True
    simple: bool = True  # whether `__init__` does no more than to set it to what it is given, or to the default


def _members(given: type, *, kw_only: bool) -> tuple[dict[str, _Member], dict[str, _Member]]:
    """The fields that a class adds, and those with what it inherits."""
    own = {}
    for name, kind in vars(given).get("__annotations__", {}).items():
        default = vars(given).get(name, MISSING)
        if "ClassVar" in str(kind):
            continue
        if isinstance(default, dataclasses.Field):
            simple = default.init and default.default_factory is MISSING
            own[name] = _Member(default.default, kw_only, default.compare, simple)
        else:
            own[name] = _Member(default, kw_only)
    every: dict[str, _Member] = {}
    for base in given.__mro__[:0:-1]:
        every |= vars(base).get("__record__", {})
    return own, every | own


def _slotted(given: type, own: Mapping[str, _Member]) -> Any:
    """The class again, with slots. The one that was given is what the library completes."""
    taken = {name for base in given.__mro__[1:] for name in getattr(base, "__slots__", ())}
    members = {name: what for name, what in vars(given).items() if name not in own}
    members.pop("__dict__", None)
    members.pop("__weakref__", None)
    members["__slots__"] = tuple(name for name in own if name not in taken)
    members["__qualname__"] = given.__qualname__
    members["__doc__"] = given.__doc__ or given.__name__  # the library would work out a signature for it
    return type(given)(given.__name__, given.__bases__, members)


# --- __init__ ------------------------------------------------------------------------------------


def _init(members: Mapping[str, _Member]) -> Any:
    """An `__init__` of simple fields: code is compiled once for each number of them, and gets their names."""
    names = tuple(members)
    kw_only = any(member.kw_only for member in members.values())
    code = _code(len(names), kw_only).replace(co_varnames=("self", *names), co_names=names)
    defaults = {name: member.default for name, member in members.items() if member.default is not MISSING}
    if not kw_only:
        return FunctionType(code, {}, "__init__", tuple(defaults.values()))
    init = FunctionType(code, {}, "__init__")
    init.__kwdefaults__ = defaults
    return init


@cache
def _code(count: int, kw_only: bool) -> CodeType:  # noqa: FBT001 - one shape of two
    given = ", ".join(["self", *["*"][: kw_only and count], *(f"a{at}" for at in range(count))])
    lines = "".join(f"    self.f{at} = a{at}\n" for at in range(count)) or "    pass\n"
    scope: dict[str, Any] = {}
    exec(f"def __init__({given}):\n{lines}", scope)  # noqa: S102 - as the library does
    code: CodeType = scope["__init__"].__code__
    return code


def _is_simple(new: Any, members: Mapping[str, _Member]) -> bool:
    kinds = {member.kw_only for member in members.values()}
    return len(kinds) < 2 and all(member.simple for member in members.values()) and not hasattr(new, "__post_init__")


# --- what the library makes, when it is asked for ------------------------------------------------


class _Later:
    """An attribute of a class that the library makes."""

    __slots__ = ("_complete", "_name")

    def __init__(self, name: str, complete: Callable[[], None]) -> None:
        self._name, self._complete = name, complete

    def __get__(self, _instance: object, owner: type) -> Any:
        self._complete()
        return getattr(owner, self._name)


def _complete_later(new: Any, given: Any, *, kw_only: bool) -> None:
    def complete() -> None:
        with _completing:
            if not isinstance(vars(new)[_FIELDS], _Later):
                return  # another thread was quicker
            given.__doc__ = new.__doc__
            full = vars(dataclasses.dataclass(given, eq=False, repr=False, slots=True, kw_only=kw_only))
            for name in _GENERATED:
                setattr(new, name, full[name])
            if waits:
                new.__init__ = full["__init__"]

    def __init__(self: Any, *args: Any, **named: Any) -> None:  # noqa: N807 - it is one
        complete()
        new.__init__(self, *args, **named)

    for name in _GENERATED:
        setattr(new, name, _Later(name, complete))
    own = "__init__" in vars(given)
    waits = not own and not _is_simple(new, new.__record__)
    if not own:
        new.__init__ = __init__ if waits else _init(new.__record__)


# --- what is shared ------------------------------------------------------------------------------


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
