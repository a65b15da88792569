"""What image operations share: the picture they pass on, and the shape of an operation.

An operation takes a stream of pictures and gives one, so that a contact sheet of a thousand photos holds
one photo at a time. Reading and writing files is `reading` and `writing`; who runs the operations is
`executors.pixels`, in a process of the pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from speedpix_pipe.errors import ExecutorError
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.image_ops.options import Option

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 150_000_000  # of one picture, read or made: 600 MB in memory with transparency


class PictureError(ExecutorError):
    """A picture that cannot be read, or an operation that cannot be done with it; a sentence for the user."""

    code = "executor.picture"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a picture file says about itself. Width and height are as shown, EXIF orientation applied."""

    width: int
    height: int
    format: str  # jpg png webp tiff gif ..., lower case
    mode: str  # Pillow's name: RGB, RGBA, L, P, CMYK, I;16 ...
    animated: bool = False
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a picture is to be written; what is None stays as in the source."""

    format: str | None = None
    quality: int | None = None
    background: str = "white"  # shows where a format cannot hold transparency


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture on its way through the operations: L, LA, RGB or RGBA, upright."""

    image: Image
    name: str  # for labels
    format: str  # of the source
    wanted: Wanted = Wanted()
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None

    def with_image(self, image: Image) -> Picture:
        return replace(self, image=image)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures one after the other; the number is known before they are read."""

    count: int
    stream: Iterator[Picture]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the options of one operation. `option` is None where it is about the whole."""

    option: str | None
    message: str
    hint: str | None = None


class Operation(Protocol):
    """A module of this folder. `check` finds what no single option shows; it sees only known values."""

    SUMMARY: str
    OPTIONS: Mapping[str, Option]

    def check(self, names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]: ...

    def apply(self, pictures: Pictures, options: Mapping[str, Json]) -> Pictures: ...


def check_size(width: int, height: int, what: str) -> tuple[int, int]:
    """The size, if a picture of it may be made."""
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{what} would be {width} x {height}, more than {MAX_PIXELS // 1_000_000} million pixels",
            hint="make it smaller",
        )
    return max(1, width), max(1, height)


def placed(
    gravity: str, room: tuple[int, int], size: tuple[int, int], inset: tuple[int, int] = (0, 0)
) -> tuple[int, int]:
    """Where the top left corner of something of `size` goes in `room`; `inset` leads inwards from the edges."""
    x = _along(room[0], size[0], inset[0], near="west" in gravity, far="east" in gravity)
    y = _along(room[1], size[1], inset[1], near="north" in gravity, far="south" in gravity)
    return x, y


def _along(room: int, size: int, inset: int, *, near: bool, far: bool) -> int:
    if near:
        return inset
    return room - size - inset if far else (room - size) // 2 + inset


def color(value: str) -> tuple[int, int, int, int]:
    """A colour with its alpha."""
    from PIL import ImageColor

    if value == "transparent":
        return 0, 0, 0, 0
    try:
        parts = ImageColor.getrgb(value)
    except ValueError as error:
        raise PictureError(f"{value!r} is no colour") from error
    return (*parts, 255) if len(parts) == 3 else parts


def colorful(image: Image, *, alpha: bool) -> Image:
    """The picture with three colour channels; with transparency if it has some, or if `alpha` asks for it."""
    wanted = "RGBA" if alpha or image.mode in {"RGBA", "LA"} else "RGB"
    return image if image.mode == wanted else image.convert(wanted)
