"""Contracts: what a workflow takes and gives, checked without changing a value.

Used three times with the same words: on values written in the spec, on the rendered input before anything is sent,
and on what came back. Validators are compiled once for each workflow. Where a value stands in the file is left to
`inputs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Field, Json, Workflow
from speedpix_pipe.records import dataclass
from speedpix_pipe.spec.nearest import did_you_mean

if TYPE_CHECKING:
    from speedpix_pipe.spec.validators import jsonschema_rs

_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "file": "a file",
    "files": "a list of files",
    "null": "null",
}
_URL = re.compile(r"https?://\S+|data:[^,\s]*,.*", re.DOTALL)
_MOST_COMPILED = 512

Check = Callable[[Any], list[str]]


class BadSchemaError(ValueError):
    """The JSON Schema keywords of a field or param contradict JSON Schema itself."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A workflow's contract, ready to judge values."""

    workflow: Workflow
    input: Mapping[str, Check]
    output: Mapping[str, Check]


_compiled: dict[int, Compiled] = {}  # by identity: a Workflow holds mappings and cannot be hashed


def check_input(workflow: Workflow, rendered: Mapping[str, Json]) -> list[str]:
    """What is wrong with an input; empty where nothing is. A null field counts as not given."""
    if workflow.input is None:
        return []
    checks = _of(workflow).input
    wrong = [unknown_field(workflow, name) for name in rendered if name not in workflow.input]
    for name, field in workflow.input.items():
        value = rendered.get(name)
        if value is not None:
            wrong.extend(about(name, said) for said in checks[name](value))
        elif field.required:
            wrong.append(f"{name} is missing; {workflow.name} needs it")
    return wrong


def check_output(workflow: Workflow, output: Json) -> list[str]:
    """What is wrong with an output. Fields that the contract does not list may be there."""
    if workflow.output is None:
        return []
    if not isinstance(output, dict):
        return [f"the output must be a mapping, not {described(output)}"]
    checks = _of(workflow).output
    wrong: list[str] = []
    for name, field in workflow.output.items():
        value = output.get(name)
        if value is not None:
            wrong.extend(about(name, said) for said in checks[name](value))
        elif field.required:
            wrong.append(f"{name} is missing in the output; {workflow.name} promises it")
    return wrong


def unknown_field(workflow: Workflow, name: str) -> str:
    """The message for a field that the contract does not list."""
    hint = did_you_mean(name, workflow.input or ())
    return f"{workflow.name} has no input {name}" + (f"; {hint}" if hint else "")


def check_for(kind: str | None, schema: Mapping[str, Json]) -> Check:
    """A check of values of one declared type. Raises BadSchemaError."""
    if kind == "file":
        return _file_check
    if kind == "files":
        return _files_check(schema)
    if kind is None and not schema:
        return _accept
    validator = _validator({**({"type": kind} if kind else {}), **schema})

    def check(value: Json) -> list[str]:
        plain = _plain(value)
        if plain is _HAS_FILE:
            if isinstance(value, FileValue):
                return [f"must be {_KINDS.get(kind or '', 'no file')}, not {described(value)}"]
            return ["holds a file, which only a field of type file or files may"]
        if validator.is_valid(plain):
            return []
        return [_said(error) for error in validator.iter_errors(plain)][:10]

    return check


def is_file_like(value: Json) -> bool:
    """A file value, the URL of one, or an object with a `url`."""
    if isinstance(value, FileValue):
        return True
    if isinstance(value, str):
        return _URL.fullmatch(value) is not None
    return isinstance(value, dict) and isinstance(value.get("url"), str)


def described(value: Json) -> str:
    """A value in words, short enough for a message."""
    if isinstance(value, FileValue):
        return f"the file {value.path}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 40 else value[:37] + "..."}"'
    if isinstance(value, int | float):
        return f"the number {_number(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "a mapping"


def kind_in_words(kind: str) -> str:
    return _KINDS[kind]


# --- compiling ---


def _of(workflow: Workflow) -> Compiled:
    found = _compiled.get(id(workflow))
    if found is None or found.workflow is not workflow:
        if len(_compiled) >= _MOST_COMPILED:
            _compiled.clear()
        found = Compiled(workflow, _checks(workflow.input or {}), _checks(workflow.output or {}))
        _compiled[id(workflow)] = found
    return found


def _checks(fields: Mapping[str, Field]) -> dict[str, Check]:
    return {name: check_for(field.type, field.schema) for name, field in fields.items()}


def _validator(schema: Mapping[str, Json]) -> jsonschema_rs.Draft202012Validator:
    from speedpix_pipe.spec.validators import jsonschema_rs

    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True, retriever=_no_retrieval)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise BadSchemaError(str(getattr(error, "message", error)).splitlines()[0]) from None


def _no_retrieval(uri: str) -> Json:
    """A `$ref` to somewhere else would read what the spec does not name."""
    raise ValueError(f"$ref to {uri} is not followed")


def _accept(value: Json) -> list[str]:  # noqa: ARG001  # the contract says nothing about this field
    return []


def _file_check(value: Json) -> list[str]:
    return [] if is_file_like(value) else [f"must be a file or the URL of one, not {described(value)}"]


def _files_check(schema: Mapping[str, Json]) -> Check:
    """`files` may limit its length; each element is a file."""
    lengths = {key: schema[key] for key in ("minItems", "maxItems") if key in schema}
    validator = _validator(lengths) if lengths else None

    def check(value: Json) -> list[str]:
        if not isinstance(value, list | tuple):
            return [f"must be a list of files, not {described(value)}"]
        wrong = [
            f"[{position}] must be a file or the URL of one, not {described(element)}"
            for position, element in enumerate(value)
            if not is_file_like(element)
        ]
        if validator is not None:
            wrong.extend(_said(error) for error in validator.iter_errors([0] * len(value)))
        return wrong[:10]

    return check


# --- values and words ---

_HAS_FILE = object()


def _plain(value: Any) -> Any:
    """The value as JSON; _HAS_FILE where a file stands in it, which no JSON type is."""
    if isinstance(value, FileValue):
        return _HAS_FILE
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return _HAS_FILE if any(item is _HAS_FILE for item in items) else items
    if isinstance(value, Mapping):
        members = {key: _plain(item) for key, item in value.items()}
        return _HAS_FILE if any(item is _HAS_FILE for item in members.values()) else members
    return value


def _said(error: jsonschema_rs.ValidationError) -> str:
    """One error of the validator in our words, to follow the name of the value."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    value: Any = error.instance
    kind: Any = error.kind
    match str(error.schema_path[-1]) if error.schema_path else "":
        case "type":
            said = f"must be {' or '.join(_KINDS.get(t, t) for t in kind.types)}, not {described(value)}"
        case "enum":
            said = f"must be one of {', '.join(_short(option) for option in kind.options)}, not {described(value)}"
        case "const":
            said = f"must be {_short(kind.expected_value)}, not {described(value)}"
        case "maxLength":
            said = f"has {len(value)} characters; at most {kind.limit} are allowed"
        case "minLength":
            said = f"has {len(value)} characters; at least {kind.limit} are needed"
        case "minimum":
            said = f"must be at least {kind.limit}, not {_number(value)}"
        case "maximum":
            said = f"must be at most {kind.limit}, not {_number(value)}"
        case "minItems":
            said = f"has {len(value)} elements; at least {kind.limit} are needed"
        case "maxItems":
            said = f"has {len(value)} elements; at most {kind.limit} are allowed"
        case "required":
            said = f"lacks {kind.property}"
        case "pattern":
            said = f"must match {kind.pattern}, and {described(value)} does not"
        case _:
            said = f"is not allowed: {error.message.splitlines()[0][:200]}"
    return f"{path} {said}" if path else said


def about(name: str, said: str, joint: str = " ") -> str:
    """The name of a value and what is wrong with it, or with a part of it: `size must be ...`, `sizes[2] must ...`."""
    return name + (said if said.startswith(("[", ".")) else joint + said)


def _number(value: float) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}... ({len(text)} digits)"


def _short(value: Json) -> str:
    return value if isinstance(value, str) else str(described(value)).removeprefix("the number ")
