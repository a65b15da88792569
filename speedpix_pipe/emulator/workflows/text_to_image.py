"""A picture from words: a landscape whose hour, palette and shapes the prompt and the seed decide."""

import colorsys
import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from speedpix_pipe.emulator.workflows.base import Artifact, Inputs

__all__ = ["paint", "run"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Mood:
    """Colours from the sky's top to its foot, of land and of light."""

    top: Colour
    foot: Colour
    land: Colour
    light: Colour
    sea: bool = False
    stars: bool = False


_MOODS = {
    "sunset": Mood((72, 60, 120), (255, 164, 92), (64, 38, 66), (255, 226, 150)),
    "night": Mood((8, 12, 40), (52, 66, 118), (14, 18, 38), (240, 240, 220), stars=True),
    "snow": Mood((150, 184, 220), (236, 242, 250), (206, 218, 234), (255, 255, 255)),
    "sea": Mood((88, 158, 214), (214, 236, 244), (30, 104, 136), (255, 252, 226), sea=True),
    "desert": Mood((96, 158, 206), (250, 222, 170), (206, 142, 78), (255, 246, 206)),
    "forest": Mood((134, 186, 206), (226, 238, 214), (44, 88, 56), (255, 248, 214)),
}
_WORDS = {
    "beach": "sea", "ocean": "sea", "water": "sea", "海": "sea",
    "dusk": "sunset", "evening": "sunset", "日落": "sunset", "star": "night", "moon": "night", "夜": "night",
    "winter": "snow", "雪": "snow", "dune": "desert", "sand": "desert",
    "沙": "desert", "tree": "forest", "green": "forest", "林": "forest", "mountain": "snow", "山": "forest",
}  # fmt: skip


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `prompt`, optional `seed`, `width` (768), `height` (512)."""
    size = (inputs.integer("width", 768, 16, 4096), inputs.integer("height", 512, 16, 4096))
    return {"images": Artifact.picture(paint(inputs.text("prompt"), inputs.seed(), size), "jpeg")}


def paint(prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """The same words and seed give the same picture."""
    dice = random.Random(f"{prompt} {seed}")  # noqa: S311  # pictures, not secrets
    mood = _read(prompt, dice)
    width, height = size
    horizon = round(height * dice.uniform(0.52, 0.66))
    picture = _sky(size, mood)
    _light(picture, mood, dice, horizon)
    if mood.stars:
        _stars(picture, dice, horizon)
    _clouds(picture, mood, dice, horizon)
    if mood.sea:
        _sea(picture, mood, dice, horizon)
    for layer in range(2 if mood.sea else 5):
        _ridge(picture, mood, dice, horizon, layer / 5)
    return ImageChops.add(picture, _grain(size), 1, -128) if width * height > 4096 else picture


def _read(prompt: str, dice: random.Random) -> Mood:
    text = prompt.lower()
    known = {**{name: name for name in _MOODS}, **_WORDS}
    found = [word for word in known if word in text]
    if found:
        return _MOODS[known[min(found, key=text.find)]]
    hue = dice.random()
    shades = [
        (hue, 0.55, 0.55),
        (hue + 0.08, 0.25, 0.98),
        (hue + dice.uniform(0.3, 0.6), 0.45, 0.35),
        (hue + 0.1, 0.1, 1.0),
    ]
    top, foot, land, light = (_rgb(h, s, v) for h, s, v in shades)
    return Mood(top, foot, land, light)


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _sky(size: tuple[int, int], mood: Mood) -> Image.Image:
    steps = 64
    strip = Image.new("RGB", (1, steps))
    for step in range(steps):
        strip.putpixel((0, step), _mix(mood.top, mood.foot, min(1.0, step / (steps * 0.62))))
    return strip.resize(size, Image.Resampling.BICUBIC)


def _light(picture: Image.Image, mood: Mood, dice: random.Random, horizon: int) -> None:
    """Sun or moon and the glow about it."""
    width, height = picture.size
    x, y = dice.uniform(0.2, 0.8) * width, dice.uniform(0.25, 0.85) * horizon
    radius = min(width, height) * dice.uniform(0.035, 0.07)
    for spread, strength, shrink, blur in ((7.0, 70, 4, 0.45), (3.0, 90, 4, 0.45), (1.0, 235, 1, 0.05)):
        mask = Image.new("L", (max(1, width // shrink), max(1, height // shrink)), 0)
        reach, left, top = radius * spread / shrink, x / shrink, y / shrink
        ImageDraw.Draw(mask).ellipse((left - reach, top - reach, left + reach, top + reach), fill=strength)
        mask = mask.filter(ImageFilter.GaussianBlur(max(0.6, reach * blur)))
        picture.paste(mood.light, (0, 0, width, height), mask.resize(picture.size, Image.Resampling.BICUBIC))


def _stars(picture: Image.Image, dice: random.Random, horizon: int) -> None:
    draw = ImageDraw.Draw(picture)
    for _ in range(picture.width // 5):
        bright = dice.randint(120, 255)
        draw.point(
            (dice.randrange(picture.width), dice.randrange(max(1, horizon))), (bright, bright, min(255, bright + 10))
        )


def _clouds(picture: Image.Image, mood: Mood, dice: random.Random, horizon: int) -> None:
    """Noise of three widths, kept where it is dense, thinner towards the top."""
    width, height = picture.size
    total = Image.new("L", (96, 48), 0)
    for cells, weight in ((6, 0.55), (14, 0.3), (34, 0.15)):
        noise = Image.new("L", (cells, max(2, cells // 2)))
        noise.putdata([dice.randrange(256) for _ in range(noise.width * noise.height)])
        wide = noise.resize(total.size, Image.Resampling.BICUBIC)
        total = ImageChops.add(total, wide.point([round(v * weight) for v in range(256)]))
    limit = dice.randint(128, 158)
    dense = total.point([max(0, min(190, (v - limit) * 4)) for v in range(256)])
    mask = Image.new("L", picture.size, 0)
    mask.paste(dense.resize((width, max(1, horizon)), Image.Resampling.BICUBIC), (0, 0))
    picture.paste(_mix(mood.foot, mood.light, 0.6), (0, 0, width, height), mask)


def _sea(picture: Image.Image, mood: Mood, dice: random.Random, horizon: int) -> None:
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for y in range(horizon, height):
        share = (y - horizon) / max(1, height - horizon)
        draw.line((0, y, width, y), fill=_mix(_mix(mood.land, mood.foot, 0.45), mood.land, share))
    for _ in range(height * 3):
        share = dice.random() ** 1.6
        y = horizon + share * (height - horizon)
        x, length = dice.uniform(0, width), width * (0.008 + 0.05 * share)
        draw.line((x, y, x + length, y), fill=_mix(mood.land, mood.light, 0.25 + 0.3 * dice.random()))


def _ridge(picture: Image.Image, mood: Mood, dice: random.Random, horizon: int, near: float) -> None:
    """One range of hills by halving: rough where near, pale where far."""
    width, height = picture.size
    line = [dice.uniform(-1, 1), dice.uniform(-1, 1)]
    rough = 1.0
    while len(line) < 129:
        rough *= 0.53
        middles = [(a + b) / 2 + dice.uniform(-rough, rough) for a, b in pairwise(line)]
        line = [line[i // 2] if i % 2 == 0 else middles[i // 2] for i in range(len(line) + len(middles))]
    foot = (0.9 if mood.sea else 0.0) * (height - horizon) * (0.45 + near)
    base = horizon + foot + near * (height - horizon) * 0.85
    reach = height * (0.11 + 0.04 * near) * (0.4 if mood.sea else 1.0)
    points = [(width * i / (len(line) - 1), base - value * reach * 0.6) for i, value in enumerate(line)]
    colour = _mix(
        _mix(mood.land, mood.foot, 0.62), _mix(mood.land, (12, 12, 18), 0.25), near * 1.2 if near < 0.8 else 1.0
    )
    ImageDraw.Draw(picture).polygon([(0, height), *points, (width, height)], fill=colour)


def _grain(size: tuple[int, int]) -> Image.Image:
    """A fixed weave of light and dark: the same for the same size, which real noise would not be."""
    dice = random.Random(5)  # noqa: S311  # pictures, not secrets
    tile = Image.new("L", (64, 64))
    tile.putdata([128 + dice.randint(-4, 4) for _ in range(64 * 64)])
    sheet = Image.new("L", size)
    for x in range(0, size[0], 64):
        for y in range(0, size[1], 64):
            sheet.paste(tile, (x, y))
    return Image.merge("RGB", (sheet, sheet, sheet))
