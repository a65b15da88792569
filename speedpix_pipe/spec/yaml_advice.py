"""YAML's own complaints, translated: what the author most likely meant, and how to write it.

Imported only when a file could not be read as YAML.
"""

from __future__ import annotations

import re

import yaml

from speedpix_pipe.errors import Problem
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.places import Source

_BLOCK_HEADER = re.compile(r"[|>]\S*[ \t]+[^#\s]")
_NO_SPACE_AFTER_COLON = re.compile(r"[ \t]*(?:- )?([^\s:#'\"\[{]+):([^\s/].*)")


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What the parser said, and where; `opened_at` is the beginning of what it was reading."""

    source: Source
    at: int
    opened_at: int
    said: str
    context: str

    @property
    def char(self) -> str:
        return self.source.text[self.at : self.at + 1]

    @property
    def line_begin(self) -> int:
        return _line_around(self.source, self.at)[0]

    @property
    def line(self) -> str:
        return _line_around(self.source, self.at)[1]


def explain(error: yaml.YAMLError, source: Source) -> Problem:
    """One good problem for what the parser could not read."""
    at = _offset(error, source)
    context_mark = getattr(error, "context_mark", None)
    complaint = _Complaint(
        source,
        at,
        opened_at=context_mark.index if context_mark is not None else at,
        said=str(getattr(error, "problem", None) or getattr(error, "reason", None) or error),
        context=str(getattr(error, "context", None) or ""),
    )
    for advice in (_expression, _tab, _star, _block_header, _reserved, _escape, _colon, _quote, _flow, _indentation):
        found = advice(complaint)
        if found is not None:
            return found
    said = f"{complaint.said} {complaint.context}".strip()
    return source.problem(at, "yaml.syntax", f"YAML cannot read this: {said}")


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


def _expression(complaint: _Complaint) -> Problem | None:
    """An unquoted `${{` in a flow mapping, or one that contains `: `."""
    text, at, line_begin = complaint.source.text, complaint.at, complaint.line_begin
    second_colon = "mapping values" in complaint.said
    begin = text.rfind("${{", 0, at + 2)
    if begin < line_begin or text[begin - 1 : begin] in ("'", '"'):
        return None
    if at - begin > 2 and text.find("}}", begin, at) >= 0 and not second_colon:
        return None
    if _text_before(text[line_begin:begin]).startswith(("'", '"')):
        return None  # it is quoted, and by the kind of quotes that it has inside
    end = text.find("}}", begin)
    if end < 0 or "\n" in text[begin:end]:
        end = line_begin + len(complaint.line) - 2
    written = text[begin : end + 2]
    why = "an expression inside { } or [ ] needs quotes"
    if second_colon:
        why = "an expression that contains `: ` needs quotes around the whole value"
    whole = (
        _text_before(text[line_begin:begin]) + written + _text_after(text[end + 2 : line_begin + len(complaint.line)])
    )
    return complaint.source.problem(
        begin, "yaml.unquoted-expression", why, hint=f"write {_quoted(whole)}", width=len(written)
    )


def _text_before(line: str) -> str:
    """The part of the value that stands before its first expression."""
    return re.split(r": |[,\[{] *|^ *- ", line)[-1].lstrip()


def _text_after(line: str) -> str:
    """What follows up to the end of the value, further expressions included."""
    found = re.match(r"(?:\$\{\{.*?\}\}|[^,\]}])*", line)
    return re.split(" #", found[0] if found else "")[0].rstrip()


def _quoted(text: str) -> str:
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def _tab(complaint: _Complaint) -> Problem | None:
    line = complaint.line
    blank = line[: len(line) - len(line.lstrip())]
    if complaint.char != "\t" and "\t" not in blank:
        return None
    place = complaint.at if complaint.char == "\t" else complaint.line_begin + blank.index("\t")
    hint = "indent with spaces, two for each level"
    return complaint.source.problem(place, "yaml.tab", "a tab cannot indent in YAML", hint=hint)


def _star(complaint: _Complaint) -> Problem | None:
    """A pattern that begins with `*` reads as an alias."""
    text = complaint.source.text
    begin = text.rfind("*", 0, complaint.at + 1)
    if "alias" not in complaint.context or begin < 0:
        return None
    while text[begin - 1 : begin] == "*":
        begin -= 1
    match = re.match(r"\*[^\s,\]}#]*", text[begin : begin + 200])
    written = match[0] if match else "*"
    return complaint.source.problem(
        begin,
        "yaml.unquoted-star",
        f"{written} is read as a YAML alias, because it begins with *",
        hint=f'a pattern that begins with * needs quotes: "{written}"',
        width=len(written),
    )


def _block_header(complaint: _Complaint) -> Problem | None:
    """`when: > 3` begins a folded text."""
    match = _BLOCK_HEADER.search(complaint.line) if "block scalar" in complaint.context else None
    if match is None:
        return None
    rest = complaint.line[match.start() :].strip()
    return complaint.source.problem(
        complaint.line_begin + match.start(),
        "yaml.block-header",
        f"{rest[0]} at the beginning of a value starts a block of text in YAML; `{rest[1:].strip()}` cannot follow it",
        hint=f'put the value in quotes, or write the left side too: "item.size {rest}"',
        width=len(rest),
    )


def _reserved(complaint: _Complaint) -> Problem | None:
    if "cannot start any token" not in complaint.said or complaint.char not in ("@", "`", "%", "|", ">"):
        return None
    rest = re.split(r"[,\]}]", complaint.line[complaint.at - complaint.line_begin :])[0].strip()
    return complaint.source.problem(
        complaint.at,
        "yaml.reserved",
        f"a text that begins with {complaint.char} needs quotes",
        hint=f"write {_quoted(rest)}",
        width=len(rest),
    )


def _escape(complaint: _Complaint) -> Problem | None:
    if "escape" not in complaint.said:
        return None
    return complaint.source.problem(
        complaint.at,
        "yaml.escape",
        "in double quotes a backslash begins an escape, and this is none",
        hint="use single quotes, in which a backslash is only a backslash",
    )


def _colon(complaint: _Complaint) -> Problem | None:
    if "expected ':'" in complaint.said:
        return _missing_colon(complaint.source, complaint.opened_at)
    if "mapping values" not in complaint.said:
        return None
    if ":" not in complaint.source.text[complaint.line_begin : complaint.at]:
        glued = _glued_key_above(complaint.source, complaint.line_begin)
        if glued is not None:
            return glued
    return complaint.source.problem(
        complaint.at,
        "yaml.colon",
        "a second `: ` on this line, or a line that is indented too far",
        hint="a text that contains `: ` needs quotes; the keys of one mapping stand in one column",
    )


def _quote(complaint: _Complaint) -> Problem | None:
    source, at = complaint.source, complaint.at
    if "quoted scalar" in complaint.context:
        hint = _quote_hint(source, complaint.opened_at)
        return source.problem(complaint.opened_at, "yaml.quote", "this quote is never closed", hint=hint)
    before = source.text[at - 1 : at] if at > complaint.line_begin else ""
    if before not in ("'", '"') or source.text.count(before, complaint.line_begin, at) < 2:
        return None
    return source.problem(
        at,
        "yaml.after-quote",
        "the quoted text ended just before this place, and nothing may follow it",
        hint=_quote_hint(source, at - 1),
    )


def _flow(complaint: _Complaint) -> Problem | None:
    if "flow" not in complaint.context:
        return None
    source = complaint.source
    opened_at, opening = complaint.opened_at, source.text[complaint.opened_at : complaint.opened_at + 1]
    if opening not in ("[", "{"):
        opened_at = max(source.text.rfind("[", 0, complaint.at), source.text.rfind("{", 0, complaint.at))
        opening = source.text[opened_at : opened_at + 1]
    closing = {"[": "]", "{": "}"}.get(opening, "its end")
    hint = "texts that contain , [ ] { } need quotes there"
    if complaint.at >= len(source.text.rstrip()) or opened_at < complaint.line_begin:
        message = f"this {opening} is never closed, or a comma is missing after it"
        return source.problem(opened_at, "yaml.flow", message, hint=hint)
    message = f"after {opening}, a comma or {closing} was expected here"
    return source.problem(complaint.at, "yaml.flow", message, hint=hint)


def _indentation(complaint: _Complaint) -> Problem | None:
    if not any(word in complaint.context for word in ("block mapping", "block collection", "block sequence")):
        return None
    return complaint.source.problem(
        complaint.at,
        "yaml.indentation",
        "this line does not fit the indentation of the lines before it",
        hint="the keys of one mapping, and the dashes of one list, stand in one column",
        width=max(1, len(complaint.line.strip())),
    )


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
