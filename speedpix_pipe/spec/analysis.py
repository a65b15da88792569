"""An expression that is no plain name, taken apart: by Jinja2's parser, and by what we make of its tree.

Imported when there is one. Many specs have none, and Jinja2 takes a tenth of their time.
"""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from speedpix_pipe.model import Json
from speedpix_pipe.spec.mentions import Parsed, TemplateError
from speedpix_pipe.spec.references import inspect
from speedpix_pipe.spec.syntax import Raw, lex, lex_all, normal, parse_tokens

_known: dict[str, Parsed | TemplateError] = {}


def split(text: str, inside: int) -> tuple[int, Parsed | TemplateError]:
    """The end of the expression that begins at `inside`, and what is known of it."""
    tokens, end = lex(text, inside)
    return end, _analysed(text[inside:end], tokens)


def whole(source: str) -> Parsed | TemplateError:
    """What is known of a text that is an expression without delimiters. TemplateError where it has no end."""
    return _analysed(source, lex_all(source))


def tree_of(source: str) -> nodes.Expr:
    """The syntax tree of the source of an expression that was parsed before."""
    return parse_tokens(lex_all(source), len(source))


def first_arguments(source: str, function: str) -> Iterator[Json]:
    """What is written as the first argument in calls of a function, where that is a value and no expression."""
    tree = tree_of(source)
    for call in (*([tree] if isinstance(tree, nodes.Call) else []), *tree.find_all(nodes.Call)):
        first = call.args[0] if call.args else None
        if isinstance(call.node, nodes.Name) and call.node.name == function and isinstance(first, nodes.Const):
            yield first.value


def _analysed(source: str, tokens: list[Raw]) -> Parsed | TemplateError:
    """Parsed once for each source; `tokens` are those of the source."""
    found = _known.get(source)
    if found is None:
        if len(_known) > 20_000:
            _known.clear()
        found = _known[source] = _analyse(source, tokens)
    return found


def _analyse(source: str, tokens: list[Raw]) -> Parsed | TemplateError:
    try:
        findings = inspect(parse_tokens(tokens, len(source)), tokens)
    except TemplateError as error:
        return error
    except RecursionError:
        return TemplateError("an expression nested too deeply", 0, 1, "expression.too-long")
    if findings.errors:
        first, *others = sorted(findings.errors, key=lambda error: error.offset)
        first.also = tuple(others)
        return first
    names = {use.names[0] for use in findings.uses} | ({"steps"} if findings.steps else set())
    return Parsed(normal(tokens), frozenset(names), tuple(findings.steps), tuple(findings.uses))
