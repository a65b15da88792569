"""A slow ride over a picture: zoom and pan, as an animated WebP or GIF, or as a WebM."""

import io
import math
from typing import Any

from PIL import Image

from speedpix_pipe.emulator.webm import webm
from speedpix_pipe.emulator.workflows.base import Artifact, Inputs, WorkflowError

__all__ = ["run"]

_FRAMES_PER_SECOND = 10
_LONGEST_SIDE = 640


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `image`, optional `frames` or `seconds` (1.2), `format` (webp, gif or webm), `seed`."""
    picture = inputs.picture("image").convert("RGB")
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    frames = inputs.integer("frames", round(inputs.number("seconds", 1.2, 0.2, 10) * _FRAMES_PER_SECOND), 2, 120)
    fmt = inputs.text("format", "webp").lower()
    if fmt not in {"webp", "gif", "webm"}:
        raise WorkflowError(f'input "format" is "{fmt}"; it must be webp, gif or webm', "Emulator.InvalidInput")
    ride = [_frame(picture, number / (frames - 1), inputs.seed() % 360) for number in range(frames)]
    if fmt == "webm":
        content = webm(ride, frames_per_second=_FRAMES_PER_SECOND)
        return {"images": Artifact(content, fmt, picture.width, picture.height, "video")}
    target = io.BytesIO()
    options: dict[str, Any] = {"quality": 75, "method": 0} if fmt == "webp" else {"optimize": False}
    duration = round(1000 / _FRAMES_PER_SECOND)
    ride[0].save(target, fmt.upper(), save_all=True, append_images=ride[1:], duration=duration, loop=0, **options)
    return {"images": Artifact(target.getvalue(), fmt, picture.width, picture.height, "video")}


def _frame(picture: Image.Image, share: float, degrees: int) -> Image.Image:
    """Nearer by a quarter from the first frame to the last, drifting in the seed's direction."""
    eased = share * share * (3 - 2 * share)
    keep = 1 - 0.25 * eased
    width, height = picture.width * keep, picture.height * keep
    free_x, free_y = picture.width - width, picture.height - height
    left = free_x * (0.5 + 0.5 * math.cos(math.radians(degrees)) * eased)
    top = free_y * (0.5 + 0.5 * math.sin(math.radians(degrees)) * eased)
    return picture.resize(picture.size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
