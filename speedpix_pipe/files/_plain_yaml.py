"""YAML as a data file has it: the JSON values of YAML 1.2, no tags, no dates, no `yes`.

Specs are loaded by `spec.load`, which knows every place; here only the value counts.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from speedpix_pipe.model import Json

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml where it was built in

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_CORE_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")}


def plain_yaml(text: str, limit: int) -> Json:
    """The value of a YAML text whose aliases repeat at most `limit` nodes. ValueError if it is wrong."""
    try:
        root = yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    return None if root is None else _Builder(limit).value(root)


class _Builder:
    def __init__(self, limit: int) -> None:
        self.left = limit
        self.seen: set[int] = set()

    def value(self, node: yaml.Node, *, again: bool = False) -> Json:
        if again:
            self.left -= 1
            if self.left < 0:
                raise ValueError("too many values once its aliases are written out")
        if node.tag not in _CORE_TAGS and not node.tag.startswith("tag:yaml.org,2002:"):
            raise _wrong(node, f"the tag {node.tag} is not allowed")
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else _plain(node)
        again = again or id(node) in self.seen
        self.seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(inner, again=again) for inner in node.value]
        made: dict[str, Json] = {}
        for key, inner in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _wrong(key, "a key that is no text")
            if key.value in made:
                raise _wrong(key, f"the key {key.value!r} stands twice")
            made[key.value] = self.value(inner, again=again)
        return made


def _plain(node: yaml.ScalarNode) -> Json:
    text: str = node.value
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.match(text):
        return int(text)
    if _OTHER_BASE.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        number = float(text)
        if math.isfinite(number):
            return number
    if text.lower().lstrip("+-") in {".inf", ".nan"}:
        raise _wrong(node, f"{text} is no number that JSON has")
    return text


def _wrong(node: yaml.Node, why: str) -> ValueError:
    return ValueError(f"line {node.start_mark.line + 1}: {why}")
