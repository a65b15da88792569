"""Work on pixels, as plain functions of paths and numbers: what pool processes run, here or on another machine.

`perform` in `worker` calls them by name. Results are small and can be pickled; pictures travel as files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops
from PIL.Image import Resampling

from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.image_ops import chain
from speedpix_pipe.steps.image_ops.base import ImageFacts, Picture
from speedpix_pipe.steps.image_ops.reading import facts, in_srgb, read, verified
from speedpix_pipe.steps.image_ops.writing import flattened

BLOCK = 8  # pixels a side: JPEG's own blocks, whose means survive saving again
SAME_DIFFERENCE = 6  # levels of 255 between block means; saving again makes about 2, a retouched detail 20
BLANK_RANGE = 8  # levels of 255 within a picture that is called blank
THUMBNAIL_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two pictures differ. The difference is the greatest between means of small blocks, 0 to 255."""

    same_size: bool
    difference: int

    @property
    def same(self) -> bool:
        """Whether they show the same, though perhaps saved again."""
        return self.same_size and self.difference <= SAME_DIFFERENCE


def inspect(path: str) -> ImageFacts:
    """What the header says."""
    return facts(Path(path))


def verify(path: str) -> ImageFacts:
    """The same after a full decode; a damaged picture raises `PictureError` with a sentence."""
    return verified(Path(path))


def run_operations(
    operations: Sequence[tuple[str, Mapping[str, Json]]], inputs: Sequence[tuple[str, str]], folder: str
) -> tuple[str, ImageFacts]:
    """The operations of an image step on inputs (path, name): the one file that was made, and its facts."""
    path, made = chain.run(operations, inputs, Path(folder))
    return str(path), made


def thumbnail(path: str, size: int, target: str) -> ImageFacts:
    """A WebP with no side longer than `size`, never enlarged."""
    picture = read(Path(path), enough=2 * size)
    small = in_srgb(picture.image, picture.icc)
    small.thumbnail((size, size), Resampling.LANCZOS)
    small = small.convert("RGBA" if small.mode in {"LA", "RGBA"} else "RGB")
    part = Path(target).with_name(f".{Path(target).name}.part")
    try:
        small.save(part, "WEBP", quality=THUMBNAIL_QUALITY, method=4)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return ImageFacts(small.width, small.height, "webp", small.mode)


def compare(one: str, other: str) -> Comparison:
    """Whether two pictures show the same; transparency is looked at on white."""
    first, second = read(Path(one)), read(Path(other))
    if first.image.size != second.image.size:
        return Comparison(same_size=False, difference=255)
    difference = _difference(_seen(first), _seen(second))
    if difference > SAME_DIFFERENCE and (first.icc or second.icc):
        # A workflow that hands its input back may have lost the profile, or put it on pixels it is not meant for.
        difference = min(difference, _difference(flattened(first.image, "white"), flattened(second.image, "white")))
    return Comparison(same_size=True, difference=difference)


def is_blank(path: str) -> bool:
    """Whether the whole picture is one colour, or nothing at all."""
    picture = read(Path(path))
    if picture.image.mode in {"LA", "RGBA"}:
        if picture.image.getchannel("A").getbbox() is None:
            return True
        white, black = (flattened(picture.image, ground) for ground in ("white", "black"))
        return _widest(white) <= BLANK_RANGE and _widest(black) <= BLANK_RANGE
    return _widest(picture.image) <= BLANK_RANGE


def _seen(picture: Picture) -> Image.Image:
    return flattened(in_srgb(picture.image, picture.icc), "white")


def _difference(first: Image.Image, second: Image.Image) -> int:
    size = max(1, -(-first.width // BLOCK)), max(1, -(-first.height // BLOCK))
    means = [image.resize(size, Resampling.BOX) for image in (first, second)]
    return _widest(ImageChops.difference(*means), from_zero=True)


def _widest(image: Image.Image, *, from_zero: bool = False) -> int:
    """The greatest range of any channel."""
    bands = [band.getextrema() for band in image.split()]
    return max(int(high) - (0 if from_zero else int(low)) for low, high in bands)  # type: ignore[arg-type]  # eight bits


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "inspect": inspect,
    "verify": verify,
    "run_operations": run_operations,
    "thumbnail": thumbnail,
    "compare": compare,
    "is_blank": is_blank,
}
