"""The JSON Schema of an `image:` step's operations, for editors, made from the tables that the checks use.

`schemas/steps/image.schema.json` is what this gives; a test keeps them equal.
"""

from __future__ import annotations

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image import check_rendered
from speedpix_pipe.steps.image_ops import OPERATIONS

_EXPRESSION = {"type": "string", "pattern": r"\$\{\{"}


def image_schema() -> dict[str, Json]:
    """A list of operations; every value may be an expression instead."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Image operations",
        "description": "Operations on `input.image` or `input.images`, done on this machine for free.",
        "type": "array",
        "minItems": 1,
        "items": {
            "anyOf": [
                {"enum": [name for name in OPERATIONS if not check_rendered([(name, {})])]},
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": False,
                    "properties": {name: _operation(name) for name in OPERATIONS},
                },
            ]
        },
    }


def _operation(name: str) -> dict[str, Json]:
    operation = OPERATIONS[name]
    options = operation.OPTIONS
    return {
        "description": operation.SUMMARY,
        "type": ["object", "null"],
        "additionalProperties": False,
        "required": [option for option, meant in options.items() if meant.required],
        "properties": {
            option: {"description": meant.about, "anyOf": [meant.kind.schema(), _EXPRESSION]}
            | ({} if meant.default is None else {"default": meant.default})
            for option, meant in options.items()
        },
    }
