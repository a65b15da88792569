"""Where the files of a task will be saved: `save` rendered into safe paths."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import safe_save_path
from speedpix_pipe.model import Expression, Literal, SaveRule, Template, Text
from speedpix_pipe.plan.graph import expressions_in
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.expressions import render
from speedpix_pipe.spec.scope import Scope

STAND_IN = "ext"  # for the extension while the content is not known; collisions do not look at extensions


@dataclass(slots=True)
class Target:
    """One rule of a task's `save`, ready to be filled in."""

    rule: SaveRule
    scope: Scope
    _first: str | None = field(default=None, repr=False, compare=False)  # rendered once, where `ext` plays no part

    def path(self, number: int, extension: str) -> str:
        """The path of the rule's file `number` (from 1), relative to the spec's folder."""
        if number > 1 or uses(self.rule.target, "ext"):
            return self._render(number, extension)
        if self._first is None:
            self._first = self._render(number, extension)
        return self._first

    def _render(self, number: int, extension: str) -> str:
        self.scope.extra = {"ext": extension, "n": number}
        path = render_path(self.rule.target, self.scope)
        if number > 1 and not uses(self.rule.target, "n"):
            folder, slash, name = path.rpartition("/")
            stem, dot, suffix = name.rpartition(".")
            name = f"{stem}-{number}.{suffix}" if dot and stem else f"{name}-{number}"
            path = f"{folder}{slash}{name}"
        return path


def uses(template: Template, name: str) -> bool:
    return any(name in expression.names for expression in expressions_in(template))


def render_path(template: Template, scope: Scope) -> str:
    """Fixed text before the first expression is trusted; what expressions give stays below it."""
    try:
        match template:
            case Literal():
                return safe_save_path(str(template.value), "")
            case Text():
                head = template.parts[0] if isinstance(template.parts[0], str) else ""
                rest = template.parts[1:] if head else template.parts
                path = safe_save_path(head, str(render(Text(rest, template.mark), scope)))
                if _has_no_stem(template, path):
                    raise ExpressionError(
                        f"the path `{path}` has nothing before its extension",
                        code="save.path",
                        hint="a value in it is empty: `default('name', true)` replaces it",
                    )
                return path
            case Expression():
                return safe_save_path("", _text(render(template, scope), template))
            case _:
                raise ExpressionError("a path is a text")
    except ExpressionError as error:
        if error.where is not None:
            raise
        raise ExpressionError(error.message, code=error.code, hint=error.hint, where=str(template.mark)) from error


def _has_no_stem(template: Text, path: str) -> bool:
    """Whether the author's `.png`, or `.` before `ext`, is where the name begins: a hidden file, and nobody's wish."""
    name = path.rpartition("/")[2]
    if not name.startswith("."):
        return False
    before, last = ("", *template.parts)[-2:]
    if isinstance(last, str):
        return name == last
    return isinstance(before, str) and before.endswith(".") and "." not in name[1:] and "ext" in last.names


def _text(value: Any, template: Expression) -> str:
    if not isinstance(value, str):
        raise ExpressionError("a path is a text", where=str(template.mark))
    return value
