"""What is measurably in a picture: a sentence and numbers, and no file."""

from typing import Any

from PIL import Image, ImageFilter, ImageOps, ImageStat

from speedpix_pipe.emulator.workflows.base import Inputs

__all__ = ["run"]

_NAMES = {
    "black": (20, 20, 22), "white": (244, 244, 244), "grey": (128, 128, 128), "red": (200, 36, 40),
    "orange": (232, 132, 36), "yellow": (236, 212, 60), "green": (52, 148, 70), "teal": (32, 140, 140),
    "blue": (48, 96, 196), "purple": (120, 64, 168), "pink": (232, 150, 176), "brown": (120, 76, 44),
    "beige": (222, 204, 176), "navy": (24, 34, 84),
}  # fmt: skip


def run(inputs: Inputs) -> dict[str, Any]:
    """Input: `image`. `brightness`, `contrast` and `sharpness` are 0 to 1."""
    picture = inputs.picture("image").convert("RGB")
    small = picture.copy()
    small.thumbnail((256, 256), Image.Resampling.BOX)
    grey = ImageStat.Stat(ImageOps.grayscale(small))
    found = ImageOps.grayscale(small).filter(ImageFilter.FIND_EDGES)
    # The filter leaves the outermost pixels as they were.
    edges = ImageStat.Stat(found.crop((1, 1, found.width - 1, found.height - 1)) if min(found.size) > 2 else found)
    brightness = round(grey.mean[0] / 255, 4)
    dominant = _dominant(small)
    shape = (
        "square" if picture.width == picture.height else "landscape" if picture.width > picture.height else "portrait"
    )
    tone = "A bright" if brightness > 0.66 else "A dark" if brightness < 0.33 else "An evenly lit"
    return {
        "text": f"{tone} {shape} picture, mostly {_name(dominant)}.",
        "brightness": brightness,
        "contrast": round(min(1.0, grey.stddev[0] / 127.5), 4),
        "sharpness": round(min(1.0, edges.mean[0] / 64), 4),
        "dominant_colour": "#{:02x}{:02x}{:02x}".format(*dominant),
        "width": picture.width,
        "height": picture.height,
    }


def _dominant(small: Image.Image) -> tuple[int, int, int]:
    """The middle of the fullest of eight groups of colours."""
    grouped = small.quantize(8, Image.Quantize.MEDIANCUT)
    fullest = max(range(8), key=lambda index: grouped.histogram()[index])
    palette = grouped.getpalette() or [0, 0, 0]
    red, green, blue = palette[fullest * 3 : fullest * 3 + 3]
    return red, green, blue


def _name(colour: tuple[int, int, int]) -> str:
    return min(_NAMES, key=lambda name: sum((a - b) ** 2 for a, b in zip(_NAMES[name], colour, strict=True)))
