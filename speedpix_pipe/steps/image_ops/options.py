"""What the options of image operations may be, said once: for checks, for sentences and for JSON Schema.

Nothing here imports Pillow (a colour alone asks it, when one is to be checked): `validate` reads these
tables and should stay quick. What an operation does with its options is in the operation's module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass

MAX_SIDE = 65_500  # pixels; JPEG can hold no more

GRAVITIES = (
    "center", "north", "south", "east", "west", "north-east", "north-west", "south-east", "south-west",
)  # fmt: skip


class Kind(Protocol):
    """What a value may be."""

    def problem(self, value: Json) -> str | None:
        """What the value must be, if it is not; the sentence starts with `must`."""
        ...

    def schema(self) -> dict[str, Json]: ...


def _figure(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


@dataclass(frozen=True, slots=True)
class Number:
    minimum: float
    maximum: float
    whole: bool = False

    def problem(self, value: Json) -> str | None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and self.minimum <= value <= self.maximum and (not self.whole or value == int(value)):
            return None
        return (
            f"must be a {'whole ' if self.whole else ''}number from {_figure(self.minimum)} to {_figure(self.maximum)}"
        )

    def schema(self) -> dict[str, Json]:
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Flag:
    def problem(self, value: Json) -> str | None:
        return None if isinstance(value, bool) else "must be true or false"

    def schema(self) -> dict[str, Json]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice:
    names: tuple[str, ...]

    def problem(self, value: Json) -> str | None:
        return None if value in self.names else f"must be one of {', '.join(self.names)}"

    def schema(self) -> dict[str, Json]:
        return {"enum": list(self.names)}


@dataclass(frozen=True, slots=True)
class Words:
    """Any text; numbers count as their text, because a caption may be a price."""

    def problem(self, value: Json) -> str | None:
        fine = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        return None if fine else "must be a text"

    def schema(self) -> dict[str, Json]:
        return {"type": ["string", "number"]}


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of a side, written `12%`."""

    def problem(self, value: Json) -> str | None:
        if isinstance(value, str) and value.endswith("%"):
            try:
                share = float(value[:-1])
            except ValueError:
                share = -1.0
            if 0 < share <= 100:
                return None
        return "must be a share such as 5%"

    def schema(self) -> dict[str, Json]:
        return {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"}


@dataclass(frozen=True, slots=True)
class Color:
    def problem(self, value: Json) -> str | None:
        if isinstance(value, str):
            if value == "transparent":
                return None
            from PIL import ImageColor

            try:
                ImageColor.getrgb(value)
            except ValueError:
                pass
            else:
                return None
        return "must be a colour such as white, '#f4f4f4', rgb(240, 240, 240) or transparent"

    def schema(self) -> dict[str, Json]:
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file on this machine: a path written in the spec, or a file value once it is rendered."""

    def problem(self, value: Json) -> str | None:
        refused = value is None or value == "" or isinstance(value, (bool, int, float, list, dict))
        return "must be a file" if refused else None

    def schema(self) -> dict[str, Json]:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Kind
    length: int | None = None

    def problem(self, value: Json) -> str | None:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return "must be a list" if self.length is None else f"must be a list of {self.length}"
        if self.length is not None and len(value) != self.length:
            return f"must be a list of {self.length}"
        for place, item in enumerate(value):
            if problem := self.item.problem(item):
                return f"{problem} at position {place}"
        return None

    def schema(self) -> dict[str, Json]:
        bounds = {} if self.length is None else {"minItems": self.length, "maxItems": self.length}
        return {"type": "array", "items": self.item.schema(), **bounds}


@dataclass(frozen=True, slots=True)
class Either:
    kinds: tuple[Kind, ...]

    def problem(self, value: Json) -> str | None:
        problems = [kind.problem(value) for kind in self.kinds]
        if None in problems:
            return None
        first, *rest = (str(problem) for problem in problems)
        return " or ".join([first, *(text.removeprefix("must be ") for text in rest)])

    def schema(self) -> dict[str, Json]:
        return {"anyOf": [kind.schema() for kind in self.kinds]}


SIDE = Number(1, MAX_SIDE, whole=True)
OFFSET = Number(-MAX_SIDE, MAX_SIDE, whole=True)
GAP = Number(0, 10_000, whole=True)
GRAVITY = Choice(GRAVITIES)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an operation. `default` stands where the option is not given."""

    kind: Kind
    about: str
    default: Json = None
    required: bool = False


def filled(options: Mapping[str, Option], given: Mapping[str, Json]) -> dict[str, Json]:
    """The given values, with defaults where none or null is given."""
    defaults = {name: option.default for name, option in options.items()}
    return defaults | {name: value for name, value in given.items() if value is not None}


def nearest(name: str, known: Sequence[str]) -> str | None:
    """A did-you-mean, if anything known looks like the name."""
    from difflib import get_close_matches

    found = get_close_matches(name.lower().replace("_", "-"), list(known), n=1, cutoff=0.6)
    return f'did you mean "{found[0]}"?' if found else None
