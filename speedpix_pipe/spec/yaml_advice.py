"""YAML's own complaints, translated: what the author most likely meant, and how to write it.

Imported only when a file could not be read as YAML.
"""

from __future__ import annotations

import re

import yaml

from speedpix_pipe.errors import Problem
from speedpix_pipe.spec.places import Source

_BLOCK_HEADER = re.compile(r"[|>]\S*[ \t]+[^#\s]")
_NO_SPACE_AFTER_COLON = re.compile(r"[ \t]*(?:- )?([^\s:#'\"\[{]+):([^\s/].*)")


def explain(error: yaml.YAMLError, source: Source) -> Problem:
    """One good problem for what the parser could not read."""
    at = _offset(error, source)
    complaint = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    context = str(getattr(error, "context", None) or "")
    context_mark = getattr(error, "context_mark", None)
    opened_at = context_mark.index if context_mark is not None else at
    for advice in (_expression, _tab, _star, _block_header, _reserved):
        found = advice(source, at, complaint, context)
        if found is not None:
            return found
    return _structure(source, at, opened_at, complaint, context)


def _offset(error: yaml.YAMLError, source: Source) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return min(int(mark.index), len(source.text))
    position = getattr(error, "position", 0)
    return min(int(position), len(source.text)) if isinstance(position, int) else 0


def _line_around(source: Source, at: int) -> tuple[int, str]:
    begin = source.text.rfind("\n", 0, at) + 1
    end = source.text.find("\n", at)
    return begin, source.text[begin : len(source.text) if end < 0 else end]


def _expression(source: Source, at: int, complaint: str, context: str) -> Problem | None:
    """An unquoted `${{` in a flow mapping, or one that contains `: `."""
    begin = source.text.rfind("${{", 0, at + 2)
    line_begin, line = _line_around(source, at)
    if begin < line_begin or (at - begin > 2 and source.text.find("}}", begin, at) >= 0 and "mapping values" not in complaint):
        return None
    end = source.text.find("}}", begin)
    if end < 0 or "\n" in source.text[begin:end]:
        end = line_begin + len(line) - 2
    if source.text[begin - 1 : begin] in ("'", '"'):
        return None
    written = source.text[begin : end + 2]
    if "mapping values" in complaint:
        why = "an expression that contains `: ` needs quotes around the whole value"
    else:
        why = "an expression inside { } or [ ] needs quotes"
    return source.problem(
        begin, "yaml.unquoted-expression", why, hint=f"write {_quoted(written)}", width=len(written)
    )


def _quoted(text: str) -> str:
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def _tab(source: Source, at: int, complaint: str, context: str) -> Problem | None:
    line_begin, line = _line_around(source, at)
    blank = line[: len(line) - len(line.lstrip())]
    if source.text[at : at + 1] != "\t" and "\t" not in blank:
        return None
    place = at if source.text[at : at + 1] == "\t" else line_begin + blank.index("\t")
    return source.problem(
        place, "yaml.tab", "a tab cannot indent in YAML", hint="indent with spaces, two for each level"
    )


def _star(source: Source, at: int, complaint: str, context: str) -> Problem | None:
    """A pattern that begins with `*` reads as an alias."""
    begin = source.text.rfind("*", 0, at + 1)
    if "alias" not in context or begin < 0:
        return None
    match = re.match(r"\*[^\s,\]}#]*", source.text[begin:])
    written = match[0] if match else "*"
    return source.problem(
        begin,
        "yaml.unquoted-star",
        f"{written} is read as a YAML alias, because it begins with *",
        hint=f'a pattern that begins with * needs quotes: "{written}"',
        width=len(written),
    )


def _block_header(source: Source, at: int, complaint: str, context: str) -> Problem | None:
    """`when: > 3` begins a folded text."""
    if "block scalar" not in context:
        return None
    line_begin, line = _line_around(source, at)
    match = _BLOCK_HEADER.search(line)
    if match is None:
        return None
    rest = line[match.start() :].strip()
    return source.problem(
        line_begin + match.start(),
        "yaml.block-header",
        f"{rest[0]} at the beginning of a value starts a block of text in YAML, and `{rest[1:].strip()}` cannot follow it",
        hint=f'put the value in quotes, or write the left side too: "item.size {rest}"',
        width=len(rest),
    )


def _reserved(source: Source, at: int, complaint: str, context: str) -> Problem | None:
    char = source.text[at : at + 1]
    if "cannot start any token" not in complaint or char not in ("@", "`", "%", "|", ">"):
        return None
    line_begin, line = _line_around(source, at)
    rest = re.split(r"[,\]}]", line[at - line_begin :])[0].strip()
    return source.problem(
        at, "yaml.reserved", f"a text that begins with {char} needs quotes", hint=f"write {_quoted(rest)}", width=len(rest)
    )


def _structure(source: Source, at: int, opened_at: int, complaint: str, context: str) -> Problem:
    line_begin, line = _line_around(source, at)
    if "escape" in complaint:
        return source.problem(
            at,
            "yaml.escape",
            "in double quotes a backslash begins an escape, and this is none",
            hint="use single quotes, in which a backslash is only a backslash",
        )
    if "mapping values" in complaint:
        glued = _glued_key_above(source, line_begin)
        if glued is not None and source.text[line_begin:at].count(":") == 0:
            return glued
        return source.problem(
            at,
            "yaml.colon",
            "a second `: ` on this line, or a line that is indented too far",
            hint="a text that contains `: ` needs quotes; the keys of one mapping stand in one column",
        )
    if "expected ':'" in complaint:
        return _missing_colon(source, opened_at)
    if "quoted scalar" in context:
        return source.problem(opened_at, "yaml.quote", "this quote is never closed", hint=_quote_hint(source, opened_at))
    if "flow" in context:
        opening = source.text[opened_at : opened_at + 1]
        closing = {"[": "]", "{": "}"}.get(opening, "its end")
        return source.problem(
            at if at < len(source.text.rstrip()) else opened_at,
            "yaml.flow",
            f"between {opening} and {closing} YAML expected a comma or {closing} here",
            hint="texts that contain , [ ] { } need quotes there",
        )
    before = source.text[at - 1 : at]
    if before in ("'", '"') and at > line_begin and line[: at - line_begin].count(before) > 1:
        return source.problem(
            at,
            "yaml.after-quote",
            "the quoted text ended just before this place, and nothing may follow it",
            hint=_quote_hint(source, at - 1),
        )
    if "block mapping" in context or "block collection" in context or "block sequence" in context:
        return source.problem(
            at,
            "yaml.indentation",
            "this line does not fit the indentation of the lines before it",
            hint="the keys of one mapping, and the dashes of one list, stand in one column",
            width=max(1, len(line.strip())),
        )
    said = f"{complaint} {context}".strip()
    return source.problem(at, "yaml.syntax", f"YAML cannot read this: {said}")


def _glued_key_above(source: Source, line_begin: int) -> Problem | None:
    """`for_each:x` reads as a text; the complaint comes with the colon of the next line."""
    above, line = _line_around(source, max(line_begin - 1, 0))
    match = _NO_SPACE_AFTER_COLON.match(line) if above < line_begin else None
    return _glued(source, above, match) if match else None


def _glued(source: Source, line_begin: int, match: re.Match[str]) -> Problem:
    return source.problem(
        line_begin + match.start(1),
        "yaml.colon-space",
        f"`{match[1]}:` needs a space after its colon",
        hint=f"write `{match[1]}: {match[2].strip()}`",
        width=len(match[1]) + 1,
    )


def _missing_colon(source: Source, opened_at: int) -> Problem:
    begin, line = _line_around(source, opened_at)
    match = _NO_SPACE_AFTER_COLON.match(line)
    if match:
        return _glued(source, begin, match)
    text = line.strip()
    return source.problem(
        begin + len(line) - len(line.lstrip()),
        "yaml.missing-colon",
        f"`{text[:60]}` is neither a key with its value nor part of the value before it",
        hint="a key ends in a colon and a space",
        width=max(1, len(text)),
    )


def _quote_hint(source: Source, at: int) -> str:
    if source.text[at : at + 1] == "'":
        return "inside single quotes, a quote is written twice: 'it''s'"
    return 'inside double quotes, a quote is written \\"'
