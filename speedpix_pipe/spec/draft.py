"""A spec that is being built: its problems so far, and how a node of the file becomes a template.

Fields read what they can use and leave the rest to the schema's problems, so that a spec with one mistake still shows
its other mistakes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from speedpix_pipe.errors import Problem
from speedpix_pipe.model import (
    Entry,
    Expression,
    FileText,
    Json,
    ListOf,
    Literal,
    MapOf,
    Mark,
    NamedPlace,
    Template,
    Text,
)
from speedpix_pipe.spec.places import Node, Source
from speedpix_pipe.spec.scalars import parse_duration
from speedpix_pipe.spec.schema import MAX_PROBLEMS
from speedpix_pipe.spec.templates import TemplateError, parse, parse_condition

_OPENING = "${{"
_PLAIN = re.compile(r"[\w.]+\Z")
MAX_EXPRESSIONS = 30_000  # of one file
MAX_CHARACTERS = 100_000  # of all its different expressions, plain names aside
_PLACES = "a step's for_each, matrix, key, when, input, save, expect and image, and in outputs"

Wrap = Callable[[Node, Template], Template]
_Parsed = TypeVar("_Parsed")
_Parse = Callable[[str, Callable[[int], Mark], "list[NamedPlace] | None"], _Parsed]


class EnoughProblemsError(Exception):
    """So much is wrong that the rest is not looked at."""


class Draft:
    """One file under construction."""

    def __init__(self, source: Source, folder: Path, reported: Sequence[Problem], *, check_files: bool) -> None:
        self.source = source
        self.folder = folder
        self.check_files = check_files
        self._reported = reported  # by the schema
        self.problems: list[Problem] = []
        self.uses: list[NamedPlace] = []
        self.uses_in_save: list[NamedPlace] = []
        self._collected = self.uses
        self._understood: set[str] = set()
        self._text_left = MAX_CHARACTERS
        self._expressions = 0

    def add(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise EnoughProblemsError

    def is_reported(self, node: Node) -> bool:
        """Whether the schema has something against the node or a part of it."""
        first, last = node.source.mark(node.start), node.source.mark(node.end)
        begin, end = (first.line, first.column), (last.line, last.column)
        return any(begin <= (problem.line, problem.column) <= end for problem in self._reported)

    def collect_for_save(self, *, on: bool) -> None:
        """What is built from here on belongs to a `save`, where more names are known; or does so no more."""
        self._collected = self.uses_in_save if on else self.uses

    # --- templates ---

    def chain(self, node: Node) -> Template:
        """The template of a `for_each`, the one place where `steps.X` may stand alone."""
        if not isinstance(node.value, str) or _OPENING not in node.value:
            return self.template(node)
        parsed = self._parsed(node, parse, node.value)
        return Literal(None, node.mark) if parsed is None else parsed

    def template(self, node: Node, wrap: Wrap | None = None) -> Template:
        """What a value means: a literal unless an expression stands in it. `wrap` may change what a text becomes."""
        if node.is_map:
            return self._map_or_literal(node, wrap)
        if node.is_list:
            items = tuple(self.template(item, wrap) for item in node.items)
            if all(type(item) is Literal for item in items):
                return Literal(node.value, node.mark)
            return ListOf(items, node.mark)
        value = node.value
        template: Template = (
            self._text(node) if isinstance(value, str) and _OPENING in value else Literal(value, node.mark)
        )
        return wrap(node, template) if wrap is not None and isinstance(value, str) else template

    def mapping(self, node: Node, wrap: Wrap | None = None) -> MapOf:
        """A mapping whose keys are names of fields: never a literal as a whole."""
        entries = []
        for name, member in node.members.items():
            key = node.keys[name]
            if _OPENING in name:
                self.refuse_expression(key, "a key")
            entries.append(Entry(name, self.template(member, wrap), key.mark))
        return MapOf(tuple(entries), node.mark)

    def condition(self, node: Node) -> Expression | None:
        """The expression of a `when`, with or without delimiters."""
        if isinstance(node.value, bool):
            return self._parsed(node, parse_condition, "true" if node.value else "false")
        if not isinstance(node.value, str):
            return None
        if not node.value.strip() and node.written()[:1] in (">", "|"):
            self.add(
                node.problem(
                    "yaml.block-header",
                    f"{node.written()[:1]} at the beginning of a value starts a block of text in YAML, and it is empty",
                    hint="put the condition in quotes, and write its left side too",
                )
            )
            return None
        condition = self._parsed(node, parse_condition, node.value)
        if condition is not None:
            self._refuse_chain(node, condition)
        return condition

    def _map_or_literal(self, node: Node, wrap: Wrap | None) -> Template:
        mapping = self.mapping(node, wrap)
        if all(type(entry.value) is Literal for entry in mapping.entries):
            return Literal(node.value, node.mark)
        return mapping

    def _text(self, node: Node) -> Template:
        parsed = self._parsed(node, parse, node.value)
        if parsed is None:
            return Literal(None, node.mark)
        if isinstance(parsed, Expression):
            self._refuse_chain(node, parsed)
        return parsed

    def _refuse_chain(self, node: Node, expression: Expression) -> None:
        for reference in expression.references:
            if reference.name:
                continue
            name = f"steps.{reference.step}"
            message = f"{name} alone chains a step, as the whole of for_each; it is no value"
            hint = f"write {name}.output, or {name}.outputs for all its tasks"
            self.add(
                node.source.problem_at(reference.mark, "expression.steps", message, hint=hint, width=reference.width)
            )

    def _parsed(self, node: Node, parse: _Parse[_Parsed], text: str) -> _Parsed | None:
        try:
            parsed = parse(text, node.locator(), self._collected)
            self._count(node, parsed)
            return parsed
        except TemplateError as first:
            for error in (first, *first.also):
                self.add(self._template_problem(node, error))
            self._spend(node, len(text))
            return None

    def _count(self, node: Node, parsed: object) -> None:
        """Expressions beyond plain names cost time to understand, each different one anew; a spec has a share of it."""
        parts = parsed.parts if isinstance(parsed, Text) else (parsed,)
        for part in parts:
            if not isinstance(part, Expression):
                continue
            self._expressions += 1
            if self._expressions > MAX_EXPRESSIONS:
                self._refuse_more(node, f"a spec may have {MAX_EXPRESSIONS:,} expressions, and here are more")
            if part.normal not in self._understood and not _PLAIN.match(part.normal):
                self._understood.add(part.normal)
                self._spend(node, len(part.normal))

    def _spend(self, node: Node, characters: int) -> None:
        self._text_left -= characters
        if self._text_left < 0:
            self._refuse_more(node, f"the expressions of this spec have more than {MAX_CHARACTERS:,} characters in all")

    def _refuse_more(self, node: Node, message: str) -> NoReturn:
        hint = "say once, in a param or a sub-pipeline, what repeats with small differences"
        self.problems.append(node.problem("expression.too-many", message, hint=hint))
        raise EnoughProblemsError

    def _template_problem(self, node: Node, error: TemplateError) -> Problem:
        comment = self._cut_off_by(node)
        if comment is not None:
            begin = node.start + node.written().rfind(_OPENING)
            return node.source.problem(
                begin,
                "yaml.cut-by-comment",
                "this expression is cut off: ` #` begins a comment in YAML, and `}}` stands behind it",
                hint="put the whole value in quotes",
                width=comment - begin,
            )
        mark = node.locator()(error.offset)
        return node.source.problem_at(mark, error.code, error.message, hint=error.hint, width=error.width)

    @staticmethod
    def _cut_off_by(node: Node) -> int | None:
        """Where the comment begins that cut a plain text off in the middle of an expression."""
        if node.style or not isinstance(node.value, str):
            return None
        if node.value.rfind("}}") > node.value.rfind(_OPENING):
            return None
        text = node.source.text
        at = node.end
        while text[at : at + 1] in (" ", "\t"):
            at += 1
        comment = text[at : text.find("\n", at) if "\n" in text[at:] else len(text)]
        return at if comment.startswith("#") and "}}" in comment else None

    # --- places without expressions ---

    def refuse_expression(self, node: Node, where: str) -> None:
        offset = node.value.find(_OPENING)
        mark = node.locator()(offset)
        close = node.value.find("}}", offset)
        if close < 0 and not node.style and where == "a key":
            self.add(self._cut_by_colon(node, mark))
            return
        width = (close + 2 if close >= 0 else len(node.value)) - offset
        self.add(
            node.source.problem_at(
                mark,
                "expression.not-here",
                f"expressions stand in values of {_PLACES}; not in {where}",
                width=width,
            )
        )

    @staticmethod
    def _cut_by_colon(node: Node, mark: Mark) -> Problem:
        """`- ${{ {'a': 1} }}`: YAML takes what stands before the colon for a key."""
        line = node.source.line(mark.line)
        whole = line[node.mark.column - 1 :].partition(" #")[0].rstrip()
        return node.source.problem_at(
            mark,
            "yaml.unquoted-expression",
            "an expression that contains `: ` needs quotes around the whole value",
            hint=f"write {json.dumps(whole, ensure_ascii=False)}",
            width=len(whole) - (mark.column - node.mark.column),
        )

    def check_names(self, node: Node, owner: str) -> None:
        """Names of steps, params, axes and outputs are identifiers; the schema's pattern lets some others through."""
        for name, key in node.keys.items():
            if not name.isidentifier():
                from speedpix_pipe.spec.words import bad_name

                self.add(bad_name(key, name, owner))

    def refuse_expressions(self, node: Node, where: str) -> None:
        """`${{` in a part of the spec that is read as it stands."""
        for name, member in node.members.items():
            if _OPENING in name:
                self.refuse_expression(node.keys[name], "a key")
            self.refuse_expressions(member, where)
        for item in node.items:
            self.refuse_expressions(item, where)
        if isinstance(node.value, str) and _OPENING in node.value:
            self.refuse_expression(node, where)


# --- reading fields whose type the schema has already judged ---


def member(node: Node | None, name: str) -> Node | None:
    return node.members.get(name) if node is not None else None


def text_of(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def number_of(node: Node | None) -> float | None:
    if node is None or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return None
    return node.value


def integer_of(node: Node | None) -> int | None:
    number = number_of(node)
    return int(number) if number is not None and number == int(number) else None


def flag_of(node: Node | None) -> bool | None:
    return node.value if node is not None and isinstance(node.value, bool) else None


def duration_of(node: Node | None) -> float | None:
    text = text_of(node)
    return parse_duration(text) if text is not None else None


def texts_of(node: Node | None) -> tuple[str, ...]:
    if node is None or not node.is_list:
        return ()
    return tuple(item.value for item in node.items if isinstance(item.value, str))


def places_of(node: Node | None) -> dict[str, Mark]:
    """The texts of a list, each with the place of its first character."""
    items = node.items if node is not None and node.is_list else ()
    return {item.value: item.locator()(0) for item in items if isinstance(item.value, str)}


# --- templates as text ---


def normal_text(template: Template) -> str:
    """The value as written, without free white space: what decides whether two fan-outs are the same."""
    if isinstance(template, Expression):
        return template.normal
    return json.dumps(_as_written(template), ensure_ascii=False)


def _as_written(template: Template) -> Json:
    match template:
        case Expression(normal=normal):
            return {"${{": normal}
        case Text(parts=parts):
            return {"${{": [_as_written(part) if isinstance(part, Expression) else part for part in parts]}
        case ListOf(items=items):
            return [_as_written(item) for item in items]
        case MapOf(entries=entries):
            return {entry.name: _as_written(entry.value) for entry in entries}
        case FileText(value=value):
            return _as_written(value)
        case Literal(value=value):
            return value
