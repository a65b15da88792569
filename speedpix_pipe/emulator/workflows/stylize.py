"""A picture in another manner: sketch, oil, poster, mono, sepia or watercolour."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from speedpix_pipe.emulator.workflows.base import Artifact, Inputs, WorkflowError

__all__ = ["run"]


def _sketch(picture: Image.Image) -> Image.Image:
    """Pencil: grey divided by its own blur leaves the lines."""
    grey = ImageOps.grayscale(picture)
    blurred = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(max(2, picture.width / 120)))
    return ImageOps.autocontrast(ImageChops.add(grey, blurred), cutoff=2).convert("RGB")


def _oil(picture: Image.Image) -> Image.Image:
    strokes = picture.filter(ImageFilter.ModeFilter(7))
    return ImageOps.autocontrast(strokes.filter(ImageFilter.EDGE_ENHANCE))


def _poster(picture: Image.Image) -> Image.Image:
    flat = ImageOps.posterize(picture.filter(ImageFilter.MedianFilter(5)), 2)
    edges = (
        ImageOps.grayscale(picture).filter(ImageFilter.FIND_EDGES).point([255 if v < 60 else 40 for v in range(256)])
    )
    return ImageChops.multiply(ImageOps.autocontrast(flat), edges.convert("RGB"))


def _mono(picture: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(ImageOps.grayscale(picture), cutoff=1).convert("RGB")


def _sepia(picture: Image.Image) -> Image.Image:
    return ImageOps.colorize(ImageOps.grayscale(picture), (38, 22, 12), (252, 240, 214), (158, 118, 78))


def _watercolour(picture: Image.Image) -> Image.Image:
    washed = picture.filter(ImageFilter.MedianFilter(7)).filter(ImageFilter.SMOOTH_MORE)
    return Image.blend(ImageChops.screen(washed, washed), washed, 0.55)


STYLES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "sketch": _sketch,
    "oil": _oil,
    "poster": _poster,
    "mono": _mono,
    "sepia": _sepia,
    "watercolour": _watercolour,
}


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `image`, `style` (or a `prompt` that names one); a prompt that names none picks one, always the same."""
    picture = inputs.picture("image").convert("RGB")
    style = inputs.text("style")
    prompt = inputs.text("prompt").lower()
    if style and style not in STYLES:
        raise WorkflowError(f'no style "{style}"; there are: {", ".join(STYLES)}', "Emulator.InvalidInput")
    if not style:
        names = list(STYLES)
        style = next((name for name in names if name in prompt), names[sum(prompt.encode()) % len(names)])
    return {"images": Artifact.picture(_toned(STYLES[style](picture), inputs), "jpeg")}


def _toned(picture: Image.Image, inputs: Inputs) -> Image.Image:
    """A seed varies the light: contrast and warmth, the same for the same seed."""
    if inputs.get("seed") is None:
        return picture
    rng = random.Random(inputs.seed())  # noqa: S311  # a picture, not a secret
    varied = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.8, 1.25))
    varied = ImageEnhance.Brightness(varied).enhance(rng.uniform(0.85, 1.2))
    warmth = rng.uniform(-0.12, 0.12)
    red, green, blue = varied.split()
    return Image.merge("RGB", (red.point(lambda v: v * (1 + warmth)), green, blue.point(lambda v: v * (1 - warmth))))
