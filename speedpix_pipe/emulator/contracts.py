"""Answering a workflow that nobody wrote, from what its contract says comes out of it.

For `run --local` and `test`: the app wraps `answer` into the emulator's `fallback`. Fields are those of a
pipeline's `workflows.NAME.output`: `file`, `files` or a JSON Schema type.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from PIL import ImageDraw

from speedpix_pipe.emulator.fonts import load_font
from speedpix_pipe.emulator.workflows.base import Artifact, DefaultImages
from speedpix_pipe.emulator.workflows.text_to_image import paint

__all__ = ["answer", "picture"]

_SIZE = (768, 512)


def answer(name: str, outputs: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A result that keeps the contract, the same for the same inputs; pictures say that they are stand-ins."""
    seed = json.dumps(inputs, sort_keys=True, default=str)
    return {field: _value(name, field, schema, seed) for field, schema in outputs.items()}


def picture(name: str, inputs: Mapping[str, Any]) -> DefaultImages:
    """The answer for a contract that says nothing of outputs: one picture, as published workflows without any give."""
    seed = json.dumps(inputs, sort_keys=True, default=str)
    return DefaultImages((_stand_in(name, "images", seed),))


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
            return int(_number(schema, 1, 1))
        case "number":
            return float(_number(schema, 0.5, 0.001))
        case "boolean":
            return True
        case "array":
            items = schema.get("items")
            least = int(schema.get("minItems", 1 if isinstance(items, Mapping) else 0))
            one = items if isinstance(items, Mapping) else {"type": "string"}
            return [_value(name, field, one, f"{seed} {n}") for n in range(least)]
        case "object":
            known = schema.get("properties", {})
            parts = {**{part: {"type": "string"} for part in schema.get("required", ())}, **known}
            return {part: _value(name, part, inner, seed) for part, inner in parts.items()}
        case "null":
            return None
        case _:
            text = f"{field} of {name}"
            return text.ljust(int(schema.get("minLength", 0)), ".")[: int(schema.get("maxLength", 10_000))]


def _number(schema: Mapping[str, Any], usual: float, step: float) -> float:
    """The usual number where it is allowed, else the one at the bound."""
    least: float = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf) + step)
    most: float = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf) - step)
    of: float | None = schema.get("multipleOf")
    found = min(max(usual, least), most)
    return math.ceil(found / of) * of if of else found


def _stand_in(name: str, field: str, seed: str) -> Artifact:
    picture = paint(seed, 0, _SIZE)
    draw = ImageDraw.Draw(picture, "RGBA")
    draw.rectangle((0, _SIZE[1] - 44, _SIZE[0], _SIZE[1]), fill=(0, 0, 0, 150))
    draw.text((16, _SIZE[1] - 36), f"stand-in for {field} of {name}", fill=(255, 255, 255), font=load_font(22))
    return Artifact.picture(picture, "png")
