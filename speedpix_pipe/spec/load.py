"""YAML into nodes: values as YAML 1.2 core reads them, each with its place. Every oddity of YAML ends here.

The parser's events are read one by one and never composed by PyYAML: its C composer recurses (a file of brackets
ends the process), and building values here keeps duplicate keys, tags and aliases in sight. What the values mean is
left to `schema` and `build`; the wording of YAML's own complaints to `yaml_advice`.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.spec.nearest import did_you_mean
from speedpix_pipe.spec.places import Branch, Node, Source
from speedpix_pipe.spec.scalars import NotFiniteError, core_value, has_leading_zero

MAX_BYTES = 8 * 1024 * 1024
MAX_VALUES = 200_000  # aliases written out; beyond, lists belong into a CSV or JSON file
MAX_DEPTH = 100
MAX_PROBLEMS = 200

_PARSERS_OWN_LIMIT = "nesting depth"  # libyaml 0.2.6, in PyYAML since 6.0.4, reads 1,000 levels at most
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+(?:\s|#[^\r\n]*[\r\n])*")
_UNPRINTABLE = re.compile("[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class LoadError(Exception):
    """The file cannot be read as YAML at all; nothing after this place was looked at."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def load_source(data: bytes, shown: str) -> tuple[Source, Node | None, list[Problem]]:
    """The file's text, its root (None where nothing could be read) and the problems that YAML itself has with it."""
    try:
        source = Source(shown, _decode(data, shown))
    except LoadError as error:
        return Source(shown, ""), None, [error.problem]
    reader = _Reader(source)
    try:
        _refuse_unprintable(source)
        root = reader.read()
    except LoadError as error:
        return source, None, [*reader.problems, error.problem]
    return source, root, reader.problems


def read_bytes(path: Path) -> bytes:
    """What a file holds, as far as one may be read: of a device there is no end."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _decode(data: bytes, shown: str) -> str:
    if len(data) > MAX_BYTES:
        raise LoadError(
            Problem(
                shown,
                1,
                1,
                "yaml.too-large",
                f"this file has more than {MAX_BYTES // 1024 // 1024} MiB, the most that a spec may have",
                hint="keep long lists in a CSV or JSON file and take them in with ${{ read(file('rows.csv')) }}",
            )
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        byte = data[error.start]
        problem = Problem(
            shown,
            line,
            column,
            "yaml.not-utf8",
            f"byte 0x{byte:02x} is not UTF-8; a spec is UTF-8 text",
            hint="save the file as UTF-8",
        )
        raise LoadError(problem) from None


def _refuse_unprintable(source: Source) -> None:
    match = _UNPRINTABLE.search(source.text)
    if match is None:
        return
    name = "a NUL byte" if match[0] == "\0" else f"the control character U+{ord(match[0]):04X}"
    escape = f'write it as "\\u{ord(match[0]):04x}", in double quotes, if it is meant'
    raise LoadError(
        source.problem(
            match.start(),
            "yaml.control-character",
            f"{name} cannot stand in a spec",
            hint=None if match[0] == "\0" else escape,
        )
    )


@contextmanager
def without_gc() -> Iterator[None]:
    """Nodes and steps only ever grow while a spec is read; the collector would walk all of them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Reader:
    """Builds the tree from the parser's events, with a stack of its own instead of recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._anchors: dict[str, Node] = {}
        self._stack: list[Branch] = []
        self._root: Node | None = None

    def _add(self, problem: Problem) -> None:
        """Goes on after a small mistake; a file that is wrong all over is not read to its end."""
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise LoadError(self.problems.pop())

    def read(self) -> Node | None:
        try:
            return self._parse(self.source.text)
        except yaml.YAMLError as error:
            if _PARSERS_OWN_LIMIT not in str(error):
                raise self._complaint(error) from None
            return self._read_up_to(error)

    def _read_up_to(self, error: Any) -> Node | None:
        """Meets our own limit, which comes first; the parser looks ahead, and complains before it tells of values."""
        self.problems.clear()
        self._anchors.clear()
        self._stack.clear()
        try:
            return self._parse(self.source.text[: error.problem_mark.index])
        except yaml.YAMLError as earlier:
            raise self._complaint(earlier) from None

    def _complaint(self, error: yaml.YAMLError) -> LoadError:
        from speedpix_pipe.spec.yaml_advice import explain

        return LoadError(explain(error, self.source))

    def _parse(self, text: str) -> Node | None:
        parser = _Parser(text)
        try:
            return self._read_events(parser)
        finally:
            parser.dispose()

    def _read_events(self, parser: Any) -> Node | None:
        documents = 0
        while (event := parser.get_event()) is not None:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._attach(self._scalar(event))
            elif kind is yaml.MappingStartEvent:
                self._open(event, "map", {})
            elif kind is yaml.SequenceStartEvent:
                self._open(event, "list", [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close(event.end_mark.index)
            elif kind is yaml.AliasEvent:
                self._attach(self._aliased(event), alias_at=event.start_mark.index)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    at = event.start_mark.index
                    raise LoadError(
                        self.source.problem(
                            at, "yaml.documents", "a second document begins here; a spec is one document", width=3
                        )
                    )
        return self._root

    # --- values ---

    def _scalar(self, event: Any) -> Node:
        start, end = event.start_mark.index, event.end_mark.index
        if event.tag is not None:
            self._refuse_tag(event.tag, start)
        if event.anchor is not None:
            match = _ANCHOR.match(self.source.text, start, end)
            start = match.end() if match else start  # the value itself begins behind its name
        text = event.value
        style = event.style or ""
        if style == ":":  # libyaml's name for plain
            style = ""
        node = Node(self.source, style, text, start, end)
        if not style:
            try:
                node.value = core_value(text)
            except NotFiniteError:
                self._refuse_number(node)
                node.value = 0
            if text[:1] in "0+-" and has_leading_zero(text):
                self._warn_leading_zero(node)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _refuse_number(self, node: Node) -> None:
        text = node.written()
        shown = text if len(text) <= 20 else f"{text[:20]}..."
        message = f"{shown} is not a finite number" if "." in text[:2] else f"{shown} is too large a number"
        hint = f'as a text it needs quotes: "{text}"' if len(text) < 20 else None
        self._add(node.problem("yaml.not-finite", message, hint=hint))

    def _warn_leading_zero(self, node: Node) -> None:
        text = node.written()
        self._add(
            node.problem(
                "yaml.leading-zero",
                f"{text} is read as the number {node.value}",
                hint=f'to keep the zeros, make it a text: "{text}"',
                severity=Severity.WARNING,
            )
        )

    def _refuse_tag(self, tag: str, at: int) -> None:
        written = re.match(r"![^\s,\[\]{}]*", self.source.text[at : at + 200])
        name = written[0] if written else tag
        self._add(
            self.source.problem(
                at,
                "yaml.tag",
                f"YAML tags such as {name} are not allowed",
                hint='a text that begins with "!" needs quotes',
                width=len(name),
            )
        )

    def _aliased(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        at, width = event.start_mark.index, len(event.anchor) + 1
        if node is None:
            hint = did_you_mean(event.anchor, self._anchors)
            hint = hint or f'a text that begins with "*" needs quotes: "*{event.anchor}"'
            self._add(
                self.source.problem(
                    at, "yaml.unknown-alias", f"no anchor &{event.anchor} before this place", hint=hint, width=width
                )
            )
            return Node(self.source, "", f"*{event.anchor}", at, event.end_mark.index)
        if node.open:
            raise LoadError(
                self.source.problem(
                    at, "yaml.endless-alias", f"*{event.anchor} stands inside its own anchor", width=width
                )
            )
        return node

    # --- structure ---

    def _open(self, event: Any, style: str, value: object) -> None:
        start = event.start_mark.index
        if event.tag is not None:
            self._refuse_tag(event.tag, start)
        node = Branch(self.source, style, value, start, event.end_mark.index)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._stack.append(node)
        if len(self._stack) > MAX_DEPTH:
            raise LoadError(
                self.source.problem(start, "yaml.too-deep", f"values are nested more than {MAX_DEPTH} deep here")
            )

    def _close(self, end: int) -> None:
        node = self._stack.pop()
        node.open = False
        node.end = end
        if node.merges is not None:
            self._merge(node, node.merges)
        self._attach(node)

    def _attach(self, node: Node, alias_at: int | None = None) -> None:
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        parent.size += node.size
        if parent.size > MAX_VALUES:
            self._refuse_size(node.start if alias_at is None else alias_at, aliased=alias_at is not None)
        if parent.style == "list":
            parent.items.append(node)
            parent.value.append(node.value)
        elif parent.pending is None:
            parent.pending = node
        else:
            key, parent.pending = parent.pending, None
            self._add_member(parent, key, node)

    def _refuse_size(self, at: int, *, aliased: bool) -> None:
        if aliased:
            raise LoadError(
                self.source.problem(
                    at,
                    "yaml.alias-bomb",
                    f"with this alias written out, the spec has more than {MAX_VALUES:,} values",
                    hint="repeat less: an alias to a list of aliases multiplies",
                )
            )
        raise LoadError(
            self.source.problem(
                at,
                "yaml.too-many-values",
                f"a spec may have {MAX_VALUES:,} values, and here are more",
                hint="keep long lists in a CSV or JSON file and take them in with ${{ read(file('rows.csv')) }}",
            )
        )

    def _add_member(self, parent: Branch, key: Node, node: Node) -> None:
        name = key.value
        if name == "<<" and not key.style:
            if parent.merges is not None:
                self._refuse_duplicate(parent, key)
            parent.merges = node
            parent.keys.setdefault("<<", key)
        elif not isinstance(name, str) or not name:
            self._refuse_key(key)
        elif name in parent.members:
            self._refuse_duplicate(parent, key)
        else:
            parent.members[name] = node
            parent.keys[name] = key
            parent.value[name] = node.value

    def _refuse_key(self, key: Node) -> None:
        written = key.written().strip()
        if key.value == "":
            message, hint = "an empty key names nothing", None
        elif key.is_map or key.is_list or "\n" in written or not written:
            message, hint = "a key must be a text", None
        else:
            message, hint = f"the key {written} is no text", f'put it in quotes: "{written}"'
        self._add(key.problem("yaml.key-not-text", message, hint=hint))

    def _refuse_duplicate(self, parent: Node, key: Node) -> None:
        first = parent.keys[key.value].mark
        self._add(
            key.problem(
                "yaml.duplicate-key",
                f'"{key.value}" stands twice in this mapping; first on line {first.line}',
                hint="only one of them can count: remove or rename the other",
            )
        )

    def _merge(self, node: Branch, merged: Node) -> None:
        """`<<`: what the mapping does not have itself, shallowly; of several, the first wins."""
        del node.keys["<<"]
        for origin in merged.items if merged.is_list else [merged]:
            if not origin.is_map:
                self._add(
                    merged.problem(
                        "yaml.merge",
                        "<< merges mappings, and this is none",
                        hint="write `<<: *name`, where &name stands at a mapping",
                    )
                )
                return
            for name, member in origin.members.items():
                if name not in node.members:
                    node.members[name] = member
                    node.keys[name] = origin.keys[name]
                    node.value[name] = member.value
