"""`contact-sheet`: many small pictures on one page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.image_ops.base import Finding, Picture, PictureError, Pictures, check_size, color, colorful
from speedpix_pipe.steps.image_ops.options import GAP, SIDE, Color, Either, Flag, ListOf, Number, Option, Words

if TYPE_CHECKING:
    from PIL.Image import Image

SUMMARY = "All pictures in rows and columns on one; written as png unless converted."
OPTIONS: Mapping[str, Option] = {
    "columns": Option(Number(1, 1000, whole=True), "How many in a row; without it, about as many as rows."),
    "cell": Option(
        Either((SIDE, ListOf(SIDE, 2))),
        "Longest side of a picture, or the [width, height] of every cell; small pictures stay small.",
        400,
    ),
    "gap": Option(GAP, "Pixels between cells.", 16),
    "margin": Option(GAP, "Pixels around all.", 16),
    "background": Option(Color(), "Colour of the page.", "white"),
    "labels": Option(
        Either((Flag(), ListOf(Words()))), "true: file names below the pictures; or a list of texts.", default=False
    ),
    "label_size": Option(Number(6, 400, whole=True), "Height of the letters.", 18),
    "label_color": Option(Color(), "Colour of the letters.", "black"),
}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    del names, known
    yield from ()


@dataclass(frozen=True, slots=True)
class _Grid:
    columns: int
    rows: int
    cell: tuple[int, int]
    gap: int
    margin: int
    label: int  # height kept for a label below each cell
    snug: bool  # a row is as high as its highest picture

    @property
    def size(self) -> tuple[int, int]:
        width = self.columns * self.cell[0] + (self.columns - 1) * self.gap
        height = self.rows * (self.cell[1] + self.label) + (self.rows - 1) * self.gap
        return width + 2 * self.margin, height + 2 * self.margin


def cell_of(options: Mapping[str, Json]) -> tuple[int, int]:
    cell = options["cell"]
    return (int(cell[0]), int(cell[1])) if isinstance(cell, Sequence) else (int(cell), int(cell))


def _grid(count: int, options: Mapping[str, Json]) -> _Grid:
    columns = min(count, int(options["columns"] or math.ceil(math.sqrt(count))))
    label = round(int(options["label_size"]) * 1.6) if options["labels"] else 0
    gaps = int(options["gap"]), int(options["margin"])
    return _Grid(
        columns, math.ceil(count / columns), cell_of(options), *gaps, label, not isinstance(options["cell"], Sequence)
    )


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    if pictures.count == 0:
        raise PictureError("a contact sheet needs at least one picture")
    labels = options["labels"]
    if isinstance(labels, Sequence) and len(labels) != pictures.count:
        raise PictureError(f"{len(labels)} labels for {pictures.count} pictures")
    return Pictures(1, iter([_sheet(pictures, options)]))


def _sheet(pictures: Pictures, options: Mapping[str, Json]) -> Picture:
    from PIL import Image, ImageDraw

    from speedpix_pipe.fonts import load_font
    from speedpix_pipe.steps.image_ops.reading import in_srgb

    grid = _grid(pictures.count, options)
    check_size(*grid.size, "the contact sheet")
    fill = color(options["background"])
    mode = "RGBA" if fill[3] < 255 else "RGB"
    ground = fill[: len(mode)]
    font = load_font(int(options["label_size"])) if grid.label else None
    stream = enumerate(pictures.stream)
    strips = []
    for row in batches(stream, grid.columns):
        cells = [
            (place, picture.name, _small(in_srgb(picture.image, picture.icc), grid.cell)) for place, picture in row
        ]
        height = max(small.height for _, _, small in cells) if grid.snug else grid.cell[1]
        strip = Image.new(mode, (grid.size[0] - 2 * grid.margin, height + grid.label), ground)
        for column, (place, name, small) in enumerate(cells):
            x = column * (grid.cell[0] + grid.gap)
            _put(strip, small, (x + (grid.cell[0] - small.width) // 2, (height - small.height) // 2))
            if font is not None:
                labels = options["labels"]
                text = str(labels[place]) if isinstance(labels, Sequence) else name
                text = _fitting(text, font.getlength, grid.cell[0])
                middle = x + grid.cell[0] / 2, height + grid.label / 2
                ImageDraw.Draw(strip).text(middle, text, fill=color(options["label_color"]), font=font, anchor="mm")
        strips.append(strip)
    height = sum(strip.height for strip in strips) + (len(strips) - 1) * grid.gap + 2 * grid.margin
    page = Image.new(mode, (grid.size[0], height), ground)
    y = grid.margin
    for strip in strips:
        page.paste(strip, (grid.margin, y))
        y += strip.height + grid.gap
    return Picture(page, "contact-sheet", "png")


def batches(stream: Iterator[tuple[int, Picture]], size: int) -> Iterator[list[tuple[int, Picture]]]:
    """Rows of the sheet; only one of them is in memory as full pictures."""
    while row := list(islice(stream, size)):
        yield row


def _small(image: Image, cell: tuple[int, int]) -> Image:
    """The picture, shrunk into a cell; small ones stay small."""
    from PIL.Image import Resampling

    small = colorful(image, alpha=False)
    share = min(1.0, cell[0] / small.width, cell[1] / small.height)
    size = max(1, round(small.width * share)), max(1, round(small.height * share))
    return small if size == small.size else small.resize(size, Resampling.LANCZOS)


def _put(page: Image, small: Image, corner: tuple[int, int]) -> None:
    if small.mode == "RGBA" and page.mode == "RGBA":
        page.alpha_composite(small, corner)
    else:
        page.paste(small, corner, small if small.mode == "RGBA" else None)


def _fitting(text: str, length: Callable[[str], float], room: int) -> str:
    """The text on one line, shortened in the middle where it is too long: names differ at their ends."""
    text = " ".join(text.split())
    if length(text) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        tail = kept // 2
        short = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
        if length(short) <= room:
            return short
    return "…"
