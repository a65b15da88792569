"""A quick yes to JSON Schema, for specs that nothing is wrong with: they are nearly all there are.

The validator that says what is wrong takes longer to import than most specs take to be read. Here only the keywords
that our schema uses are known, and whatever is in doubt (another keyword, a number like 1.0, a text with line ends)
is no yes: then the validator is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from math import isfinite
from typing import Any

Schema = Mapping[str, Any]
Check = Callable[["Conforms", Any, Any], bool]  # of a value, and of what a keyword says
_ANNOTATIONS = frozenset(
    {"$schema", "title", "description", "examples", "default", "definitions", "patternErrorMessage"}
)
_MEMBERS = frozenset({"properties", "patternProperties", "additionalProperties"})  # looked at together
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Conforms:
    """Whether values surely conform to a schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._definitions = {f"#/definitions/{name}": one for name, one in schema.get("definitions", {}).items()}

    def __call__(self, value: Any) -> bool:
        return self.to(value, self._schema)

    def to(self, value: Any, schema: Schema) -> bool:
        """Whether it surely conforms to a part of the schema."""
        if "$ref" in schema:  # its siblings count for nothing
            target = self._definitions.get(schema["$ref"])
            return target is not None and self.to(value, target)
        if isinstance(value, dict) and not _MEMBERS.isdisjoint(schema) and not self._members(value, schema):
            return False
        for keyword, wanted in schema.items():
            if keyword in _ANNOTATIONS or keyword in _MEMBERS:
                continue
            check = _CHECKS.get(keyword)
            if check is None or not check(self, value, wanted):
                return False
        return True

    def _members(self, value: Mapping[Any, Any], schema: Schema) -> bool:
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        others = schema.get("additionalProperties", True)
        for name, one in value.items():
            if not isinstance(name, str):
                return False
            known = [properties[name]] if name in properties else []
            known += [wanted for pattern, wanted in patterns.items() if _found(pattern, name)]
            for wanted in known or [others]:
                if wanted is not True and (wanted is False or not self.to(one, wanted)):
                    return False
        return True


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _found(pattern: str, text: str) -> bool:
    return _pattern(pattern).search(text) is not None


def _type(_: Conforms, value: Any, wanted: Any) -> bool:
    kind = value.__class__
    if kind is float and not isfinite(value):
        return False
    return any(kind in _TYPES[name] for name in ([wanted] if isinstance(wanted, str) else wanted))


def _surely_not(value: Any, schema: Schema) -> bool:
    """Known of a text that must match, and of members that must be there."""
    if schema.keys() == {"pattern"}:
        return isinstance(value, str) and not _found(schema["pattern"], value)
    if schema.keys() == {"required"}:
        return isinstance(value, dict) and not all(name in value for name in schema["required"])
    return False


def _one_of(conforms: Conforms, value: Any, schemas: Any) -> bool:
    met = [schema for schema in schemas if not _surely_not(value, schema)]
    return len(met) == 1 and conforms.to(value, met[0])


def _unique(_: Conforms, value: Any, __: Any) -> bool:
    return not isinstance(value, list) or (all(isinstance(one, str) for one in value) and len(set(value)) == len(value))


def _of(kind: type | tuple[type, ...], holds: Callable[[Any, Any], bool]) -> Check:
    """A keyword that says something of one kind of values, and nothing of others."""
    return lambda _, value, wanted: not isinstance(value, kind) or holds(value, wanted)


_NUMBER = (int, float)
_CHECKS: Mapping[str, Check] = {
    "type": _type,
    "enum": lambda _, value, options: isinstance(value, str) and value in options,
    "const": lambda _, value, wanted: isinstance(value, str) and value == wanted,
    # Without line ends: there `$` matches before the last one, and elsewhere it does not.
    "pattern": _of(str, lambda text, pattern: "\n" not in text and _found(pattern, text)),
    "minLength": _of(str, lambda text, least: len(text) >= least),
    "maxLength": _of(str, lambda text, most: len(text) <= most),
    "minItems": _of(list, lambda items, least: len(items) >= least),
    "maxItems": _of(list, lambda items, most: len(items) <= most),
    "minProperties": _of(dict, lambda members, least: len(members) >= least),
    "maxProperties": _of(dict, lambda members, most: len(members) <= most),
    "minimum": _of(_NUMBER, lambda number, least: number >= least),
    "maximum": _of(_NUMBER, lambda number, most: number <= most),
    "exclusiveMinimum": _of(_NUMBER, lambda number, bound: number > bound),
    "required": _of(dict, lambda members, names: all(name in members for name in names)),
    "uniqueItems": _unique,
    "propertyNames": lambda conforms, value, wanted: (
        not isinstance(value, dict) or all(conforms.to(name, wanted) for name in value)
    ),
    "items": lambda conforms, value, wanted: (
        not isinstance(value, list) or all(conforms.to(item, wanted) for item in value)
    ),
    "allOf": lambda conforms, value, schemas: all(conforms.to(value, schema) for schema in schemas),
    "anyOf": lambda conforms, value, schemas: any(conforms.to(value, schema) for schema in schemas),
    "oneOf": _one_of,
    "not": lambda _, value, schema: _surely_not(value, schema),
}
