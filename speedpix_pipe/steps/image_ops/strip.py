"""`strip`: nothing but pixels leaves the house."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops.base import Finding, Picture, Pictures
from speedpix_pipe.steps.image_ops.options import Option

SUMMARY = "Remove EXIF (place, camera, time) and colour profile; colours are converted to sRGB first."
OPTIONS: Mapping[str, Option] = {}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    del names, known
    yield from ()


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    del options
    return Pictures(pictures.count, (_stripped(picture) for picture in pictures.stream))


def _stripped(picture: Picture) -> Picture:
    from speedpix_pipe.steps.image_ops.reading import in_srgb

    return replace(picture, image=in_srgb(picture.image, picture.icc), icc=None, exif=None, dpi=None)
