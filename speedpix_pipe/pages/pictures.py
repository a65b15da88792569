"""Thumbnails: small WebP pictures of inputs and results, made in whatever pool the caller brings.

A picture that is broken, missing or no picture at all gets no thumbnail and never an exception: the gallery then
shows a placeholder. Full files are linked, not copied.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.records import dataclass

if TYPE_CHECKING:
    from PIL import Image

QUALITY = 72
# What Pillow's readers raise on broken files, beside its own UnidentifiedImageError (an OSError)
_BROKEN = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    AssertionError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small WebP (None where no picture could be made), and the full picture's own size."""

    webp: bytes | None = None
    width: int = 0
    height: int = 0
    animated: bool = False


def make_thumbnail(path: Path, edge: int = 256) -> Thumbnail:
    """A picture that fits a square of `edge` pixels, the right way up; of an animation, its first frame."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files are of no use to who reads a report
        try:
            with Image.open(path) as picture:
                return _shrunk(picture, edge)
        except Image.DecompressionBombError:
            return Thumbnail()
        except _BROKEN:
            return Thumbnail()


def _shrunk(picture: Image.Image, edge: int) -> Thumbnail:
    from PIL import ImageOps

    animated = bool(getattr(picture, "is_animated", False))
    full = _full_size(picture)
    picture.draft("RGB", (edge * 2, edge * 2))  # lets a large JPEG be decoded at a fraction of its size
    upright = ImageOps.exif_transpose(picture)
    transparent = "A" in upright.getbands() or "transparency" in upright.info
    small = upright.convert("RGBA" if transparent else "RGB")
    small.thumbnail((edge, edge))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=4)
    return Thumbnail(buffer.getvalue(), *full, animated)


def _full_size(picture: Image.Image) -> tuple[int, int]:
    """The size as seen: EXIF may lay the picture on its side."""
    width, height = picture.size
    turned = picture.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    return (height, width) if turned else (width, height)
