"""`dataclass`, made for a quick start: the standard library's, with methods shared instead of generated one by one.

To a type checker it is `dataclasses.dataclass`, so `frozen=True` is checked where code is checked. At run time nothing
guards it: the guard costs 0.3 ms of generated code for each class, and a slower `__init__` for each object, and a
command imports some two hundred classes. `replace`, `fields`, patterns and pickle work as ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - seen as the original
else:

    def dataclass(cls: type | None = None, *, frozen: bool = False, eq: bool = True, **options: Any) -> Any:
        """The same as `dataclasses.dataclass`."""

        def made(given: type) -> type:
            given.__doc__ = given.__doc__ or given.__name__  # the original would work out a signature for it
            new = dataclasses.dataclass(given, eq=False, repr=False, **options)
            if eq:
                _equal(new, [field.name for field in dataclasses.fields(new) if field.compare], hashable=frozen)
            if "__repr__" not in vars(new):
                new.__repr__ = _repr
            return new

        return made if cls is None else made(cls)


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
