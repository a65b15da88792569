"""The spec against its JSON Schema: a fast yes or no. For a no, `schema_words` says what is wrong and where.

The same schema helps editors. What JSON Schema cannot say (names that must exist, types of expressions) is left to
`build`.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedpix_pipe.errors import Problem
from speedpix_pipe.spec.conforms import Conforms
from speedpix_pipe.spec.places import Node

if TYPE_CHECKING:
    from speedpix_pipe.spec.validators import jsonschema_rs

_NAME = "pipeline.v1.schema.json"
MAX_PROBLEMS = 200  # a file that is wrong all over is not explained to its end
MAX_STEPS = 5_000
_QUICK_STEPS = 500  # of more the validator is quicker, its import included


def schema_text() -> str:
    """The JSON Schema as editors get it: from the wheel, else from the checkout beside the package."""
    package = Path(__file__).parent.parent
    inside = package / "schemas" / _NAME
    place = inside if inside.is_file() else package.parent / "schemas" / _NAME
    return place.read_text(encoding="utf-8")


@cache
def pipeline_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text())
    return schema


@cache
def _validator() -> jsonschema_rs.Draft7Validator:
    from speedpix_pipe.spec.validators import jsonschema_rs

    return jsonschema_rs.Draft7Validator(pipeline_schema())


def schema_keys(definition: str) -> list[str]:
    """The keys that a part of the spec may have: `step`, `workflow`, `param`, `field` ..."""
    return list(pipeline_schema()["definitions"][definition]["properties"])


def schema_problems(root: Node) -> list[Problem]:
    """What the schema has against the spec, in the order of the file."""
    if root.is_map and _few_steps(root) and _is_valid(root):
        return []
    from speedpix_pipe.spec.schema_words import explain
    from speedpix_pipe.spec.words import kind_of

    if not root.is_map:
        hint = "a spec begins with `apiVersion: speedpix-pipe/v1`"
        return [root.problem("spec.not-a-mapping", f"a spec is a mapping, not {kind_of(root.value)}", hint=hint)]
    if not _few_steps(root):
        message = f"steps has {len(root.members['steps'].members):,} entries; a spec may have {MAX_STEPS:,}"
        return [
            root.keys["steps"].problem("spec.too-many-steps", message, hint="one step can run for many items: for_each")
        ]
    found: list[Problem] = []
    for error in islice(_validator().iter_errors(_only_wrong_steps(root.value)), MAX_PROBLEMS):
        found.extend(islice(explain(root, error), MAX_PROBLEMS - len(found)))
    return found


def _is_valid(root: Node) -> bool:
    quick = _few_steps(root, _QUICK_STEPS) and Conforms(pipeline_schema())(root.value)
    return quick or bool(_validator().is_valid(root.value))


def _few_steps(root: Node, most: int = MAX_STEPS) -> bool:
    steps = root.members.get("steps")
    return steps is None or len(steps.members) <= most


def _only_wrong_steps(value: dict[str, Any]) -> dict[str, Any]:
    """Errors are made all at once, each with a copy of what it is about: of many steps only the wrong ones go in."""
    steps = value.get("steps")
    if not isinstance(steps, dict) or len(steps) <= MAX_PROBLEMS:
        return value
    from speedpix_pipe.spec.validators import jsonschema_rs

    schema = pipeline_schema()
    one = {"$schema": schema["$schema"], "definitions": schema["definitions"], **schema["properties"]["steps"]}
    validator = jsonschema_rs.Draft7Validator(one)
    wrong = (name for name, step in steps.items() if not validator.is_valid({name: step}))
    shown = list(islice(wrong, MAX_PROBLEMS)) or list(islice(steps, 1))
    return {**value, "steps": {name: steps[name] for name in shown}}
