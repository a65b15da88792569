"""From the text of a scalar to a template: what is fixed, what is an expression, and what each one names.

Expressions are found with Jinja2's lexer, so that braces and quotes inside them mean what they mean. Two kinds are
so common that they have a path of their own: plain names with dots between them, and `range(4)`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

from speedpix_pipe.model import Expression, Literal, Mark, NamedPlace, Reference, Template, Text
from speedpix_pipe.spec.mentions import CLOSE, OPEN, NameUse, Parsed, StepUse, TemplateError
from speedpix_pipe.spec.names import NAMES
from speedpix_pipe.spec.tasks import MANY, ONE

__all__ = ["TemplateError", "has_expression", "parse", "parse_condition"]

# Anchored at the end of `${{`, so it cannot mistake one expression for another; anything else is lexed.
_PLAIN = re.compile(r"\s*([^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*\}\}")
_RANGE = re.compile(r"\s*(range\(([1-9]\d{0,6})\))\s*\}\}", re.ASCII)
_OF_FAN_OUT = frozenset({"item", "index", "matrix"})
_MOST_EXPRESSIONS = 10_000  # in one text

Locate = Callable[[int], Mark]


def has_expression(text: str) -> bool:
    return OPEN in text


def parse(value_text: str, locate: Locate, uses: list[NamedPlace] | None = None) -> Template:
    """The template of a scalar's value. `locate` gives the place of a character of it.

    Raises TemplateError with all that is wrong: the first, and the others in its `also`.
    `uses`, if given, collects every top-level name with its place.
    """
    if OPEN not in value_text:
        return Literal(value_text, locate(0))
    parts: list[str | Expression] = []
    errors: list[TemplateError] = []
    at = count = 0
    while (start := value_text.find(OPEN, at)) >= 0:
        if start > at:
            parts.append(value_text[at:start])
        count += 1
        if count > _MOST_EXPRESSIONS:
            errors.append(
                TemplateError(f"a text with over {_MOST_EXPRESSIONS:,} expressions", start, 3, "expression.too-long")
            )
            break
        inside = start + len(OPEN)
        try:
            end, parsed = _split(value_text, inside)
        except TemplateError as error:
            errors.append(error)
            break  # where the next one begins cannot be known
        if isinstance(parsed, TemplateError):
            errors.append(parsed.moved(inside))
        else:
            parts.append(_expression(value_text[inside:end], inside, parsed, locate, uses))
        at = end + len(CLOSE)
    _raise(errors)
    if at < len(value_text):
        parts.append(value_text[at:])
    solid = [part for part in parts if isinstance(part, Expression) or part.strip()]
    if len(solid) == 1 and isinstance(solid[0], Expression):
        return solid[0]
    _no_bare_steps(parts, value_text)
    return Text(tuple(parts), locate(0))


def parse_condition(text: str, locate: Locate, uses: list[NamedPlace] | None = None) -> Expression:
    """`when`: an expression with or without its delimiters, and nothing beside it."""
    if text.lstrip().startswith(OPEN):
        template = parse(text, locate, uses)
        if isinstance(template, Expression):
            return template
        at = text.index(CLOSE, len(text) - len(text.lstrip())) + len(CLOSE)
        raise TemplateError(
            "`when` is one expression, without text around it", at, max(len(text.rstrip()) - at, 1), "expression.when",
            "write the whole condition inside one `${{ }}`, or without any",
        )  # fmt: skip
    from speedpix_pipe.spec.analysis import whole

    try:
        parsed = whole(text)
    except TemplateError as error:
        if OPEN in text:
            at = text.index(OPEN)
            raise TemplateError(
                "`${{` inside a condition",
                at,
                len(OPEN),
                "expression.when",
                "`when` is an expression already; leave the delimiters out",
            ) from None
        raise error from None
    _raise([parsed] if isinstance(parsed, TemplateError) else [])
    assert isinstance(parsed, Parsed)
    return _expression(text, 0, parsed, locate, uses)


def plain_names(source: str) -> list[str] | None:
    """The names of a plain `a.b.c`, None for anything else."""
    found = _PLAIN.match(source + CLOSE)
    return _plain(found) if found and found.end() == len(source) + len(CLOSE) else None


def plain_range(source: str) -> int | None:
    """The number of a plain `range(4)`, None for anything else."""
    found = _RANGE.fullmatch(source + CLOSE)
    return int(found.group(2)) if found else None


def _plain(found: re.Match[str]) -> list[str] | None:
    """None if a word means something else, or if there is something to complain about."""
    names = found.group(1).split(".")
    if names[0] not in NAMES or not all(map(str.isidentifier, names)):
        return None
    if names[0] == "steps" and (len(names) == 1 or (len(names) > 2 and names[2] not in _TASK_NAMES)):
        return None
    return names


_TASK_NAMES = frozenset((*ONE, *MANY))
assert not any(map(keyword.iskeyword, NAMES))  # Jinja2's own words are among Python's


def _split(text: str, inside: int) -> tuple[int, Parsed | TemplateError]:
    """The end of the expression that begins at `inside`, and what is known of it."""
    found = _PLAIN.match(text, inside)
    if found is not None:
        names = _plain(found)
        if names is not None:
            return found.end() - len(CLOSE), _plain_parsed(tuple(names), found.start(1) - inside)
    counted = _RANGE.match(text, inside)
    if counted is not None:
        return counted.end() - len(CLOSE), Parsed(counted.group(1), frozenset(), (), ())
    from speedpix_pipe.spec.analysis import split

    return split(text, inside)


@lru_cache(maxsize=4096)
def _plain_parsed(names: tuple[str, ...], offset: int) -> Parsed:
    written = ".".join(names)
    if names[0] == "steps":  # of a bare `steps.X` those who know where it stands say whether it may
        ends = list(accumulate((len(name) + 1 for name in names), initial=offset))
        use = StepUse(
            names[1],
            names[2] if len(names) > 2 else "",
            offset,
            len(".".join(names[:3])),
            names[3:],
            tuple(ends[3:-1]),
        )
        return Parsed(written, frozenset(("steps",)), (use,), ())
    return Parsed(written, frozenset(names[:1]), (), (NameUse(names, offset, len(written)),))


def _expression(source: str, base: int, parsed: Parsed, locate: Locate, uses: list[NamedPlace] | None) -> Expression:
    if uses is not None:
        uses.extend(NamedPlace(use.names, locate(base + use.offset), use.width) for use in parsed.uses)
    references = tuple(
        Reference(
            use.step,
            use.name,
            use.name in MANY,
            locate(base + use.offset),
            use.width,
            tuple((name, at - use.offset) for name, at in zip(use.path, use.offsets, strict=True)),
            use.tolerated,
        )
        for use in parsed.steps
    )
    of_fan_out = tuple(
        NamedPlace(use.names, locate(base + use.offset), use.width)
        for use in parsed.uses
        if use.names[0] in _OF_FAN_OUT
    )
    return Expression(source, parsed.normal, locate(base), references, parsed.names, of_fan_out)


def _no_bare_steps(parts: list[str | Expression], text: str) -> None:
    """`steps.X` chains only where it is all there is."""
    at = 0
    for part in parts:
        if isinstance(part, str):
            at += len(part)
            continue
        at += len(OPEN)
        for reference in part.references:
            if not reference.name:
                offset = at + len(part.source) - len(part.source.lstrip())
                raise TemplateError(
                    f"`steps.{reference.step}` inside a text", offset, reference.width, "expression.steps",
                    f"write `steps.{reference.step}.output`",
                )  # fmt: skip
        at += len(part.source) + len(CLOSE)
    assert at <= len(text)


def _raise(errors: list[TemplateError]) -> None:
    if not errors:
        return
    flat = [one for error in errors for one in (error, *error.also)]
    first = flat[0].moved(0)
    first.also = tuple(other.moved(0) for other in flat[1:])
    for other in first.also:
        other.also = ()
    raise first
