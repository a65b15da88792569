"""What is known of an expression before it is evaluated: what it names and where, or what is wrong with it."""

from __future__ import annotations

from speedpix_pipe.records import dataclass

OPEN, CLOSE = "${{", "}}"


class TemplateError(Exception):
    """What is wrong in a text with expressions. `offset` counts in the text's value; `also` are further ones."""

    def __init__(
        self, message: str, offset: int, width: int = 1, code: str = "expression.syntax", hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.width = width
        self.code = code
        self.hint = hint
        self.also: tuple[TemplateError, ...] = ()

    def moved(self, by: int) -> TemplateError:
        """The same at `by` characters further on."""
        moved = TemplateError(self.message, self.offset + by, self.width, self.code, self.hint)
        moved.also = tuple(other.moved(by) for other in self.also)
        return moved


@dataclass(frozen=True, slots=True)
class StepUse:
    """`steps.step.name`; `name` is empty for a bare `steps.step`. Offsets count in the expression's source.

    `path` is what follows: names, and None for what is in brackets and no text; `offsets` are theirs.
    `tolerated`: it is only asked whether it is there, or it gets a default.
    """

    step: str
    name: str
    offset: int
    width: int
    path: tuple[str | None, ...] = ()
    offsets: tuple[int, ...] = ()
    tolerated: bool = False


@dataclass(frozen=True, slots=True)
class NameUse:
    """A top-level name with the plain names that follow it: `params.looks` is `("params", "looks")`."""

    names: tuple[str, ...]
    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is known of an expression wherever it stands. Offsets count in its source."""

    normal: str
    names: frozenset[str]
    steps: tuple[StepUse, ...]
    uses: tuple[NameUse, ...]
