"""A finished picture into a file: the same picture gives the same bytes, and no time is written anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from speedpix_pipe.steps.image_ops.base import ImageFacts, Picture, PictureError, color

WRITTEN = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF", "gif": "GIF"}
MOST = {"jpg": 65_500, "webp": 16_383, "gif": 65_535}  # pixels a side
JPG_QUALITY = 92
WEBP_QUALITY = 85


def write(picture: Picture, folder: Path, stem: str) -> tuple[Path, ImageFacts]:
    """Write `STEM.EXT` in the folder. The name appears when the file is whole."""
    kind = _kind(picture)
    image = _for_format(picture, kind)
    most = MOST.get(kind)
    if most is not None and max(image.size) > most:
        raise PictureError(
            f"{image.width} x {image.height} is too large for {kind}, which ends at {most} pixels a side",
            hint="convert to png or tiff",
        )
    target = folder / f"{stem}.{kind}"
    part = folder / f".{stem}.{kind}.part"
    try:
        image.save(part, WRITTEN[kind], **_settings(picture, kind))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target, ImageFacts(image.width, image.height, kind, image.mode)


def _kind(picture: Picture) -> str:
    """What was asked for; else the source's format if we write it and it can hold the picture."""
    if picture.wanted.format is not None:
        return picture.wanted.format
    transparent = picture.image.mode in {"LA", "RGBA"}
    if picture.format not in WRITTEN or (picture.format == "jpg" and transparent):
        return "png"
    return picture.format


def _for_format(picture: Picture, kind: str) -> Image.Image:
    image = picture.image
    if kind == "jpg" and image.mode in {"LA", "RGBA"}:
        return flattened(image, picture.wanted.background)
    if kind == "webp" and image.mode in {"L", "LA"}:
        return image.convert("RGBA" if image.mode == "LA" else "RGB")
    if kind == "gif" and image.mode == "LA":
        return image.convert("RGBA")
    return image


def flattened(image: Image.Image, background: str) -> Image.Image:
    """The picture without transparency, laid on a colour."""
    full = image.convert("RGBA")
    below = Image.new("RGBA", image.size, (*color(background)[:3], 255))
    below.alpha_composite(full)
    return below.convert("RGB")


def _settings(picture: Picture, kind: str) -> dict[str, Any]:
    """What Pillow's writer is told. Profile, EXIF and resolution are kept unless `strip` took them."""
    kept: dict[str, Any] = {}
    if picture.icc is not None and kind != "gif":
        kept["icc_profile"] = picture.icc
    if picture.exif is not None and kind != "gif":
        kept["exif"] = picture.exif
    if picture.dpi is not None and kind in {"jpg", "png", "tiff"}:
        kept["dpi"] = picture.dpi
    if kind == "jpg":
        return kept | {"quality": picture.wanted.quality or JPG_QUALITY, "optimize": True}
    if kind == "webp":
        return kept | {"quality": picture.wanted.quality or WEBP_QUALITY, "method": 4}
    if kind == "tiff":
        return kept | {"compression": "tiff_adobe_deflate"}
    return kept
