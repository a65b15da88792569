"""Writes the tables of docs/spec.md that say which keys there are, from the JSON Schema that editors use.

`python _tools/spec_docs.py` writes, `--check` only compares. The text between the generated parts is by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "spec.md"
SCHEMA = json.loads((ROOT / "schemas" / "pipeline.v1.schema.json").read_text("utf-8"))
BLOCK = re.compile(r"<!-- keys: (?P<name>[^>]+?) -->\n.*?<!-- end -->", re.DOTALL)
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true`, `false`",
    "array": "list",
    "object": "mapping",
    "null": "`null`",
}
# What has a row in a table of its own is only named in the others.
OWN = ("param", "workflow", "field", "step", "watch", "retry", "expectation", "operation")
# Keywords of JSON Schema that params and fields share; they have a table of their own.
_OWN_WORDS = ("type", "default", "description", "required")
SHARED = tuple(
    name
    for name in SCHEMA["definitions"]["param"]["properties"]
    if name in SCHEMA["definitions"]["field"]["properties"] and name not in _OWN_WORDS
)

Schema = Mapping[str, Any]


def found(name: str) -> Schema:
    """The part of the schema that a block shows: a definition, or a key at the top."""
    if name == "top":
        return SCHEMA
    if name == "batch":
        return found("watch")["properties"][name]  # type: ignore[no-any-return]
    own: Schema = SCHEMA["definitions"].get(name) or SCHEMA["properties"][name]
    return own


def rows(name: str) -> Iterator[str]:
    if name == "keywords":
        keywords = SCHEMA["definitions"]["param"]["properties"]
        for key in SHARED:
            yield f"| `{key}` | {kind(keywords[key])} | {cell(keywords[key]['description'])} |"
        return
    schema = found(name)
    for key, value in schema["properties"].items():
        if name in ("param", "field") and key in SHARED:
            continue
        whole = {**_target(value), **value}
        needed = "required" if key in schema.get("required", ()) else _default(whole)
        yield f"| `{key}` | {kind(value)} | {cell(whole['description'])} | {needed} |"


def table(name: str) -> str:
    head = ["| keyword | value | meaning |", "|---|---|---|"]
    if name != "keywords":
        head = ["| key | value | meaning | built in |", "|---|---|---|---|"]
    return "\n".join([*head, *rows(name)])


def kind(schema: Schema) -> str:
    """What may stand there, in words."""
    if (name := _name(schema)) in OWN:
        return f"a {_TITLES[name]}"
    if name in _TITLES:
        return _TITLES[name]
    if name:
        return kind(SCHEMA["definitions"][name])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(one) for one in schema["anyOf"]))
    types = schema.get("type")
    if types is None:
        return "any value"
    if str(schema.get("pattern", "")).startswith("\\$\\{"):
        return "an expression"
    if isinstance(types, list):
        return " or ".join(TYPES[one] for one in types)
    if types in ("integer", "number"):
        return TYPES[types] + _range(schema)
    if types == "array" and "items" in schema:
        return f"list of {_plural(kind(schema['items']))}"
    if types == "object" and "properties" in schema:
        return "mapping of " + ", ".join(f"`{key}`" for key in schema["properties"])
    if types == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"names with {_plural(kind(schema['additionalProperties']))}"
    return TYPES[types]


_TITLES = {
    "duration": "duration",
    "rate": "rate",
    "path": "path",
    "expression": "an expression",
    "param": "[param](#params)",
    "workflow": "[workflow](#workflows)",
    "field": "[field](#workflows)",
    "step": "[step](#steps)",
    "watch": "[watched folder](#watch)",
    "retry": "[retry](#retry)",
    "expectation": "[expectation](#expect)",
    "operation": "[operation](images.md)",
    "move": "`{move: FOLDER}`",
}


def _name(schema: Schema) -> str:
    """The definition that is meant, where it is one."""
    ways = [schema, *schema.get("allOf", ())]
    return next((way["$ref"].rpartition("/")[2] for way in ways if "$ref" in way), "")


def _target(schema: Schema) -> Schema:
    name = _name(schema)
    return {**_target(SCHEMA["definitions"][name]), **SCHEMA["definitions"][name]} if name else {}


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" {least}–{most}"
    return f" from {least}" if least is not None else ""


def _plural(text: str) -> str:
    text = text.removeprefix("a ")
    text = re.sub(r"^\[([a-z ]+)\]", r"[\1s]", text)
    return {"text": "texts", "list": "lists", "list or an expression": "lists or expressions"}.get(text, text)


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return f"`{json.dumps(default)}`".replace('"', "") if default not in (None, []) else ""


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def renewed(page: str) -> str:
    """The page with every generated part as it is now."""
    return BLOCK.sub(lambda one: f"<!-- keys: {one['name']} -->\n\n{table(one['name'])}\n\n<!-- end -->", page)


def main() -> int:
    page = PAGE.read_text("utf-8")
    new = renewed(page)
    if "--check" in sys.argv[1:]:
        if new != page:
            print("docs/spec.md is stale: run python _tools/spec_docs.py", file=sys.stderr)
        return int(new != page)
    PAGE.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
