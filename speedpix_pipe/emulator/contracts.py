"""Answering a workflow that nobody wrote, from what its contract says comes out of it.

For `run --local` and `test`: the app wraps `answer` into the emulator's `fallback`. Fields are those of a
pipeline's `workflows.NAME.output`: `file`, `files` or a JSON Schema type.
"""

import json
from collections.abc import Mapping
from typing import Any

from PIL import ImageDraw

from speedpix_pipe.emulator.fonts import load_font
from speedpix_pipe.emulator.workflows.base import Artifact
from speedpix_pipe.emulator.workflows.text_to_image import paint

__all__ = ["answer"]

_SIZE = (768, 512)


def answer(name: str, outputs: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A result that keeps the contract, the same for the same inputs; pictures say that they are stand-ins."""
    seed = json.dumps(inputs, sort_keys=True, default=str)
    return {field: _value(name, field, schema, seed) for field, schema in outputs.items()}


def _value(name: str, field: str, schema: Mapping[str, Any], seed: str) -> Any:
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type", "file"):
        case "file":
            return _stand_in(name, field, seed)
        case "files":
            count = max(2, int(schema.get("minItems", 2)))
            return [_stand_in(name, field, f"{seed} {number}") for number in range(count)]
        case "integer":
            return int(schema.get("minimum", 1))
        case "number":
            return float(schema.get("minimum", 0.5))
        case "boolean":
            return True
        case "array":
            items = schema.get("items")
            least = int(schema.get("minItems", 1))
            return (
                [_value(name, field, items, f"{seed} {n}") for n in range(least)] if isinstance(items, Mapping) else []
            )
        case "object":
            parts = schema.get("properties", {})
            return {part: _value(name, part, inner, seed) for part, inner in parts.items()}
        case "null":
            return None
        case _:
            text = f"{field} of {name}"
            return text.ljust(int(schema.get("minLength", 0)), ".")[: int(schema.get("maxLength", 10_000))]


def _stand_in(name: str, field: str, seed: str) -> Artifact:
    picture = paint(seed, 0, _SIZE)
    draw = ImageDraw.Draw(picture, "RGBA")
    draw.rectangle((0, _SIZE[1] - 44, _SIZE[0], _SIZE[1]), fill=(0, 0, 0, 150))
    draw.text((16, _SIZE[1] - 36), f"stand-in for {field} of {name}", fill=(255, 255, 255), font=load_font(22))
    return Artifact.picture(picture, "png")
