"""Filters that make text. Each refuses beforehand what would come out too long."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import filters as jinja
from jinja2.nodes import EvalContext

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FileValue
from speedpix_pipe.spec.budget import SLOW_TEXT_LIMIT, TEXT_LIMIT, Evaluation, too_much
from speedpix_pipe.spec.operators import formatted
from speedpix_pipe.spec.syntax import ENVIRONMENT
from speedpix_pipe.spec.values import as_json_text, as_text, attribute, described

Filter = Callable[..., Any]


def _linear(function: Callable[..., str]) -> Filter:
    """A filter whose result is about as long as its text."""

    def linear(ev: Evaluation, value: Any, *args: Any, **kwargs: Any) -> str:
        text = as_text(value)
        ev.spend(len(text))
        return str(function(text, *args, **kwargs))

    return linear


def _slow(function: Callable[..., str]) -> Filter:
    """A filter that takes its time, or whose result is several times as long."""

    def slow(ev: Evaluation, value: Any, *args: Any, **kwargs: Any) -> str:
        text = as_text(value)
        if len(text) > SLOW_TEXT_LIMIT:
            raise too_much(f"a text of more than {SLOW_TEXT_LIMIT:,} characters for this filter")
        ev.spend(len(text) * 12)
        return str(function(text, *args, **kwargs))

    return slow


def whole(value: Any, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"{what} must be a whole number, not {described(value)}")


def _center(ev: Evaluation, value: Any, width: Any = 80) -> str:
    ev.text(max(whole(width, "the width"), 0))
    return as_text(value).center(width)


def _indent(ev: Evaluation, value: Any, width: Any = 4, first: bool = False, blank: bool = False) -> str:  # noqa: FBT001, FBT002 - Jinja2's signature
    text = as_text(value)
    step = len(width) if isinstance(width, str) else whole(width, "the width")
    ev.text(len(text) + (text.count("\n") + 1) * max(step, 0))
    return str(jinja.do_indent(text, width, first, blank))


def replaced(ev: Evaluation, value: Any, old: Any, new: Any, count: Any = None) -> str:
    text, old, new = as_text(value), as_text(old), as_text(new)
    times = text.count(old) if count is None else min(text.count(old), whole(count, "the count"))
    size = len(text) + max(times, 0) * (len(new) - len(old))
    if size > len(text):
        ev.text(size)
    else:
        ev.spend(size)
    return text.replace(old, new, -1 if count is None else count)


def _wordwrap(
    ev: Evaluation,
    value: Any,
    width: Any = 79,
    break_long_words: bool = True,  # noqa: FBT001, FBT002 - Jinja2's signature
    wrapstring: Any = "\n",
    break_on_hyphens: bool = True,  # noqa: FBT001, FBT002 - likewise
) -> str:
    text = as_text(value)
    if len(text) > SLOW_TEXT_LIMIT:
        raise too_much(f"a text of more than {SLOW_TEXT_LIMIT:,} characters for this filter")
    if whole(width, "the width") < 1:
        raise ExpressionError("the width must be at least 1")
    ev.text(len(text) * (1 + len(as_text(wrapstring))) if len(wrapstring) > 1 else len(text) * 2)
    return str(jinja.do_wordwrap(ENVIRONMENT, text, width, break_long_words, wrapstring, break_on_hyphens))


def _truncate(
    ev: Evaluation,
    value: Any,
    length: Any = 255,
    killwords: bool = False,  # noqa: FBT001, FBT002 - Jinja2's signature
    end: Any = "...",
    leeway: Any = None,
) -> str:
    text = as_text(value)
    ev.spend(len(text))
    if whole(length, "the length") < len(as_text(end)):
        raise ExpressionError(f"a length of {length} has no room for {described(end)}")
    return str(jinja.do_truncate(ENVIRONMENT, text, length, killwords, end, leeway))


def _tojson(ev: Evaluation, value: Any, indent: Any = None) -> str:
    if indent is not None and not 0 <= whole(indent, "the indent") <= 16:
        raise ExpressionError("the indent must be from 0 to 16")
    return as_json_text(ev, value, indent)


def _pprint(ev: Evaluation, value: Any) -> str:
    return as_json_text(ev, value, 2)


def _urlencode(ev: Evaluation, value: Any) -> str:
    if isinstance(value, Mapping):
        return str(jinja.do_urlencode({key: as_text(inner) for key, inner in value.items()}))
    return str(_slow(jinja.do_urlencode)(ev, value))


def _xmlattr(_ev: Evaluation, value: Any, autospace: bool = True) -> str:  # noqa: FBT001, FBT002 - Jinja2's signature
    if not isinstance(value, Mapping):
        raise ExpressionError(f"`xmlattr` needs an object, not {described(value)}")
    given = {key: None if inner is None else as_text(inner) for key, inner in value.items()}
    return str(jinja.do_xmlattr(EvalContext(ENVIRONMENT), given, autospace))


def _urlize(text: str, *args: Any, **kwargs: Any) -> str:
    return str(jinja.do_urlize(EvalContext(ENVIRONMENT), text, *args, **kwargs))


def _wordcount(_ev: Evaluation, value: Any) -> int:
    return int(jinja.do_wordcount(as_text(value)))


def _filesizeformat(_ev: Evaluation, value: Any, binary: bool = False) -> str:  # noqa: FBT001, FBT002 - Jinja2's signature
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"`filesizeformat` needs a number, not {described(value)}")
    return str(jinja.do_filesizeformat(value, binary))


def _format(ev: Evaluation, value: Any, *args: Any, **kwargs: Any) -> str:
    return formatted(ev, as_text(value), *args, **kwargs)


def _stem(_ev: Evaluation, value: Any) -> str:
    """The name without folder and suffix, of a file or of a path as text."""
    if isinstance(value, FileValue):
        return value.stem
    return os.path.splitext(as_text(value).rpartition("/")[2])[0]  # noqa: PTH122 - it is a text, a path or not


def slug(text: str) -> str:
    """Letters, digits and `_` of any script in small letters, `-` between them."""
    kept = "".join(
        character if character == "_" or unicodedata.category(character)[0] in "LNM" else "-"
        for character in unicodedata.normalize("NFKC", text).lower()
    )
    return re.sub("-+", "-", kept).strip("-")


def _trim(text: str, characters: Any = None) -> str:
    return text.strip(None if characters is None else as_text(characters))


def _attr(_ev: Evaluation, value: Any, name: Any) -> Any:
    return attribute(value, as_text(name), "the value")


def _escaped(text: str) -> str:
    import html  # with all its entities; few specs write HTML

    return html.escape(text)


TEXT_FILTERS: dict[str, Filter] = {
    "attr": _attr,
    "capitalize": _linear(str.capitalize),
    "center": _center,
    "e": _slow(_escaped),
    "escape": _slow(_escaped),
    "filesizeformat": _filesizeformat,
    "forceescape": _slow(_escaped),
    "format": _format,
    "indent": _indent,
    "lower": _linear(str.lower),
    "pprint": _pprint,
    "replace": replaced,
    "safe": _linear(str),
    "slug": _slow(slug),
    "stem": _stem,
    "string": _linear(str),
    "striptags": _slow(jinja.do_striptags),
    "title": _slow(jinja.do_title),
    "tojson": _tojson,
    "trim": _linear(_trim),
    "truncate": _truncate,
    "upper": _linear(str.upper),
    "urlencode": _urlencode,
    "urlize": _slow(_urlize),
    "wordcount": _wordcount,
    "wordwrap": _wordwrap,
    "xmlattr": _xmlattr,
}

# What may be called on a text with a dot. Nothing that formats, encodes or translates.
TEXT_METHODS = frozenset(
    {
        *("capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii"),
        *("isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower"),
        *("lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition"),
        *("rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper"),
        *("center", "ljust", "rjust", "zfill"),
    }
)


def call_method(ev: Evaluation, text: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`text.name(...)`."""
    ev.tick()
    if name == "replace":
        return replaced(ev, text, *args, **kwargs)
    if name in {"center", "ljust", "rjust", "zfill"} and args:
        ev.text(whole(args[0], "the width"))
    elif name == "join" and args:
        texts = [as_text(one) for one in ev.each(args[0])]
        ev.text(sum(map(len, texts)) + len(text) * len(texts))
        args = [texts]
    elif len(text) > TEXT_LIMIT * 16:
        raise too_much("a text of more than 16 MiB")
    try:
        found = getattr(text, name)(*args, **kwargs)
    except (TypeError, ValueError) as error:
        raise ExpressionError(f".{name}(): {error}") from None
    if isinstance(found, list | tuple):
        ev.elements(len(found))
        return list(found)
    return found
