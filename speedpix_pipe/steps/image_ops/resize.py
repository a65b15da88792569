"""`resize`: to a width, a height, or into a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops.base import Finding, Picture, Pictures, check_size, placed
from speedpix_pipe.steps.image_ops.options import GRAVITY, SIDE, Choice, Flag, Option

SUMMARY = "Make pictures larger or smaller."
OPTIONS: Mapping[str, Option] = {
    "width": Option(SIDE, "Width in pixels; alone, the height follows."),
    "height": Option(SIDE, "Height in pixels; alone, the width follows."),
    "fit": Option(
        Choice(("contain", "cover", "stretch")),
        "With both sides: all of the picture inside the box, the box filled and the rest cut off, or exactly the box.",
        "contain",
    ),
    "gravity": Option(GRAVITY, "Which part `cover` keeps.", "center"),
    "upscale": Option(Flag(), "Whether small pictures are made larger.", default=True),
    "filter": Option(
        Choice(("lanczos", "bicubic", "bilinear", "hamming", "box", "nearest")), "How pixels are weighed.", "lanczos"
    ),
}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    if not names & {"width", "height"}:
        yield Finding(None, "resize needs `width`, `height`, or both")
    if known.get("fit") in {"cover", "stretch"} and not {"width", "height"} <= names:
        yield Finding("fit", f"`fit: {known['fit']}` needs both `width` and `height`")


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    return Pictures(pictures.count, (_resized(picture, options) for picture in pictures.stream))


def _resized(picture: Picture, options: Mapping[str, Json]) -> Picture:
    from PIL.Image import Resampling

    image = picture.image
    scale_x, scale_y = _scales(image.size, options)
    if not options["upscale"]:
        scale_x, scale_y = min(scale_x, 1.0), min(scale_y, 1.0)
    size = check_size(round(image.width * scale_x), round(image.height * scale_y), "the resized picture")
    if size != image.size:
        image = image.resize(size, Resampling[options["filter"].upper()])
    if options["fit"] == "cover" and options["width"] and options["height"]:
        room = _cover_room(image.size, int(options["width"]), int(options["height"]))
        left, top = placed(options["gravity"], image.size, room)
        image = image.crop((left, top, left + room[0], top + room[1]))
    return picture.with_image(image)


def _scales(size: tuple[int, int], options: Mapping[str, Json]) -> tuple[float, float]:
    """How much to stretch along each side."""
    x = options["width"] / size[0] if options["width"] else None
    y = options["height"] / size[1] if options["height"] else None
    if x is None or y is None:
        only = x if x is not None else y
        assert only is not None
        return only, only
    if options["fit"] == "stretch":
        return x, y
    one = max(x, y) if options["fit"] == "cover" else min(x, y)
    return one, one


def _cover_room(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The box to keep: the asked one, or the largest of its shape where the picture was not made larger."""
    share = min(1.0, size[0] / width, size[1] / height)
    return max(1, min(size[0], round(width * share))), max(1, min(size[1], round(height * share)))
