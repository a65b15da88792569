"""Expressions at work: a template and a scope in, a value out.

The language is Jinja2's, parsed by Jinja2 (`syntax`), but evaluated by closures of our own (`program`): that is
what lets every undefined value, every loop and every byte be accounted for, and what makes them quick.
"""

from __future__ import annotations

from typing import Any

from speedpix_pipe.errors import AbsentError, ExpressionError
from speedpix_pipe.files import FolderFiles, safe_file_name
from speedpix_pipe.model import Expression, FileText, ListOf, Literal, MapOf, Template, Text
from speedpix_pipe.spec.budget import Evaluation
from speedpix_pipe.spec.functions import call_function
from speedpix_pipe.spec.scope import ABSENT, MISSING, Scope, StepsView, TaskView
from speedpix_pipe.spec.templates import plain_names, plain_range
from speedpix_pipe.spec.values import Undefined, as_text
from speedpix_pipe.spec.walk import Closure, walk

__all__ = ["ABSENT", "MISSING", "Scope", "StepsView", "TaskView", "evaluate", "render"]

_MOST_PROGRAMS = 50_000
_URLS = ("http://", "https://", "data:")
_programs: dict[str, Closure] = {}


def evaluate(expression: Expression, scope: Scope) -> Any:
    """The expression's own value and type. AbsentError if a task without output is to blame, else ExpressionError."""
    try:
        value = (_programs.get(expression.source) or _program(expression.source))(Evaluation(scope))
    except ExpressionError as error:
        if error.where is not None:
            raise
        raise _placed(error, expression) from None
    except RecursionError:
        raise _placed(ExpressionError("a value nested too deeply"), expression) from None
    except OverflowError:
        raise _placed(ExpressionError("the result is too large for a number"), expression) from None
    except (OSError, ValueError, TypeError, MemoryError) as error:
        raise _placed(ExpressionError(str(error) or type(error).__name__), expression) from error
    kind = value.__class__
    if kind is Undefined:
        raise _placed(value.error(), expression)
    return list(value) if kind is range else value


def render(template: Template, scope: Scope) -> Any:
    """The value of a template: an expression's own, a text joined from its pieces, lists and objects of these."""
    if isinstance(template, Expression):
        return evaluate(template, scope)
    if isinstance(template, Literal):
        return template.value
    if isinstance(template, Text):
        return "".join([part if isinstance(part, str) else _piece(part, scope) for part in template.parts])
    if isinstance(template, MapOf):
        return {entry.name: render(entry.value, scope) for entry in template.entries}
    if isinstance(template, FileText):
        return _file(template, scope)
    assert isinstance(template, ListOf)
    return [render(item, scope) for item in template.items]


def _file(template: FileText, scope: Scope) -> Any:
    """A text of the spec that names a file. One that turns out to be a URL is sent as it is."""
    text = render(template.value, scope)
    if text.startswith(_URLS):
        return text
    files = scope.files or FolderFiles(scope.folder)
    try:
        return files.file(_kept_below(template.value, text))
    except ExpressionError as error:
        raise ExpressionError(error.message, code=error.code, hint=error.hint, where=str(template.mark)) from None


def _kept_below(written: Literal | Text, text: str) -> str:
    """The text as rendered, if its values keep it below what the author wrote before the first of them."""
    if isinstance(written, Literal):
        return text
    fixed = written.parts[0] if isinstance(written.parts[0], str) else ""
    return safe_file_name(fixed, text[len(fixed) :])


def _piece(expression: Expression, scope: Scope) -> str:
    value = evaluate(expression, scope)
    if value.__class__ is str:
        return value
    try:
        return as_text(value)
    except ExpressionError as error:
        raise _placed(error, expression) from None


def _program(source: str) -> Closure:
    """Compiled once for each source."""
    if len(_programs) >= _MOST_PROGRAMS:
        _programs.clear()
    names = plain_names(source)
    closure = _programs[source] = walk(names[0], names[1:]) if names else _compiled(source)
    return closure


def _compiled(source: str) -> Closure:
    count = plain_range(source)
    if count is not None:
        return lambda ev: call_function(ev, "range", [count], {})
    from speedpix_pipe.spec.analysis import tree_of
    from speedpix_pipe.spec.program import lenient

    return lenient(tree_of(source))


def _placed(error: ExpressionError, expression: Expression) -> ExpressionError:
    if isinstance(error, AbsentError):
        return AbsentError(error.message, hint=error.hint, where=str(expression.mark))
    return ExpressionError(error.message, code=error.code, hint=error.hint, where=str(expression.mark))
