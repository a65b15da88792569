"""Values and names in words, for messages about a spec."""

from __future__ import annotations

import json

from speedpix_pipe.errors import Problem
from speedpix_pipe.model import Json
from speedpix_pipe.spec.places import Node

_NAMED = {
    "steps": "a step name",
    "params": "a param name",
    "matrix": "a matrix name",
    "outputs": "an output name",
    "workflows": "a name in workflows",
}


def kind_of(value: Json) -> str:
    """What a value is, in words, with the value where it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {shortened(str(value))}"
    if isinstance(value, str):
        return f'the text "{shortened(value)}"'
    return "a list" if isinstance(value, list) else "a mapping"


def shortened(text: str, most: int = 40) -> str:
    line = text.replace("\n", " ")
    return line if len(line) <= most else line[: most - 3] + "..."


def bad_name(key: Node, name: str, owner: str) -> Problem:
    """A name that expressions could not say. `owner` is the mapping it stands in: `steps`, `params` ..."""
    rule = "letters of any script, digits and _, and begin with no digit"
    if owner == "workflows":
        rule = "letters, digits, _ - and ."
    fixed = identifier_for(name)
    return key.problem(
        "spec.name",
        f'"{shortened(name)}" cannot be {_NAMED.get(owner, "a name")}: names have {rule}',
        hint=f"call it {fixed}" if fixed else None,
    )


def identifier_for(name: str) -> str | None:
    """`my_step` for `my-step`."""
    fixed = "".join(c if c.isalnum() or c == "_" else "_" for c in name).strip("_")
    if fixed[:1].isdigit():
        fixed = "_" + fixed
    return fixed if fixed.isidentifier() else None


def as_yaml(value: Json) -> str:
    """An example as one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_as_yaml_inside(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_as_yaml_inside(v) for v in value) + "]"
    return value if isinstance(value, str) and value[:1] not in "*&!@%`'\"[{" else json.dumps(value, ensure_ascii=False)


def _as_yaml_inside(value: Json) -> str:
    if isinstance(value, str) and any(c in value for c in "{}[],*&!#:"):
        return json.dumps(value, ensure_ascii=False)
    return as_yaml(value)
