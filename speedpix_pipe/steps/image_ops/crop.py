"""`crop`: keep a part, by size and gravity or by a box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops.base import Finding, Picture, PictureError, Pictures, placed
from speedpix_pipe.steps.image_ops.options import GRAVITY, MAX_SIDE, SIDE, ListOf, Number, Option

SUMMARY = "Keep a part of the picture."
OPTIONS: Mapping[str, Option] = {
    "width": Option(SIDE, "Width to keep; a narrower picture stays as it is."),
    "height": Option(SIDE, "Height to keep; a lower picture stays as it is."),
    "gravity": Option(GRAVITY, "Which part to keep.", "center"),
    "box": Option(ListOf(Number(0, MAX_SIDE, whole=True), 4), "Left, top, right, bottom, in pixels from the top left."),
}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    sides = names & {"width", "height"}
    if "box" in names and (sides or "gravity" in names):
        yield Finding("box", "`box` says it all; `width`, `height` and `gravity` do not go with it")
    elif "box" not in names and not sides:
        yield Finding(None, "crop needs `width` and `height`, or `box: [left, top, right, bottom]`")
    box = known.get("box")
    if box and (box[0] >= box[2] or box[1] >= box[3]):
        yield Finding("box", "the box is empty", "a box is [left, top, right, bottom]")


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    return Pictures(pictures.count, (_cropped(picture, options) for picture in pictures.stream))


def _cropped(picture: Picture, options: Mapping[str, Json]) -> Picture:
    width, height = picture.image.size
    if options["box"]:
        left, top, right, bottom = (int(side) for side in options["box"])
        if right > width or bottom > height:
            raise PictureError(
                f"{picture.name} is {width} x {height}: the box [{left}, {top}, {right}, {bottom}] lies partly outside"
            )
    else:
        room = min(width, int(options["width"] or width)), min(height, int(options["height"] or height))
        left, top = placed(options["gravity"], (width, height), room)
        right, bottom = left + room[0], top + room[1]
    return picture.with_image(picture.image.crop((left, top, right, bottom)))
