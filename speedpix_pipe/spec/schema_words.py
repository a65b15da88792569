"""What the schema has against a spec, in words and with places.

Messages are made of what the schema says for editors: `patternErrorMessage`, `examples`, `enum`. Imported only when
there is something to explain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from speedpix_pipe.errors import Problem
from speedpix_pipe.model import Json
from speedpix_pipe.spec.nearest import did_you_mean, listed, nearest
from speedpix_pipe.spec.places import Node
from speedpix_pipe.spec.schema import pipeline_schema
from speedpix_pipe.spec.validators import jsonschema_rs
from speedpix_pipe.spec.words import as_yaml, bad_name, kind_of, shortened

_LONGEST_EXAMPLE = 80
_DECLARED_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "file", "files"})

_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


# --- one error of the validator ---


def explain(root: Node, error: jsonschema_rs.ValidationError) -> Iterator[Problem]:
    """The problems of one error of the validator."""
    path = list(error.instance_path)
    node, key = _node_at(root, path)
    keyword = str(error.schema_path[-1])
    schema = _schema_at(error.schema_path[:-1])
    kind: Any = error.kind
    # The name of the nearest key says what the value is for.
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    if path and isinstance(path[-1], int):
        name = f"an element of {name}"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.PropertyNames):
        named = str(kind.error.instance)
        yield bad_name(node.keys[named], named, str(path[-1]) if path else "")
    elif keyword == "additionalProperties":
        for unexpected in kind.unexpected:
            yield _unknown_key(node, unexpected, schema, path)
    elif keyword == "required" and isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        yield from _missing_key(node, key, kind.property, schema, path)
    elif keyword == "oneOf":
        yield from _wrong_kinds(node, key, path)
    elif keyword == "pattern" and "${{" in node.value:
        return  # that no expression may stand here is said by `build`
    elif keyword == "anyOf":
        yield from _explain_union(root, node, name, schema, kind.context)
    elif keyword == "not":
        if not node.is_map:
            return
        second = node.keys.get("version", node)
        yield second.problem(
            "spec.alias-and-version",
            "alias and version are both given; one of them decides which release is called",
            hint="keep version to pin the release, or alias to follow it",
        )
    else:
        yield _wrong_value(node, name, keyword, schema)


def _node_at(root: Node, path: Sequence[str | int]) -> tuple[Node, Node | None]:
    """The node at a path, and the key that names it or the list it stands in."""
    node, key = root, None
    for part in path:
        if isinstance(part, int):
            node = node.items[part]
        else:
            node, key = node.members[part], node.keys[part]
    return node, key


def _schema_at(path: Sequence[str | int]) -> Mapping[str, Any]:
    found: Any = pipeline_schema()
    for part in path:
        found = found[part]
    return found if isinstance(found, dict) else {}


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with its `$ref` followed, own words first."""
    reference = schema.get("$ref")
    if reference is None and len(schema.get("allOf", ())) == 1:
        reference = schema["allOf"][0].get("$ref")
    if reference is None:
        return schema
    target = _schema_at(reference.removeprefix("#/").split("/"))
    return {**_resolved(target), **{k: v for k, v in schema.items() if k not in {"$ref", "allOf"}}}


def _where(path: Sequence[str | int]) -> str:
    """`in step white`, `in param photos`: which part of the spec a key belongs to."""
    if len(path) >= 2 and path[0] in {"steps", "params", "workflows"}:
        noun = {"steps": "step", "params": "param", "workflows": "workflow"}[str(path[0])]
        below = "".join(f".{part}" for part in path[2:] if isinstance(part, str))
        return f" in {noun} {path[1]}{below}"
    names = ".".join(str(part) for part in path if isinstance(part, str))
    return f" in {names}" if names else ""


def _unknown_key(node: Node, name: str, schema: Mapping[str, Any], path: Sequence[str | int]) -> Problem:
    allowed = list(schema.get("properties", ()))
    hint = did_you_mean(name, allowed) or _misplaced(name, path)
    if hint is None:
        hint = f"known keys: {', '.join(allowed)}"
    return node.keys[name].problem("spec.unknown-key", f'unknown key "{shortened(name)}"{_where(path)}', hint=hint)


def _misplaced(name: str, path: Sequence[str | int]) -> str | None:
    """A key that is right in another place."""
    schema = pipeline_schema()
    if not path:
        if name in schema["definitions"]["step"]["properties"]:
            return f"{name} belongs into a step, below `steps:`"
        return "keys for YAML anchors begin with x-" if name.startswith((".", "_")) else None
    if name in schema["properties"] and name not in {"name", "apiVersion"}:
        return f"{name} stands at the top level of the file"
    if path[0] == "steps" and name in schema["properties"]["limits"]["properties"]:
        return f"{name} belongs into `limits:` at the top level"
    return None


def _missing_key(
    node: Node, key: Node | None, name: str, schema: Mapping[str, Any], path: Sequence[str | int]
) -> Iterator[Problem]:
    properties = schema.get("properties", {})
    if nearest(name, (k for k in node.members if k not in properties)) is not None:
        return  # it is there, misspelled, and said so
    wanted = _resolved(properties[name]) if name in properties else {}
    example = next((as_yaml(example) for example in wanted.get("examples", ())), "")
    hint = f"add `{name}: {example}`" if 0 < len(example) < 60 else None
    yield (key or node).problem(
        "spec.missing-key", f"{name} is missing{_where(path)}", hint=hint, width=1 if key is None else None
    )


def _wrong_kinds(node: Node, key: Node | None, path: Sequence[str | int]) -> Iterator[Problem]:
    if not node.is_map:
        return
    kinds = ("workflow", "pipeline", "image")
    given = [name for name in kinds if name in node.members]
    step = path[-1] if path else ""
    if given:
        yield node.keys[given[1]].problem(
            "spec.step-kind",
            f"step {step} has {' and '.join(given)}; a step has exactly one of workflow, pipeline and image",
            hint="make two steps of it, the second chained with `for_each: ${{ steps.FIRST }}`",
        )
    elif not any(nearest(name, kinds) for name in node.members):
        yield (key or node).problem(
            "spec.step-kind",
            f"step {step} has none of workflow, pipeline and image; it needs exactly one",
            hint="add `workflow: NAME`, the workflow that the step calls",
        )


# --- values ---


def _explain_union(
    root: Node,
    node: Node,
    name: str,
    schema: Mapping[str, Any],
    context: Sequence[Sequence[jsonschema_rs.ValidationError]],
) -> Iterator[Problem]:
    """The branch that was meant is the one whose type fits; where none fits, all are offered."""
    for errors in context:
        here = [
            e
            for e in errors
            if str(e.schema_path[-1]) in {"type", "enum", "const", "pattern"} and _is_at(e, node, root)
        ]
        if not here:
            for error in errors:
                yield from explain(root, error)
            return
    yield _not_listed_in_union(node, name, schema) or _wrong_value(node, name, "anyOf", schema)


def _is_at(error: jsonschema_rs.ValidationError, node: Node, root: Node) -> bool:
    path = list(error.instance_path)
    return not path or _node_at_or_none(root, path) is node


def _node_at_or_none(root: Node, path: Sequence[str | int]) -> Node | None:
    try:
        return _node_at(root, path)[0]
    except (KeyError, IndexError):
        return None


def _not_listed_in_union(node: Node, label: str, schema: Mapping[str, Any]) -> Problem | None:
    """A word that is none of those which one branch lists, or that another branch wants as a key."""
    branches = [_resolved(branch) for branch in schema.get("anyOf", ())]
    listing = next((branch for branch in branches if "enum" in branch), None)
    if listing is None or not isinstance(node.value, str):
        return None
    keys = [key for branch in branches for key in branch.get("properties", ())]
    if not keys:
        return _not_listed(node, label, listing)
    if node.value in keys:
        hint = f"write `{as_yaml(_example_of(node.value, branches))}`"
        return node.problem("spec.value", f"{node.value} needs options", hint=hint)
    options = dict.fromkeys([*keys, *listing["enum"]])
    message = f"{label} must be {listed(options)}, not {kind_of(node.value)}"
    return node.problem("spec.enum", message, hint=did_you_mean(node.value, options))


def _example_of(key: str, branches: Sequence[Mapping[str, Any]]) -> Json:
    examples = (branch["properties"][key].get("examples") for branch in branches if key in branch.get("properties", ()))
    return {key: next((found[0] for found in examples if found), {})}


def _wrong_value(node: Node, name: str, keyword: str, schema: Mapping[str, Any]) -> Problem:
    value = node.value
    bound = schema.get(keyword)
    label = name or "this"
    match keyword:
        case "type" | "anyOf" | "pattern":
            return _unexpected(node, label, schema)
        case "enum" | "const":
            return _not_listed(node, label, schema)
        case "minimum":
            message = f"{label} must be at least {bound}, not {shortened(str(value))}"
        case "maximum":
            message = f"{label} must be at most {bound}, not {shortened(str(value))}"
        case "exclusiveMinimum":
            message = f"{label} must be more than {bound}, not {value}"
        case "minLength":
            message = f"{label} is empty"
        case "maxLength":
            message = f"{label} has {len(value)} characters; it may have {bound}"
        case "minItems":
            message = f"{label} is an empty list; it needs at least {bound} element"
        case "minProperties":
            message = "steps is empty; it holds at least one step" if label == "steps" else f"{label} is empty"
        case "maxProperties":
            message = f"{label} is one operation, and here are {len(value)}"
            return node.problem("spec.value", message, hint="make an element of each")
        case "uniqueItems":
            return _repeated(node, label)
        case _:
            message = f"{label} is not what the schema of a spec allows ({keyword})"
    return node.problem("spec.value", message, hint=_example_hint(name, schema))


def _repeated(node: Node, label: str) -> Problem:
    seen: list[Json] = []
    for item in node.items:
        if item.value in seen:
            return item.problem(
                "spec.value", f"{kind_of(item.value)} stands twice in {label}", hint="remove one of them"
            )
        seen.append(item.value)
    return node.problem("spec.value", f"something stands twice in {label}")


def _unexpected(node: Node, label: str, schema: Mapping[str, Any]) -> Problem:
    expected = expectation(schema)
    message = f"{label} must be {expected}, not {kind_of(node.value)}"
    hint = _quotes_hint(node, schema) or _unit_hint(node, schema) or _wrapped_hint(node, label, schema)
    hint = hint or _example_hint(label, schema)
    return node.problem("spec.type", message, hint=hint)


def _quotes_hint(node: Node, schema: Mapping[str, Any]) -> str | None:
    """A number or a word such as true where a text is wanted: quotes make it one."""
    if _types(schema) != ["string"] or "pattern" in _resolved(schema):
        return None
    if isinstance(node.value, bool | int | float):
        return f'as a text it needs quotes: "{node.written()}"'
    return None


def _wrapped_hint(node: Node, label: str, schema: Mapping[str, Any]) -> str | None:
    """The value is right, but one level too high: a list of one, a type without its key, a workflow without its."""
    value = node.value
    if isinstance(value, dict | list) or value is None:
        return None
    if label == "required":
        return "leave it out: a param without a default must be given"
    properties = _resolved(schema).get("properties", {})
    if "array" in _types(schema):
        return f"for a list of one, write [{node.written().splitlines()[0]}]"
    if "type" in properties and value in _DECLARED_TYPES:
        return f"write `{label}: {{type: {value}}}`"
    if "workflow" in properties:
        return f"write `{label}: {{workflow: {value}}}`"
    return f"write `{label}: {{id: {value}}}`" if "id" in properties else None


def _unit_hint(node: Node, schema: Mapping[str, Any]) -> str | None:
    words = _resolved(schema).get("patternErrorMessage", "")
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return None
    if words.startswith("a duration"):
        return f"write {node.value}s for seconds, {node.value}m for minutes"
    return f"write {node.value}/s for so many a second" if words.startswith("a rate") else None


def _not_listed(node: Node, label: str, schema: Mapping[str, Any]) -> Problem:
    options = schema["enum"] if "enum" in schema else [schema["const"]]
    texts = [option for option in options if isinstance(option, str)]
    hint = did_you_mean(node.value, texts) if isinstance(node.value, str) else None
    if hint is None and isinstance(node.value, str):
        hint = _type_synonym(node.value, texts)
    return node.problem(
        "spec.enum",
        f"{label} must be {listed(texts)}, not {kind_of(node.value)}",
        hint=hint or _example_hint(label, schema),
    )


def _type_synonym(value: str, options: Sequence[str]) -> str | None:
    synonyms = {"str": "string", "text": "string", "int": "integer", "float": "number", "bool": "boolean"}
    synonyms |= {"list": "array", "dict": "object", "mapping": "object", "image": "file", "images": "files"}
    meant = synonyms.get(value.casefold())
    return f'did you mean "{meant}"?' if meant in options else None


def _example_hint(name: str, schema: Mapping[str, Any]) -> str | None:
    examples = _resolved(schema).get("examples")
    if not examples or name.startswith("an element"):
        return None
    written = f"{name}: {as_yaml(examples[0])}"
    return f"for example `{written}`" if len(written) < _LONGEST_EXAMPLE else None


def expectation(schema: Mapping[str, Any]) -> str:
    """What a schema wants, in words."""
    schema = _resolved(schema)
    if "patternErrorMessage" in schema:
        return str(schema["patternErrorMessage"])
    if "enum" in schema:
        return listed([str(option) for option in schema["enum"]])
    if "anyOf" in schema:
        parts = dict.fromkeys(expectation(branch) for branch in schema["anyOf"])
        return " or ".join(parts)
    return " or ".join(_KINDS[name] for name in _types(schema)) or "something else"


def _types(schema: Mapping[str, Any]) -> list[str]:
    schema = _resolved(schema)
    if "anyOf" in schema:
        return [name for branch in schema["anyOf"] for name in _types(branch)]
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)
