"""Product photos for the demo and the tests, rendered here so that the repository carries none.

A dozen objects in a small studio; the background is a paper sweep with a pool of light, a vignette and a little
grain. The same seed gives the same pictures.
"""

import colorsys
import math
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageChops

from speedpix_pipe.emulator.solids import Camera, Material, Scene, Vector, ball, box, disc, tube, turned

__all__ = ["render_product_photos"]

Maker = Callable[[random.Random], Scene]


def render_product_photos(folder: Path, count: int = 12, seed: int = 7) -> list[Path]:
    """Write `count` JPEG files, 1200 x 900, named after what they show; past a dozen other colours follow."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = list(_OBJECTS.items())
    written: list[Path] = []
    for number in range(count):
        name, make = makers[number % len(makers)]
        again = number // len(makers)
        path = folder / (f"{name}-{again + 1}.jpg" if again else f"{name}.jpg")
        dice = random.Random(f"{seed} {number}")  # noqa: S311  # pictures, not secrets
        _photograph(make(dice), dice).save(path, "JPEG", quality=93)
        written.append(path)
    return written


def _photograph(scene: Scene, dice: random.Random) -> Image.Image:
    camera = Camera()
    picture, shadow, contact = scene.draw(camera)
    backdrop = _backdrop(camera.size, dice)
    backdrop = _darken(backdrop, shadow, 0.36)
    backdrop = _darken(backdrop, contact, 0.45)
    backdrop.paste(picture, mask=picture.getchannel("A"))
    tile = _grain(dice)
    grain = Image.new("L", camera.size)
    for x in range(0, camera.size[0], tile.width):
        for y in range(0, camera.size[1], tile.height):
            grain.paste(tile, (x, y))
    return ImageChops.add(backdrop, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def _grain(dice: random.Random) -> Image.Image:
    """A tile of noise about the middle grey. Pillow's own noise cannot be seeded; four throws are nearly normal."""
    size = (400, 300)
    throws = [Image.frombytes("L", size, dice.randbytes(size[0] * size[1])) for _ in range(4)]
    first, second = (Image.blend(throws[n], throws[n + 1], 0.5) for n in (0, 2))
    return Image.blend(first, second, 0.5).point([round(128 + (v - 128) * 0.095) for v in range(256)])


def _backdrop(size: tuple[int, int], dice: random.Random) -> Image.Image:
    """Paper: lighter where the lamp points, darker to the corners, wall and floor melting into each other."""
    hue, tint = dice.random(), dice.uniform(0.03, 0.16)
    level = dice.uniform(0.74, 0.9)
    pool_x, pool_y = dice.uniform(0.35, 0.5), dice.uniform(0.3, 0.5)
    cells = 33
    small = Image.new("RGB", (cells, cells))
    for row in range(cells):
        for column in range(cells):
            x, y = column / (cells - 1), row / (cells - 1)
            pool = math.exp(-((x - pool_x) ** 2 * 2.2 + (y - pool_y) ** 2 * 2.0))
            bright = level * (0.80 + 0.24 * pool) + 0.03 * (y - 0.5)
            colour = colorsys.hsv_to_rgb(hue, tint * (1.1 - 0.25 * pool), max(0.0, min(0.975, bright)))
            small.putpixel((column, row), tuple(round(255 * c) for c in colour))
    return small.resize(size, Image.Resampling.BICUBIC)


def _darken(picture: Image.Image, mask: Image.Image, strength: float) -> Image.Image:
    factor = mask.point([round(255 - v * strength) for v in range(256)])
    return ImageChops.multiply(picture, Image.merge("RGB", (factor, factor, factor)))


def _colour(hue: float, saturation: float, value: float) -> Vector:
    """Given as seen, returned in linear light."""
    red, green, blue = (c**2.2 for c in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
    return (red, green, blue)


def _plain(colour: Vector, gloss: float = 0.3, glow: float = 0.0) -> Material:
    return Material(lambda _u, _v: colour, gloss, glow)


def _mix(a: Vector, b: Vector, share: float) -> Vector:
    share = max(0.0, min(1.0, share))
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def _cup(dice: random.Random) -> Scene:
    hue = dice.random()
    glaze, lining, coffee = _colour(hue, 0.72, 0.72), _colour(0.1, 0.3, 0.97), _colour(0.07, 0.8, 0.22)
    scene = Scene()
    body = [(0.86, 1.62), (0.87, 1.62), (0.86, 1.5), (0.83, 1.0), (0.78, 0.45), (0.7, 0.12), (0.56, 0.02), (0.5, 0.0)]
    scene.add(turned(body, _plain(glaze, 0.85)))
    scene.add(turned([(0.86, 1.62), (0.81, 1.6), (0.79, 1.2), (0.72, 0.6)], _plain(lining, 0.6), inside=True))
    scene.add(disc(1.34, 0.8, _plain(coffee, 0.5)))
    path: list[Vector] = []
    for step in range(33):
        angle = math.pi * (0.5 - step / 32)
        path.append((0.78 + 0.56 * math.cos(angle), 0.84 + 0.46 * math.sin(angle), 0.0))
    scene.add(tube(path, 0.115, _plain(glaze, 0.85)))
    return scene


def _bottle(dice: random.Random) -> Scene:
    glass, paper = _colour(dice.uniform(0.25, 0.42), 0.75, 0.34), _colour(0.12, 0.12, 0.94)
    band, cap = _colour(dice.random(), 0.7, 0.6), _colour(0.02, 0.75, 0.45)

    def paint(_u: float, v: float) -> Vector:
        if v < 0.27:
            return cap
        if 0.62 < v < 0.9:
            return band if v < 0.645 or v > 0.875 or 0.72 < v < 0.76 else paper
        return glass

    profile = [
        (0.02, 2.52), (0.19, 2.5), (0.2, 2.44), (0.19, 2.36), (0.185, 2.1), (0.19, 1.85),
        (0.28, 1.62), (0.5, 1.4), (0.55, 1.2), (0.55, 0.7), (0.55, 0.3), (0.54, 0.06), (0.46, 0.0),
    ]  # fmt: skip
    scene = Scene()
    scene.add(turned(profile, Material(paint, 0.95), along=100))
    return scene


def _bowl(dice: random.Random) -> Scene:
    hue = dice.random()
    outer, inner = _colour(hue, 0.55, 0.62), _colour(hue + 0.08, 0.18, 0.92)
    scene = Scene()
    profile = [(1.3, 1.05), (1.31, 1.04), (1.28, 0.94), (1.12, 0.55), (0.8, 0.2), (0.52, 0.1), (0.5, 0.0), (0.46, 0.0)]
    scene.add(turned(profile, Material(lambda _u, v: inner if v < 0.1 else outer, 0.7)))
    scene.add(
        turned(
            [(1.3, 1.05), (1.25, 1.0), (1.05, 0.58), (0.7, 0.28), (0.2, 0.2), (0.01, 0.2)],
            _plain(inner, 0.5),
            inside=True,
        )
    )
    return scene


def _vase(dice: random.Random) -> Scene:
    hue = dice.random()
    upper, lower, line = _colour(hue, 0.5, 0.85), _colour(hue + 0.12, 0.75, 0.42), _colour(0.12, 0.35, 0.9)

    def paint(_u: float, v: float) -> Vector:
        banded = abs(v - 0.47) < 0.012 or abs(v - 0.6) < 0.012
        return line if banded else _mix(upper, lower, (v - 0.35) * 2.2)

    profile = [
        (0.4, 2.3), (0.42, 2.28), (0.37, 2.18), (0.27, 1.95), (0.3, 1.75), (0.56, 1.42),
        (0.8, 1.0), (0.8, 0.72), (0.62, 0.3), (0.42, 0.08), (0.42, 0.0), (0.38, 0.0),
    ]  # fmt: skip
    scene = Scene()
    scene.add(turned(profile, Material(paint, 0.8), along=90))
    scene.add(
        turned([(0.4, 2.3), (0.36, 2.24), (0.24, 1.95), (0.2, 1.7)], _plain(_colour(hue, 0.6, 0.2), 0.2), inside=True)
    )
    return scene


def _book(dice: random.Random) -> Scene:
    hue, angle = dice.random(), dice.uniform(0.5, 0.75)
    cover, gold, paper = _colour(hue, 0.75, 0.5), _colour(0.12, 0.6, 0.85), _colour(0.11, 0.1, 0.95)

    def front(u: float, v: float) -> Vector:
        frame = 0.07 < min(u, 1 - u, v, 1 - v) < 0.11
        title = abs(v - 0.36) < 0.05 and 0.25 < u < 0.75
        return gold if frame or title else cover

    def leaves(_u: float, v: float) -> Vector:
        return _mix(paper, _colour(0.11, 0.25, 0.72), 0.5 + 0.5 * math.sin(v * 120))

    scene = Scene()
    size = 1.15, 0.82
    scene.add(box((-size[0], 0.0, -size[1]), (size[0], 0.05, size[1]), angle, lambda _: _plain(cover, 0.35)))
    inner = (size[0] - 0.05, size[1] - 0.05)
    pages = Material(leaves, 0.05)
    scene.add(box((-size[0] + 0.01, 0.05, -inner[1]), (inner[0], 0.37, inner[1]), angle, lambda _: pages))
    top = Material(front, 0.35)
    scene.add(
        box(
            (-size[0], 0.37, -size[1]),
            (size[0], 0.43, size[1]),
            angle,
            lambda side: top if side == "top" else _plain(cover),
            cells=44,
        )
    )
    return scene


def _box(dice: random.Random) -> Scene:
    hue, angle = dice.random(), dice.uniform(0.45, 0.8)
    paper, ribbon = _colour(hue, 0.55, 0.78), _colour(hue + 0.45, 0.7, 0.72)

    def side(u: float, _v: float) -> Vector:
        return ribbon if abs(u - 0.5) < 0.085 else paper

    def lid(u: float, v: float) -> Vector:
        return ribbon if abs(u - 0.5) < 0.085 or abs(v - 0.5) < 0.085 else paper

    scene = Scene()
    walls, top = Material(side, 0.25), Material(lid, 0.25)
    scene.add(box((-0.84, 0.0, -0.84), (0.84, 1.0, 0.84), angle, lambda _: walls, cells=36))
    scene.add(
        box((-0.89, 1.0, -0.89), (0.89, 1.27, 0.89), angle, lambda name: top if name == "top" else walls, cells=36)
    )
    for turn in (0.35, math.pi - 0.35):
        loop: list[Vector] = []
        for step in range(25):
            share = step / 24
            reach = 0.62 * math.sin(math.pi * share)
            loop.append(
                (
                    reach * math.cos(turn),
                    1.3 + 0.34 * math.sin(2 * math.pi * (share * 0.5)) * (1 - share),
                    0.12 * math.sin(turn),
                )
            )
        scene.add(tube(loop, 0.075, _plain(ribbon, 0.4)))
    scene.add(ball((0.0, 1.36, 0.0), 0.13, _plain(ribbon, 0.4)))
    return scene


def _ball(dice: random.Random) -> Scene:
    hue = dice.random()
    panels = [
        _colour(hue, 0.75, 0.85),
        _colour(0.12, 0.3, 0.97),
        _colour(hue + 0.33, 0.7, 0.7),
        _colour(0.12, 0.3, 0.97),
    ]

    def paint(u: float, v: float) -> Vector:
        return panels[1] if v < 0.05 or v > 0.95 else panels[int(u * 8) % 4]

    scene = Scene()
    scene.add(ball((0.0, 1.05, 0.0), 1.05, Material(paint, 0.75)))
    return scene


def _lamp(dice: random.Random) -> Scene:
    metal, cloth = _colour(dice.random(), 0.35, 0.4), _colour(0.11, 0.22, 0.96)
    scene = Scene()
    scene.add(turned([(0.01, 0.14), (0.3, 0.13), (0.55, 0.09), (0.6, 0.04), (0.6, 0.0)], _plain(metal, 0.9), along=30))
    scene.add(
        turned(
            [(0.06, 1.5), (0.06, 1.1), (0.16, 0.8), (0.2, 0.55), (0.12, 0.3), (0.09, 0.1)], _plain(metal, 0.9), along=60
        )
    )
    shade = Material(lambda _u, v: _mix(cloth, _colour(0.09, 0.45, 0.9), abs(v - 0.55) * 0.9), 0.05, 0.32)
    scene.add(turned([(0.46, 2.45), (0.6, 2.05), (0.74, 1.65), (0.86, 1.3)], shade, along=70))
    scene.add(turned([(0.46, 2.45), (0.6, 2.05), (0.7, 1.75)], _plain(cloth, 0.0, 0.5), inside=True, along=20))
    return scene


def _jar(dice: random.Random) -> Scene:
    honey, lid, label = (
        _colour(dice.uniform(0.06, 0.13), 0.85, 0.78),
        _colour(dice.random(), 0.5, 0.5),
        _colour(0.13, 0.1, 0.95),
    )

    def paint(u: float, v: float) -> Vector:
        if 0.42 < v < 0.78 and (u < 0.2 or u > 0.8):
            return lid if 0.54 < v < 0.6 and (u < 0.12 or u > 0.88) else label
        return _mix(honey, _colour(0.05, 0.9, 0.4), (v - 0.6) * 1.2)

    scene = Scene()
    body = [(0.6, 1.5), (0.62, 1.46), (0.76, 1.36), (0.82, 1.2), (0.82, 0.7), (0.82, 0.25), (0.78, 0.05), (0.66, 0.0)]
    scene.add(turned(body, Material(paint, 0.95), along=90))
    top = [(0.01, 1.86), (0.4, 1.86), (0.66, 1.85), (0.7, 1.8), (0.7, 1.66), (0.7, 1.5), (0.66, 1.48)]
    scene.add(turned(top, _plain(lid, 0.6), along=60, ribs=(44, 0.008)))
    return scene


def _candle(dice: random.Random) -> Scene:
    hue = dice.random()
    wax = Material(lambda _u, v: _mix(_colour(hue, 0.25, 0.95), _colour(hue, 0.5, 0.72), v), 0.35, 0.05)
    scene = Scene()
    scene.add(
        turned([(0.9, 0.1), (0.92, 0.08), (0.86, 0.02), (0.7, 0.0)], _plain(_colour(0.1, 0.4, 0.55), 0.9), along=20)
    )
    scene.add(disc(0.1, 0.9, _plain(_colour(0.1, 0.4, 0.6), 0.8)))
    scene.add(turned([(0.01, 1.62), (0.3, 1.6), (0.5, 1.66), (0.56, 1.66), (0.58, 1.58), (0.58, 0.8), (0.6, 0.1)], wax))
    scene.add(
        tube([(0.0, 1.6, 0.0), (0.01, 1.72, 0.0), (0.03, 1.82, 0.0)], 0.025, _plain((0.02, 0.02, 0.02), 0.0), around=8)
    )
    flame = Material(lambda _u, v: _mix((1.0, 0.86, 0.42), (1.0, 0.42, 0.06), (v - 0.45) * 2), 0.0, 0.9)
    profile = [(0.005, 2.28), (0.05, 2.14), (0.1, 1.98), (0.11, 1.9), (0.07, 1.82), (0.01, 1.78)]
    scene.add(turned(profile, flame, centre=(0.03, 0.0, 0.0), along=40, around=30))
    return scene


def _cactus(dice: random.Random) -> Scene:
    clay, green = _colour(0.045, 0.62, 0.72), _colour(dice.uniform(0.28, 0.4), 0.55, 0.5)
    scene = Scene()
    pot = [(0.74, 0.86), (0.76, 0.85), (0.75, 0.68), (0.68, 0.66), (0.66, 0.6), (0.54, 0.1), (0.52, 0.0), (0.48, 0.0)]
    scene.add(turned(pot, _plain(clay, 0.1)))
    scene.add(turned([(0.74, 0.86), (0.69, 0.84), (0.66, 0.7)], _plain(clay, 0.05), inside=True, along=10))
    scene.add(
        disc(
            0.76,
            0.69,
            Material(
                lambda u, v: _mix((0.03, 0.02, 0.012), (0.1, 0.07, 0.045), math.sin(u * 231) * math.sin(v * 97)), 0.0
            ),
        )
    )
    ribs = Material(lambda u, _v: _mix(green, _colour(0.2, 0.4, 0.8), math.cos(u * 2 * math.pi * 13) ** 8), 0.1)
    stem = [(0.01, 2.12), (0.2, 2.08), (0.42, 1.85), (0.55, 1.45), (0.52, 1.05), (0.36, 0.76)]
    scene.add(turned(stem, ribs, around=130, along=44, ribs=(13, 0.07)))
    scene.add(ball((0.05, 2.14, 0.04), 0.12, _plain(_colour(0.93, 0.6, 0.9), 0.2)))
    return scene


def _pear(dice: random.Random) -> Scene:
    skin, blush = _colour(dice.uniform(0.14, 0.22), 0.7, 0.8), _colour(0.03, 0.75, 0.75)
    profile = [
        (0.02, 1.86), (0.16, 1.88), (0.3, 1.8), (0.36, 1.6), (0.42, 1.36), (0.62, 1.05),
        (0.8, 0.7), (0.8, 0.42), (0.62, 0.12), (0.34, 0.0), (0.05, 0.03),
    ]  # fmt: skip

    def paint(u: float, v: float) -> Vector:
        speckle = 0.5 + 0.5 * math.sin(u * 310 + v * 71) * math.sin(v * 263 - u * 41)
        side = max(0.0, math.cos((u - 0.12) * 2 * math.pi))
        return _mix(_mix(skin, blush, side * 0.75 * (1 - abs(v - 0.6))), (0.12, 0.07, 0.02), 0.2 * speckle**6)

    scene = Scene()
    scene.add(turned(profile, Material(paint, 0.4), along=90))
    stem: list[Vector] = [(0.0, 1.8, 0.0), (0.01, 1.95, 0.0), (0.05, 2.08, 0.0), (0.12, 2.18, 0.0)]
    scene.add(tube(stem, 0.045, _plain(_colour(0.08, 0.6, 0.3), 0.1), around=12))
    return scene


_OBJECTS: dict[str, Maker] = {
    "cup": _cup,
    "bottle": _bottle,
    "bowl": _bowl,
    "vase": _vase,
    "book": _book,
    "box": _box,
    "ball": _ball,
    "lamp": _lamp,
    "jar": _jar,
    "candle": _candle,
    "cactus": _cactus,
    "pear": _pear,
}
