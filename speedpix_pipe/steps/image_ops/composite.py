"""`composite`: one picture over another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops.base import (
    Finding,
    Picture,
    PictureError,
    Pictures,
    Wanted,
    check_size,
    colorful,
    placed,
)
from speedpix_pipe.steps.image_ops.options import GRAVITY, OFFSET, Number, Option, PictureFile

if TYPE_CHECKING:
    from PIL.Image import Image

SUMMARY = "Lay a file over each picture, each picture over a file, or several pictures over one another."
OPTIONS: Mapping[str, Option] = {
    "over": Option(PictureFile(), "A file that is laid over the picture: a logo, a frame."),
    "under": Option(
        PictureFile(), "A file that the picture is laid on: a scene, a background. The result has its size."
    ),
    "gravity": Option(GRAVITY, "Where the upper picture lies on the lower.", "center"),
    "x": Option(OFFSET, "Pixels from that edge inwards; from the middle to the right.", 0),
    "y": Option(OFFSET, "Pixels from that edge inwards; from the middle downwards.", 0),
    "opacity": Option(Number(0, 1), "1 covers, 0.3 is a watermark.", 1),
    "scale": Option(
        Number(0.001, 10), "Width of the upper picture as a share of the lower's; without it, its own pixels."
    ),
}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    del known
    if {"over", "under"} <= names:
        yield Finding(
            "under", "composite takes `over` or `under`, not both", "write two composites, one after the other"
        )


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    if options["over"] or options["under"]:
        return Pictures(pictures.count, (_with_file(picture, options) for picture in pictures.stream))
    if pictures.count < 2:
        raise PictureError("composite needs `over` or `under`, or at least two pictures in `input.images`")
    return Pictures(1, iter([_stacked(pictures, options)]))


def _with_file(picture: Picture, options: Mapping[str, Json]) -> Picture:
    from speedpix_pipe.steps.image_ops.reading import in_srgb, read

    other = read(Path(options["over"] or options["under"]))
    mine, its = in_srgb(picture.image, picture.icc), in_srgb(other.image, other.icc)
    lower, upper = (mine, its) if options["over"] else (its, mine)
    return replace(picture, image=_laid(lower, upper, options), icc=None)


def _stacked(pictures: Pictures, options: Mapping[str, Json]) -> Picture:
    """All pictures in their order, the first one lowest."""
    from speedpix_pipe.steps.image_ops.reading import in_srgb

    lowest = next(pictures.stream)
    image = in_srgb(lowest.image, lowest.icc)
    for picture in pictures.stream:
        image = _laid(image, in_srgb(picture.image, picture.icc), options)
    return replace(lowest, image=image, format="png", wanted=Wanted(), icc=None, exif=None)


def _laid(lower: Image, upper: Image, options: Mapping[str, Json]) -> Image:
    from PIL.Image import Resampling

    base, layer = colorful(lower, alpha=True), colorful(upper, alpha=True)
    if options["scale"]:
        width = round(base.width * options["scale"])
        size = check_size(width, round(layer.height * width / layer.width), "the upper picture")
        layer = layer.resize(size, Resampling.LANCZOS)
    if options["opacity"] < 1:
        layer = layer.copy() if layer is upper else layer
        layer.putalpha(layer.getchannel("A").point(lambda value: value * options["opacity"]))
    inset = int(options["x"]), int(options["y"])
    left, top = placed(options["gravity"], base.size, layer.size, inset)
    # Parts that hang over an edge are cut off first: alpha_composite refuses places outside.
    seen = max(0, -left), max(0, -top), min(layer.width, base.width - left), min(layer.height, base.height - top)
    done = base.copy()
    if seen[0] < seen[2] and seen[1] < seen[3]:
        done.alpha_composite(layer.crop(seen), (max(0, left), max(0, top)))
    return done if lower.mode in {"RGBA", "LA"} else done.convert("RGB")
