"""Light a picture as the prompt says: direction, warmth, strength and mood are read off its words."""

import hashlib
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops, ImageEnhance, ImageFilter

from speedpix_pipe.emulator.workflows.base import Artifact, Inputs

__all__ = ["run"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Light:
    """`side` 0 is left and 1 right; `lit` and `shade` colour the bright and the dark end of the gradient."""

    side: float
    height: float
    lit: Colour
    shade: Colour
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    glow: float = 0.0


LIGHTS: dict[str, Light] = {
    "studio": Light(0.2, 0.1, (255, 255, 255), (206, 210, 220), 1.03, 1.08, 1.0),
    "beach": Light(0.8, 0.0, (255, 247, 214), (176, 214, 230), 1.08, 1.0, 1.2, 0.15),
    "snow": Light(0.5, 0.0, (246, 251, 255), (178, 200, 234), 1.1, 0.92, 0.75, 0.2),
    "sunset": Light(0.95, 0.6, (255, 190, 120), (112, 70, 118), 0.98, 1.05, 1.25, 0.25),
    "night": Light(0.15, 0.0, (150, 174, 226), (22, 26, 58), 0.8, 1.12, 0.7),
    "forest": Light(0.35, 0.0, (236, 246, 196), (72, 104, 72), 0.96, 1.05, 1.1, 0.1),
    "neon": Light(0.0, 0.5, (255, 120, 214), (44, 58, 176), 0.95, 1.15, 1.35, 0.3),
    "candle": Light(0.6, 0.8, (255, 206, 132), (74, 38, 22), 0.92, 1.05, 1.1, 0.2),
    "spring": Light(0.3, 0.1, (255, 244, 240), (196, 224, 190), 1.06, 0.98, 1.15, 0.15),
    "autumn": Light(0.75, 0.3, (255, 220, 160), (150, 92, 58), 1.0, 1.04, 1.15, 0.1),
    "rain": Light(0.5, 0.0, (214, 222, 228), (98, 110, 124), 0.93, 0.95, 0.6),
    "gold": Light(0.7, 0.2, (255, 226, 150), (128, 88, 40), 1.02, 1.06, 1.1, 0.15),
}
_WORDS = {
    "雪": "snow", "winter": "snow", "ice": "snow", "海滩": "beach", "sea": "beach", "sun": "beach", "summer": "beach",
    "日落": "sunset", "dusk": "sunset", "evening": "sunset", "夜": "night", "moon": "night", "dark": "night",
    "森林": "forest", "wood": "forest", "garden": "spring", "flower": "spring", "秋": "autumn", "霓虹": "neon",
    "cyber": "neon", "warm": "candle", "fire": "candle", "雨": "rain", "cloud": "rain", "fog": "rain",
    "luxury": "gold", "golden": "gold", "棚": "studio", "white": "studio", "soft": "studio",
}  # fmt: skip


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `image`, `prompt`, optional `seed`."""
    picture = inputs.picture("image").convert("RGB")
    prompt = inputs.text("prompt", "studio light")
    light = read_light(prompt)
    wobble = (inputs.integer("seed", 0, 0, 2**63) % 1000) / 1000 - 0.5 if inputs.get("seed") is not None else 0.0
    return {"images": Artifact.picture(relight(picture, light, wobble), "jpeg")}


def read_light(prompt: str) -> Light:
    """The light of the first word we know; an unknown prompt gets a light of its own, always the same."""
    text = prompt.lower()
    known = {**{name: name for name in LIGHTS}, **_WORDS}
    places = {word: text.find(word) for word in known if word in text}
    first = min(places, key=lambda word: (places[word], -len(word)), default="")
    base = LIGHTS[known[first]] if first else _invented(text)
    if "left" in text or "左" in text:
        return Light(0.0, 0.3, base.lit, base.shade, base.brightness, base.contrast, base.saturation, base.glow)
    if "right" in text or "右" in text:
        return Light(1.0, 0.3, base.lit, base.shade, base.brightness, base.contrast, base.saturation, base.glow)
    return base


def _invented(text: str) -> Light:
    mark = hashlib.sha256(text.encode()).digest()
    lit = (200 + mark[0] % 56, 190 + mark[1] % 66, 180 + mark[2] % 76)
    shade = (60 + mark[3] % 120, 60 + mark[4] % 120, 60 + mark[5] % 120)
    return Light(
        mark[6] / 255, mark[7] / 510, lit, shade, 1.0, 1.0 + mark[8] / 1500, 0.85 + mark[9] / 500, mark[10] / 1000
    )


def relight(picture: Image.Image, light: Light, wobble: float = 0.0) -> Image.Image:
    lit = _gradient(picture.size, light, wobble)
    tinted = ImageChops.multiply(picture, lit)
    # A multiplied picture loses light; half of that is given back where the source stands.
    tinted = Image.blend(tinted, ImageChops.screen(tinted, ImageChops.multiply(lit, tinted)), 0.42)
    tinted = ImageEnhance.Color(tinted).enhance(light.saturation)
    tinted = ImageEnhance.Contrast(tinted).enhance(light.contrast)
    tinted = ImageEnhance.Brightness(tinted).enhance(light.brightness)
    return _glow(tinted, light.glow) if light.glow else tinted


def _gradient(size: tuple[int, int], light: Light, wobble: float) -> Image.Image:
    """From `lit` where the light stands to `shade` farthest from it."""
    cells = 17
    small = Image.new("RGB", (cells, cells))
    side, height = light.side + wobble * 0.3, light.height + wobble * 0.1
    reach = max(((x - side) ** 2 + (y - height) ** 2) ** 0.5 for x in (0, 1) for y in (0, 1))
    for row in range(cells):
        for column in range(cells):
            distance = ((column / (cells - 1) - side) ** 2 + (row / (cells - 1) - height) ** 2) ** 0.5 / reach
            share = distance * distance * (3 - 2 * distance)
            pair = zip(light.lit, light.shade, strict=True)
            small.putpixel((column, row), tuple(round(a + (b - a) * share) for a, b in pair))
    return small.resize(size, Image.Resampling.BICUBIC)


def _glow(picture: Image.Image, strength: float) -> Image.Image:
    """Bright parts bleed; blurred small, because a wide blur is dear."""
    small = picture.resize((max(1, picture.width // 8), max(1, picture.height // 8)), Image.Resampling.BOX)
    bright = small.point([max(0, v - 110) for v in range(256)] * 3).filter(ImageFilter.GaussianBlur(6))
    return Image.blend(
        picture, ImageChops.screen(picture, bright.resize(picture.size, Image.Resampling.BICUBIC)), strength
    )
