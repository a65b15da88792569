"""Pictures for tests: photographs that scikit-image carries in its wheel, and odd ones made here."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import skimage.data
from PIL import Image, ImageCms, ImageDraw

PHOTOS = Path(skimage.data.__file__).parent


def photo(name: str) -> Path:
    return PHOTOS / name


def quarters(size=(40, 20)) -> Image.Image:
    """Red, green / blue, white: shows which way up it is."""
    image = Image.new("RGB", size, "red")
    draw = ImageDraw.Draw(image)
    middle = size[0] // 2, size[1] // 2
    draw.rectangle((middle[0], 0, size[0], middle[1] - 1), "lime")
    draw.rectangle((0, middle[1], middle[0] - 1, size[1]), "blue")
    draw.rectangle((middle[0], middle[1], size[0], size[1]), "white")
    return image


def exif_rotated(path: Path, orientation: int) -> Path:
    """A file that shows `quarters` once its orientation is applied."""
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = quarters() if undo is None else quarters().transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A camera"
    image.save(path, exif=exif)
    return path


def animated_gif(path: Path, frames=3) -> Path:
    first, *rest = [Image.new("RGB", (30, 20), (80 * n, 40, 200 - 60 * n)) for n in range(frames)]
    first.save(path, save_all=True, append_images=rest, duration=100)
    return path


def bomb(path: Path, width=40_000, height=40_000) -> Path:
    """A small PNG whose header promises 1.6 thousand million pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))
    return path


def truncated(source: Path, target: Path, share=0.6) -> Path:
    whole = source.read_bytes()
    target.write_bytes(whole[: int(len(whole) * share)])
    return target


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(image: Image.Image, kind: str, **settings) -> bytes:
    out = BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()
