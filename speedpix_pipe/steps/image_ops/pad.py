"""`pad`: a larger canvas around the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops.base import Finding, Picture, Pictures, check_size, color, colorful, placed
from speedpix_pipe.steps.image_ops.options import GRAVITY, SIDE, Color, Option

SUMMARY = "Put the picture on a larger canvas."
OPTIONS: Mapping[str, Option] = {
    "width": Option(SIDE, "Width of the canvas; a wider picture stays as it is."),
    "height": Option(SIDE, "Height of the canvas; a higher picture stays as it is."),
    "color": Option(Color(), "Colour of the canvas.", "white"),
    "gravity": Option(GRAVITY, "Where the picture lies on it.", "center"),
}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    del known
    if not names & {"width", "height"}:
        yield Finding(None, "pad needs `width`, `height`, or both")


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    return Pictures(pictures.count, (_padded(picture, options) for picture in pictures.stream))


def _padded(picture: Picture, options: Mapping[str, Json]) -> Picture:
    from PIL import Image

    fill = color(options["color"])
    image = colorful(picture.image, alpha=fill[3] < 255)
    width, height = max(image.width, int(options["width"] or 0)), max(image.height, int(options["height"] or 0))
    canvas = Image.new(image.mode, check_size(width, height, "the padded picture"), fill[: len(image.getbands())])
    place = placed(options["gravity"], canvas.size, image.size)
    if image.mode == "RGBA":
        canvas.alpha_composite(image, place)  # the canvas shows through, as it would on a table
    else:
        canvas.paste(image, place)
    return picture.with_image(canvas)
