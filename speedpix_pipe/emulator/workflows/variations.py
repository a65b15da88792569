"""Several versions of one picture: each another crop, light and temper, the first closest to the original."""

import random
from typing import Any

from PIL import Image, ImageChops, ImageEnhance, ImageOps

from speedpix_pipe.emulator.workflows.base import Artifact, Inputs

__all__ = ["run"]


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `image`, optional `count` (4), `seed`. The answer is a list."""
    picture = inputs.picture("image").convert("RGB")
    count = inputs.integer("count", 4, 1, 16)
    seed = inputs.seed()
    return {"images": [Artifact.picture(_vary(picture, seed, number, count), "jpeg") for number in range(count)]}


def _vary(picture: Image.Image, seed: int, number: int, count: int) -> Image.Image:
    dice = random.Random(f"{seed} {number}")  # noqa: S311  # pictures, not secrets
    reach = 0.35 + 0.65 * (number + 1) / count
    width, height = picture.size
    keep = 1 - 0.16 * reach * dice.random()
    left = dice.uniform(0, 1 - keep) * width
    top = dice.uniform(0, 1 - keep) * height
    part = picture.resize(picture.size, Image.Resampling.BICUBIC, (left, top, left + width * keep, top + height * keep))
    if dice.random() < 0.4 * reach:
        part = ImageOps.mirror(part)
    part = ImageEnhance.Color(part).enhance(1 + reach * dice.uniform(-0.5, 0.6))
    part = ImageEnhance.Contrast(part).enhance(1 + reach * dice.uniform(-0.15, 0.25))
    tint = tuple(255 - round(reach * dice.uniform(0, 46)) for _ in range(3))
    return ImageChops.multiply(part, Image.new("RGB", part.size, tint))
