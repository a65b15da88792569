"""What `image:` operations and `expect` may say: their rules live with the steps, their places in the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from speedpix_pipe.model import Expression, FileText, ImageOperation, ListOf, Literal, MapOf, Mark, Template, Text
from speedpix_pipe.plan.checks import Judgement


def judge(operations: Sequence[ImageOperation], expect: Mapping[str, Template]) -> Iterator[Judgement]:
    """Everything wrong with one step's, as far as values are known: an expression is a value that is not."""
    if operations:
        yield from _operations(operations)
    if expect:
        yield from _expectations(expect)


def _operations(operations: Sequence[ImageOperation]) -> Iterator[Judgement]:
    from speedpix_pipe.steps.image import check_operations  # here: most specs have none

    for finding in check_operations(operations):
        operation = operations[min(finding.index, len(operations) - 1)]
        mark = _mark_of(operation.options, finding.option) or finding.mark or operation.mark
        yield Judgement(mark, "spec.image", finding.message, finding.hint)


def _expectations(expect: Mapping[str, Template]) -> Iterator[Judgement]:
    from speedpix_pipe.steps.expect import check_expectations  # likewise

    known = {path: _known(template) for path, template in expect.items()}
    for missed in check_expectations({path: value for path, value in known.items() if value is not None}):
        template = expect[missed.path]
        yield Judgement(_mark_of(template, missed.name) or template.mark, "spec.expect", missed.message, missed.hint)


def _mark_of(template: Template, name: str | None) -> Mark | None:
    entries = template.entries if isinstance(template, MapOf) else ()
    return next((entry.value.mark for entry in entries if entry.name == name), None)


def _known(template: Template) -> Any:
    """The value without what holds an expression; None where nothing is known."""
    match template:
        case Literal(value=value):
            return value
        case MapOf(entries=entries):
            return {entry.name: value for entry in entries if (value := _known(entry.value)) is not None}
        case ListOf(items=items):
            values = [_known(item) for item in items]
            return None if None in values else values
        case Expression() | Text() | FileText():
            return None
