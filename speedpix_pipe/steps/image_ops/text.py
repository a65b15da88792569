"""`text`: letters on the picture, in any script that the font has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops.base import Finding, Picture, Pictures, color, colorful, placed
from speedpix_pipe.steps.image_ops.options import (
    GAP,
    GRAVITY,
    Choice,
    Color,
    Either,
    Number,
    Option,
    Percent,
    PictureFile,
    Words,
)

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

SUMMARY = "Write on the picture; long lines are broken, Chinese and Japanese anywhere, others at spaces."
OPTIONS: Mapping[str, Option] = {
    "text": Option(Words(), "What to write.", required=True),
    "size": Option(
        Either((Number(1, 10_000), Percent())),
        "Height of the letters in pixels, or as a share of the picture's height.",
        "5%",
    ),
    "color": Option(Color(), "Colour of the letters; with alpha, `'#ffffff80'`.", "black"),
    "gravity": Option(GRAVITY, "Where the text stands.", "south"),
    "margin": Option(GAP, "Pixels to the edges of the picture.", 16),
    "align": Option(Choice(("left", "center", "right")), "How lines stand below each other.", "center"),
    "font": Option(PictureFile(), "A font file (ttf, otf, ttc); without it, one that has Chinese, Japanese and Latin."),
    "stroke_width": Option(Number(0, 200, whole=True), "Outline of the letters in pixels.", 0),
    "stroke_color": Option(Color(), "Colour of the outline.", "white"),
    "background": Option(Color(), "A box behind the text."),
    "padding": Option(GAP, "Pixels between text and box.", 8),
}


def check(names: frozenset[str], known: Mapping[str, Json]) -> Iterator[Finding]:
    del known
    for name, other in (("padding", "background"), ("stroke_color", "stroke_width")):
        if name in names and other not in names:
            yield Finding(name, f"`{name}` does nothing without `{other}`")


def apply(pictures: Pictures, options: Mapping[str, Json]) -> Pictures:
    return Pictures(pictures.count, (_lettered(picture, options) for picture in pictures.stream))


def _lettered(picture: Picture, options: Mapping[str, Json]) -> Picture:
    from PIL import Image, ImageDraw

    from speedpix_pipe.fonts import load_font

    words = str(options["text"]).strip("\n")
    if not words.strip():
        return picture
    image = picture.image
    font = load_font(_size(options["size"], image.height), options["font"])
    stroke = int(options["stroke_width"])
    padding = int(options["padding"]) if options["background"] else 0
    margin = int(options["margin"]) + padding
    room = max(1, image.width - 2 * margin - 2 * stroke)
    lines = "\n".join(part for line in words.splitlines() for part in broken(line, font, room))
    # Letters are drawn on a layer of their own, so that half-transparent ones let the picture through.
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    left, top, right, bottom = draw.multiline_textbbox(
        (0, 0), lines, font, align=options["align"], stroke_width=stroke, anchor="la"
    )
    size = round(right - left), round(bottom - top)
    x, y = placed(options["gravity"], image.size, size, _inset(options["gravity"], margin))
    if options["background"]:
        box = x - padding, y - padding, x + size[0] + padding, y + size[1] + padding
        draw.rectangle(box, fill=color(options["background"]))
    ink, outline = color(options["color"]), color(options["stroke_color"])
    place = x - left, y - top
    draw.multiline_text(
        place, lines, ink, font, align=options["align"], stroke_width=stroke, stroke_fill=outline, anchor="la"
    )
    done = Image.alpha_composite(colorful(image, alpha=True), layer)
    return picture.with_image(done if image.mode in {"RGBA", "LA"} else done.convert("RGB"))


def _inset(gravity: str, margin: int) -> tuple[int, int]:
    """The margin counts only along sides where the text leans on an edge."""
    sideways, upright = "west" in gravity or "east" in gravity, "north" in gravity or "south" in gravity
    return margin if sideways else 0, margin if upright else 0


def _size(size: str | float, height: int) -> float:
    if isinstance(size, str):
        return max(1.0, height * float(size.removesuffix("%")) / 100)
    return float(size)


def broken(line: str, font: FreeTypeFont, room: float) -> list[str]:
    """The line in pieces that fit the room; a piece that cannot be broken stays whole."""
    if font.getlength(line) <= room:
        return [line]
    lines: list[str] = []
    current = ""
    for piece in _pieces(line):
        if current and font.getlength((current + piece).rstrip()) > room:
            lines.append(current.rstrip())
            current = piece.lstrip()
        else:
            current += piece
    return [*lines, current.rstrip()]


def _pieces(line: str) -> Iterator[str]:
    """The line cut wherever it may be broken."""
    start = 0
    for place in range(1, len(line)):
        if _may_break(line[place - 1], line[place]):
            yield line[start:place]
            start = place
    yield line[start:]


WIDE_CLOSING = "，。、；：？！）】》〉」』…"
CLOSING = WIDE_CLOSING + "”’,.;:?!)]}%"  # never at the start of a line
OPENING = "（【《〈「『“‘([{"  # never at its end


def _may_break(before: str, after: str) -> bool:
    """After spaces, and on both sides of Han and Kana; Hangul has spaces."""
    if before.isspace():
        return not after.isspace()
    return (_wide(before) or _wide(after) or before in WIDE_CLOSING) and after not in CLOSING and before not in OPENING


def _wide(letter: str) -> bool:
    point = ord(letter)
    return 0x3040 <= point <= 0x30FF or 0x3400 <= point <= 0x9FFF or 0xF900 <= point <= 0xFAFF or point >= 0x20000
