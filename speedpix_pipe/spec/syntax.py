"""The syntax of expressions: Jinja2's lexer and parser, with the exact place of every token.

Jinja2 gives its nodes a line number only. Here each token carries its offset in the source instead, which the
parser passes on as the "line" of the node it makes, so that a reference can be underlined to the character.
Nothing is ever compiled or run by Jinja2: `program` turns the nodes into closures.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from jinja2 import TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, operators
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment

from speedpix_pipe.spec.mentions import CLOSE, OPEN, TemplateError

_LONGEST = 20_000  # characters of one expression
_FIRST_WINDOW = 240

# The one environment for expressions of specs. Statements and comments do not exist in them: their delimiters
# are made of characters that no YAML text can hold.
ENVIRONMENT = SandboxedEnvironment(
    variable_start_string=OPEN,
    variable_end_string=CLOSE,
    block_start_string="\x00\x01",
    block_end_string="\x01\x00",
    comment_start_string="\x00\x02",
    comment_end_string="\x02\x00",
    keep_trailing_newline=True,
)
_LEXER = ENVIRONMENT.lexer
_WORDLIKE = re.compile(r"[\w'\"]")  # what must not run together with its like


class Raw(NamedTuple):
    """A token as the lexer found it; blanks are not among them."""

    offset: int
    kind: str
    text: str

    @property
    def end(self) -> int:
        return self.offset + len(self.text)


def lex(text: str, start: int) -> tuple[list[Raw], int]:
    """The tokens after a `${{` that ends at `start`, and where its `}}` begins. Offsets count from `start`."""
    window = _FIRST_WINDOW
    while True:
        whole = start + window >= len(text)
        try:
            found = _lex_piece(text[start : start + window])
        except TemplateError as error:
            if whole:
                raise error.moved(start) from None
            found = None
        if found is not None:
            return found[0], start + found[1]
        if whole:
            raise TemplateError(
                "`${{` without `}}`", start - len(OPEN), len(OPEN), "expression.unclosed",
                "write `${{ '${{' }}` for the characters themselves",
            )  # fmt: skip
        if window >= _LONGEST:
            raise TemplateError(
                f"an expression of more than {_LONGEST:,} characters",
                start - len(OPEN),
                len(OPEN),
                "expression.too-long",
            )
        window = min(window * 8, _LONGEST)


def lex_all(source: str) -> list[Raw]:
    """The tokens of a text that is an expression without delimiters."""
    if len(source) > _LONGEST:
        raise TemplateError(f"an expression of more than {_LONGEST:,} characters", 0, 1, "expression.too-long")
    found = _lex_piece(source + " " + CLOSE)
    if found is None or found[1] != len(source) + 1:
        at = source.find(CLOSE) if found is None else found[1]
        raise TemplateError("unexpected `}}`", max(at, 0), len(CLOSE))
    return found[0]


def _lex_piece(piece: str) -> tuple[list[Raw], int] | None:
    """None if `}}` is not in this piece."""
    tokens: list[Raw] = []
    offset = 0
    try:
        # A carriage return would be taken out by the lexer and move all that follows.
        for _, kind, text in _LEXER.tokeniter(piece.replace("\r", " "), None, state="variable"):
            if kind == "variable_end":
                if text != CLOSE:
                    raise TemplateError("unexpected `-`", offset, 1, hint="`-}}` means nothing here; write `}}`")
                return tokens, offset
            if kind != "whitespace":
                tokens.append(Raw(offset, kind, text))
            offset += len(text)
    except TemplateSyntaxError as error:
        raise _lexer_error(piece, offset, error.message or "") from None
    return None


def _lexer_error(piece: str, offset: int, message: str) -> TemplateError:
    at = piece[offset : offset + 1]
    if at in {"'", '"'}:
        return TemplateError(f"the text that begins here has no closing {at}", offset)
    hint = None
    if at in {"&", "!"}:
        hint = "write `and`, `or`, `not`"
    elif at == "?":
        hint = "write `a if condition else b`"
    elif at in {"“", "”", "‘", "’"}:
        hint = "write straight quotes"
    found = re.search(r"expected '(.)'$", message)
    if at == "}" and not (found and found[1] != at):
        return TemplateError("one `}` ends nothing; an expression ends with `}}`", offset)
    if at in {")", "]"} and not (found and found[1] != at):
        return TemplateError(f"no bracket is open that this `{at}` closes", offset)
    if found and piece.startswith(CLOSE, offset):
        hint = "a bracket before it is still open"
    more = f", expected `{found.group(1)}`" if found else ""
    return TemplateError(f"unexpected `{at}`{more}", offset, hint=hint)


def normal(tokens: list[Raw]) -> str:
    """The source without free white space; a blank stays where two words would run together."""
    made: list[str] = []
    last = ""
    for token in tokens:
        if last and _WORDLIKE.match(last[-1]) and _WORDLIKE.match(token.text):
            made.append(" ")
        made.append(token.text)
        last = token.text
    return "".join(made)


def parse_tokens(tokens: list[Raw], length: int) -> nodes.Expr:
    """The syntax tree; each node's `lineno` is an offset. `length` is that of the source."""
    if not tokens:
        raise TemplateError("an empty expression", 0, max(length, 1), hint="write something between `${{` and `}}`")
    try:
        stream = TokenStream(_converted(tokens), None, None)
        parser = _OffsetParser(stream)
        tree = parser.parse_expression()
    except TemplateSyntaxError as error:
        raise _parser_error(tokens, error) from None
    except RecursionError:
        raise TemplateError("an expression nested too deeply", tokens[0].offset, code="expression.too-long") from None
    if not stream.eos:
        raise _unexpected(tokens, stream.current.lineno)
    return tree


class _OffsetParser(Parser):
    """Jinja2's parser, fed with tokens that are already there."""

    def __init__(self, stream: TokenStream) -> None:  # the parent would lex a source
        self.environment = ENVIRONMENT
        self.stream = stream
        self.name = self.filename = None
        self.closed = False
        self.extensions = {}
        self._last_identifier = 0
        self._tag_stack = []
        self._end_token_stack = []


def _converted(tokens: list[Raw]) -> Iterator[Token]:
    for offset, kind, text in tokens:
        if kind == "operator":
            yield Token(offset, operators[text], text)
        elif kind == "name":
            if not text.isidentifier():
                raise TemplateError(f"`{text}` is no name", offset, len(text))
            yield Token(offset, kind, text)
        elif kind == "string":
            yield Token(offset, kind, _unescaped(offset, text))
        else:
            yield Token(offset, kind, _number(offset, kind, text))  # type: ignore[arg-type]  # likewise


def _number(offset: int, kind: str, text: str) -> int | float:
    digits = text.replace("_", "")
    try:
        value = int(digits, 0) if kind == "integer" else float(digits)
    except ValueError:
        raise TemplateError("a number that is too long", offset, len(text)) from None
    if value in {float("inf"), float("-inf")}:
        raise TemplateError("a number that is too large", offset, len(text))
    return value


def _unescaped(offset: int, text: str) -> str:
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `\d` stays as it is, as in Jinja2
            value = inner.encode("ascii", "backslashreplace").decode("unicode-escape")
        value.encode()
    except ValueError:
        raise TemplateError("a backslash that stands for no character", offset, len(text)) from None
    return value


def _parser_error(tokens: list[Raw], error: TemplateSyntaxError) -> TemplateError:
    message = error.message or ""
    if "end of template" in message:
        last = tokens[-1]
        wanted = re.match(r"expected token '(.+?)', got", message)
        more = f", expected `{wanted.group(1)}`" if wanted else ""
        return TemplateError(f"the expression ends too early{more}", last.offset, len(last.text))
    if message == "expected name or number":
        return TemplateError("a name is missing after `.`", error.lineno)
    if message.startswith(("unexpected", "expected")):
        found = _unexpected(tokens, error.lineno)
        wanted = re.match(r"expected token '(.+?)', got", message)
        if wanted:
            found = TemplateError(
                f"{found.message}, expected `{wanted.group(1)}`", found.offset, found.width, hint=found.hint
            )
        return found
    return TemplateError(message[:1].lower() + message[1:], error.lineno)


def _unexpected(tokens: list[Raw], offset: int) -> TemplateError:
    at = next((token for token in tokens if token.offset >= offset), tokens[-1])
    hint = None
    if at.text == "=":
        hint = "write `==` to compare"
    elif at.text == "|":
        hint = "write `or`" if tokens[tokens.index(at) - 1].text == "|" else None
    return TemplateError(f"unexpected `{at.text}`", at.offset, len(at.text), hint=hint)
