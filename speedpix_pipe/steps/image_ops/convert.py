"""`convert`: the format that the picture is written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops.base import Finding, Picture, Pictures, Wanted
from speedpix_pipe.steps.image_ops.options import Choice, Color, Number, Option

SUMMARY = "Write the picture in another format or quality."
OPTIONS: Mapping[str, Option] = {
    "format": Option(
        Choice(("jpg", "jpeg", "png", "webp", "tiff", "gif")), "The format; without it the picture keeps its own."
    ),
    "quality": Option(Number(1, 100, whole=True), "For jpg and webp."),
    "background": Option(Color(), "What shows through where the format holds no transparency.", "white"),
}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    if not names & {"format", "quality"}:
        yield Finding(None, "convert needs `format`, `quality`, or both")
    if "quality" in names and known.get("format") in {"png", "tiff", "gif"}:
        yield Finding("quality", f"{known['format']} has no quality", "quality is for jpg and webp")


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    return Pictures(pictures.count, (_converted(picture, options) for picture in pictures.stream))


def _converted(picture: Picture, options: Mapping[str, Json]) -> Picture:
    quality = None if options["quality"] is None else int(options["quality"])
    written = "jpg" if options["format"] == "jpeg" else options["format"]
    wanted = Wanted(written or picture.wanted.format, quality, options["background"])
    return replace(picture, wanted=wanted)
