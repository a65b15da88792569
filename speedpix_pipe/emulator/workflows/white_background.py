"""Take the product out of a photo and put it on white, with a text under it."""

from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from speedpix_pipe.emulator.cutout import cut_out
from speedpix_pipe.emulator.fonts import load_font
from speedpix_pipe.emulator.workflows.base import Artifact, Inputs

__all__ = ["run"]

_WHITE = (255, 255, 255)
_INK = (38, 40, 44)
_MARGIN = 0.09
_TEXT_BAND = 0.15


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `image`, optional `text`. The answer has the photo's size."""
    photo = _flatten(inputs.picture("image"))
    text = inputs.text("text").strip()
    subject, alpha = _subject(photo)
    canvas = Image.new("RGB", photo.size, _WHITE)
    band = round(photo.height * _TEXT_BAND) if text else 0
    left, top, width, height = _place(photo.size, subject.size, band)
    if (width, height) != subject.size:
        subject = subject.resize((width, height), Image.Resampling.LANCZOS)
        alpha = alpha.resize((width, height), Image.Resampling.LANCZOS)
    _ground(canvas, left, top, width, height)
    canvas.paste(subject, (left, top), alpha)
    if text:
        _write(canvas, text, photo.height - band - round(photo.height * _MARGIN * 0.4), band)
    return {"images": Artifact.picture(canvas, "png")}


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, _WHITE)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def _subject(photo: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The subject cropped to its box, and its mask; the whole photo where no subject can be told apart."""
    cutout = cut_out(photo)
    if cutout is None:
        return photo, Image.new("L", photo.size, 255)
    box = cutout.alpha.getbbox() or (0, 0, *photo.size)
    alpha = cutout.alpha.crop(box)
    # In a half transparent edge the old background shines through; white takes its place: I + (1 - a)(white - B).
    shine = ImageChops.invert(cutout.surface.crop(box))
    absent = ImageChops.invert(alpha)
    shine = ImageChops.multiply(shine, Image.merge("RGB", (absent, absent, absent)))
    opened = ImageChops.add(photo.crop(box), shine)
    # The colour is on white already, so the mask only has to say where the subject ends.
    return opened, alpha.point([min(255, v * 3) for v in range(256)])


def _place(canvas: tuple[int, int], subject: tuple[int, int], band: int) -> tuple[int, int, int, int]:
    """Centred above the text; as large as it was, unless it would leave the margins."""
    room_width = canvas[0] * (1 - 2 * _MARGIN)
    room_height = canvas[1] * (1 - 2 * _MARGIN) - band
    scale = min(1.0, room_width / subject[0], room_height / subject[1])
    width, height = max(1, round(subject[0] * scale)), max(1, round(subject[1] * scale))
    top = round(canvas[1] * _MARGIN + (room_height - height) / 2)
    return (canvas[0] - width) // 2, top, width, height


def _ground(canvas: Image.Image, left: int, top: int, width: int, height: int) -> None:
    """A soft shadow where the subject stands, well clear of the canvas's edge."""
    depth = max(4, round(min(width, height) * 0.05))
    layer = Image.new("L", canvas.size, 0)
    ground = top + height
    inset = round(width * 0.06)
    box = (left + inset, ground - depth, left + width - inset, ground + depth // 2)
    if box[2] <= box[0]:
        return
    ImageDraw.Draw(layer).ellipse(box, fill=88)
    layer = layer.filter(ImageFilter.GaussianBlur(max(2, depth * 0.55)))
    canvas.paste(Image.new("RGB", canvas.size, (70, 72, 78)), mask=layer.point([max(0, v - 3) for v in range(256)]))


def _write(canvas: Image.Image, text: str, top: int, band: int) -> None:
    """The text on one line, or on as many as the band holds, as large as fits."""
    room = canvas.width * (1 - 2 * _MARGIN)
    draw = ImageDraw.Draw(canvas)
    for size in range(max(10, round(band * 0.5)), 7, -1):
        font = load_font(size)
        lines = _wrap(text, lambda piece, font=font: font.getlength(piece) <= room)
        if len(lines) * size * 1.3 <= band:
            break
    line_height = round(size * 1.3)
    y = top + (band - line_height * len(lines)) // 2
    for number, line in enumerate(lines):
        x = (canvas.width - font.getlength(line)) / 2
        draw.text((x, y + number * line_height), line, fill=_INK, font=font)


def _wrap(text: str, fits: Any) -> list[str]:
    """Break at spaces, or between any two characters where there are none (as in Chinese)."""
    lines = [""]
    for paragraph in text.splitlines():
        words = paragraph.split(" ")
        for word in words:
            joined = f"{lines[-1]} {word}".strip()
            if fits(joined):
                lines[-1] = joined
                continue
            lines.append("")
            for character in word:
                if not fits(lines[-1] + character) and lines[-1]:
                    lines.append("")
                lines[-1] += character
        lines.append("")
    return [line for line in lines if line]
