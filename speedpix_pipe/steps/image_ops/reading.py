"""Picture files in: upright, in eight bits, in colours that can be worked with, and errors as sentences.

What comes out is L, LA, RGB or RGBA: EXIF orientation is applied, CMYK and Lab become sRGB (by the embedded
profile where there is one), palettes their colours, sixteen bits eight. An animation gives its first picture.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning, Transpose

from speedpix_pipe.steps.image_ops.base import MAX_PIXELS, ImageFacts, Picture, PictureError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# What Pillow's decoders have been seen to raise on damaged files. MemoryError is none of them: a header may
# ask for more than there is, but `_opened` looks at the size first.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
ORIENTATION = 0x0112
FORMATS = {"jpeg": "jpg", "mpo": "jpg", "jpeg2000": "jp2", "dib": "bmp"}  # where Pillow's name is not ours
MAX_FRAME_PIXELS = 10 * MAX_PIXELS  # of all frames together, when an animation is verified


def facts(path: Path) -> ImageFacts:
    """What the header says; pixels are not decoded."""
    with _opened(path) as image:
        return _facts(image)


def verified(path: Path) -> ImageFacts:
    """The same after decoding every pixel of every frame."""
    with _opened(path) as image:
        found = _facts(image)
        seen = 0
        for frame in range(found.frames):
            image.seek(frame)
            image.load()
            seen += image.width * image.height
            if seen > MAX_FRAME_PIXELS:
                break  # a minute of video as GIF; its beginning has been seen
        return found


def read(path: Path, name: str | None = None, *, enough: int | None = None) -> Picture:
    """The picture, ready to be worked on. With `enough`, a JPEG may come smaller, but no side below that."""
    with _opened(path) as image:
        if enough is not None:
            image.draft(image.mode, (enough, enough))
        kind = _format(image)
        turn = _TURNS.get(_orientation(image))  # before `_exif`, which takes it out
        icc = image.info.get("icc_profile") or None
        exif = _exif(image)
        dpi = image.info.get("dpi")
        image.load()
        plain, icc = _workable(image, icc)
        plain = plain.transpose(turn) if turn is not None else plain
    return Picture(plain, name or path.stem, kind, icc=icc, exif=exif, dpi=dpi if _plausible(dpi) else None)


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """The file, its header read and its size found to be bearable; what goes wrong inside becomes a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DecompressionBombWarning)  # our limit is stricter than its second one
        warnings.simplefilter("ignore", UserWarning)  # damaged EXIF; it is left out
        with _sentences(path), Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PictureError(_too_large(path, f"{image.width} x {image.height}"))
            yield image


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Pillow's complaints as one sentence each."""
    try:
        yield
    except PictureError:
        raise
    except FileNotFoundError as error:
        raise PictureError(f"{path.name}: there is no such file") from error
    except PermissionError as error:
        raise PictureError(f"{path.name}: may not be read") from error
    except UnidentifiedImageError as error:
        raise PictureError(_not_a_picture(path)) from error
    except DecompressionBombError as error:
        raise PictureError(_too_large(path, "its size")) from error
    except DAMAGE as error:
        if "truncated" in str(error).lower() or isinstance(error, EOFError):
            raise PictureError(f"{path.name}: is cut off, the end of the picture is missing") from error
        raise PictureError(f"{path.name}: is damaged ({error})") from error


def _too_large(path: Path, size: str) -> str:
    return f"{path.name}: {size} is more than {MAX_PIXELS // 1_000_000} million pixels, the most that is worked on"


def _not_a_picture(path: Path) -> str:
    if path.stat().st_size == 0:
        return f"{path.name}: is empty"
    return f"{path.name}: is no picture in a format we know"


def _format(image: ImageFile) -> str:
    name = (image.format or "").lower()
    return FORMATS.get(name, name)


def _facts(image: ImageFile) -> ImageFacts:
    frames = int(getattr(image, "n_frames", 1))
    turned = _orientation(image) in {5, 6, 7, 8}
    width, height = (image.height, image.width) if turned else image.size
    animated = bool(getattr(image, "is_animated", False))
    return ImageFacts(width, height, _format(image), image.mode, animated, frames)


def _orientation(image: ImageFile) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except DAMAGE:
        return 1  # unreadable EXIF turns nothing


def _exif(image: ImageFile) -> bytes | None:
    """The EXIF block without its orientation, which is applied, or None where there is none to read."""
    try:
        found = image.getexif()
        found.pop(ORIENTATION, None)
        return found.tobytes() if len(found) else None
    except DAMAGE:
        return None


_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def _workable(image: ImageFile, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    """In one of our four modes; and the profile that its colours are now in."""
    plain: Image.Image = image
    if image.mode in {"CMYK", "LAB"}:
        plain, icc = in_srgb(image, icc), None
    elif image.mode.startswith("I") or image.mode == "F":
        plain, icc = _eight_bits(image), None
    elif image.mode == "1":
        plain = image.convert("L")
    elif "transparency" in image.info or image.mode in {"PA", "La", "RGBa", "LA", "RGBA"}:
        plain = image.convert("LA" if image.mode in {"L", "LA", "La"} else "RGBA")
    elif image.mode not in {"L", "RGB"}:
        plain = image.convert("RGB")
    if plain is image:
        plain = image.copy()  # lives on when the file is closed
    plain.info = {}
    return plain, icc


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen bits and more as eight: by their highest byte, floats by their range."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    low, high = image.getextrema()
    assert isinstance(low, (int, float))
    assert isinstance(high, (int, float))
    if image.mode == "I" and low >= 0 and high <= 65535:
        return image.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    scale = 255 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda value: value * scale - low * scale).convert("L")


def in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """The picture's colours as sRGB; without a profile they are taken to be that already."""
    alpha = image.getchannel("A") if image.mode in {"RGBA", "LA"} else None
    if image.mode == "LAB":
        plain = _through(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    elif icc is not None:
        try:
            plain = _through(image.convert("RGB") if alpha else image, ImageCms.ImageCmsProfile(BytesIO(icc)))
        except (ImageCms.PyCMSError, OSError, ValueError):
            return (
                image if image.mode in {"L", "LA", "RGB", "RGBA"} else image.convert("RGB")
            )  # a profile for other colours
    else:
        return image if image.mode in {"L", "LA", "RGB", "RGBA"} else image.convert("RGB")
    if alpha:
        plain.putalpha(alpha)
    return plain


def _through(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    done = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert done is not None
    return done


def _plausible(dpi: object) -> bool:
    return isinstance(dpi, tuple) and len(dpi) == 2 and all(isinstance(d, (int, float)) and 1 <= d < 65536 for d in dpi)
