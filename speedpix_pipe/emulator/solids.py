"""A small renderer for the demo's product photos: turned bodies, tubes and boxes under studio light.

Surfaces are nets of small faces, shaded one by one in linear light (a key light with a rectangular softbox, a
fill light, sky and floor), drawn from far to near with Pillow and shrunk to half for smooth edges. The same faces
thrown onto the floor along the key light give the shadow.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageChops, ImageDraw, ImageFilter

__all__ = ["Camera", "Material", "Scene", "Vector", "ball", "box", "disc", "tube", "turned"]

Vector = tuple[float, float, float]
Paint = Callable[[float, float], Vector]

_SUPER = 2
_KEY: Vector = (-0.52, 0.72, 0.46)
_FILL: Vector = (0.80, 0.25, 0.55)
_AIR = 1 / 2.2


@dataclass(frozen=True, slots=True)
class Material:
    """`paint(u, v)` is the colour around and along the surface, in linear light; `gloss` 0 is chalk, 1 glaze."""

    paint: Paint
    gloss: float = 0.3
    glow: float = 0.0


@dataclass(frozen=True, slots=True)
class Face:
    corners: tuple[Vector, ...]
    normal: Vector
    u: float
    v: float
    material: Material


@dataclass(frozen=True, slots=True)
class Camera:
    """Looks slightly down at the middle of the table."""

    size: tuple[int, int] = (1200, 900)
    eye: Vector = (0.0, 2.75, 8.2)
    target: Vector = (0.0, 1.06, 0.0)
    zoom: float = 2.2

    def axes(self) -> tuple[Vector, Vector, Vector]:
        ahead = unit(sub(self.target, self.eye))
        right = unit(cross(ahead, (0.0, 1.0, 0.0)))
        return right, cross(right, ahead), ahead


def sub(a: Vector, b: Vector) -> Vector:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def unit(a: Vector) -> Vector:
    length = math.sqrt(dot(a, a)) or 1.0
    return (a[0] / length, a[1] / length, a[2] / length)


def _ramp(low: float, high: float, value: float) -> float:
    share = max(0.0, min(1.0, (value - low) / (high - low)))
    return share * share * (3 - 2 * share)


@dataclass(slots=True)
class Scene:
    """Faces on a table; `draw` gives the picture of them without a background, and their shadow."""

    faces: list[Face] = field(default_factory=list)
    turn: float = 0.0

    def add(self, faces: Sequence[Face]) -> None:
        self.faces.extend(faces)

    def draw(self, camera: Camera) -> tuple[Image.Image, Image.Image, Image.Image]:
        """The objects (RGBA), the shadow they throw and the darkness where they stand (both L)."""
        look = _Projection(camera)
        size = (camera.size[0] * _SUPER, camera.size[1] * _SUPER)
        picture = Image.new("RGB", size, (90, 88, 86))
        mask = Image.new("L", size, 0)
        ink, cover = ImageDraw.Draw(picture), ImageDraw.Draw(mask)
        seen: list[tuple[float, Face, Vector]] = []
        for face in self.faces:
            middle = _middle(face.corners)
            towards = sub(camera.eye, middle)
            if dot(towards, face.normal) > 0:
                seen.append((dot(towards, towards), face, unit(towards)))
        seen.sort(key=lambda entry: -entry[0])
        for _, face, towards in seen:
            outline = [look(corner, _SUPER) for corner in face.corners]
            ink.polygon(outline, fill=_shade(face, towards))
            cover.polygon(outline, fill=255)
        return _polish(picture, mask), self._shadow(camera, look), self._contact(camera, look)

    def _shadow(self, camera: Camera, look: "_Projection") -> Image.Image:
        """Near the foot it is sharp, far from it soft: two blurs of the same shape."""
        mask = Image.new("L", (camera.size[0] // 4, camera.size[1] // 4), 0)
        cover = ImageDraw.Draw(mask)
        for face in self.faces:
            if dot(face.normal, _KEY) > 0:
                cover.polygon([look(_thrown(corner), 0.25) for corner in face.corners], fill=255)
        soft = ImageChops.add(
            mask.filter(ImageFilter.GaussianBlur(4.5)).point([round(v * 0.55) for v in range(256)]),
            mask.filter(ImageFilter.GaussianBlur(12)).point([round(v * 0.45) for v in range(256)]),
        )
        return soft.resize(camera.size, Image.Resampling.BICUBIC)

    def _contact(self, camera: Camera, look: "_Projection") -> Image.Image:
        mask = Image.new("L", (camera.size[0] // 4, camera.size[1] // 4), 0)
        cover = ImageDraw.Draw(mask)
        for face in self.faces:
            if min(corner[1] for corner in face.corners) < 0.16:
                cover.polygon([look((c[0], 0.0, c[2]), 0.25) for c in face.corners], fill=255)
        return mask.filter(ImageFilter.GaussianBlur(2.8)).resize(camera.size, Image.Resampling.BICUBIC)


def _polish(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """Smooth away the faces, which are flat, and shrink to the final size; only where there is something."""
    left, top, right, bottom = mask.getbbox() or (0, 0, 2, 2)
    area = (left // 2 * 2 - 8, top // 2 * 2 - 8, right // 2 * 2 + 8, bottom // 2 * 2 + 8)
    sharp, cover = picture.crop(area), mask.crop(area)
    # The blur must not pull the void in over the edge, so it is used inside only.
    inner = cover.filter(ImageFilter.BoxBlur(4)).point([0] * 255 + [255])
    sharp.paste(sharp.filter(ImageFilter.GaussianBlur(4)), mask=inner)
    sharp.putalpha(cover)
    whole = Image.new("RGBA", (picture.width // _SUPER, picture.height // _SUPER), (0, 0, 0, 0))
    whole.paste(sharp.reduce(_SUPER), (area[0] // _SUPER, area[1] // _SUPER))
    return whole


class _Projection:
    """From the world to pixels."""

    def __init__(self, camera: Camera) -> None:
        self._eye = camera.eye
        self._right, self._up, self._ahead = camera.axes()
        self._middle = (camera.size[0] / 2, camera.size[1] / 2)
        self._scale = camera.zoom * camera.size[1]

    def __call__(self, point: Vector, factor: float) -> tuple[float, float]:
        ray = sub(point, self._eye)
        depth = self._scale / dot(ray, self._ahead)
        x = self._middle[0] + dot(ray, self._right) * depth
        y = self._middle[1] - dot(ray, self._up) * depth
        return x * factor, y * factor


def _middle(corners: tuple[Vector, ...]) -> Vector:
    a, b = corners[0], corners[2]
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2)


def _thrown(point: Vector) -> Vector:
    """Where the key light throws this point's shadow on the floor."""
    height = max(point[1], 0.0) / _KEY[1]
    return (point[0] - _KEY[0] * height, 0.0, point[2] - _KEY[2] * height)


def _shade(face: Face, towards: Vector) -> tuple[int, int, int]:
    normal, material = face.normal, face.material
    key = max(0.0, dot(normal, _KEY)) * 0.86
    fill = max(0.0, dot(normal, _FILL)) * 0.17
    sky = 0.20 + 0.15 * normal[1]
    height = (face.corners[0][1] + face.corners[2][1]) / 2
    near_floor = 0.62 + 0.38 * _ramp(-0.05, 0.55, height)
    light = (key + fill + sky) * near_floor + material.glow
    facing = max(0.0, dot(normal, towards))
    mirror = (
        2 * facing * normal[0] - towards[0],
        2 * facing * normal[1] - towards[1],
        2 * facing * normal[2] - towards[2],
    )
    softbox = _ramp(0.28, 0.12, abs(mirror[0] + 0.62)) * _ramp(-0.48, -0.26, mirror[1]) * _ramp(0.98, 0.86, mirror[1])
    edge = (1 - facing) ** 4
    shine = material.gloss * (0.55 * softbox + 0.26 * edge * (0.4 + 0.6 * max(0.0, mirror[1])))
    lobe = max(0.0, dot(mirror, _KEY)) ** 14 * 0.22 * (0.35 + material.gloss)
    colour = material.paint(face.u, face.v)
    return tuple(min(255, int(255 * (max(0.0, c * light + shine + lobe)) ** _AIR + 0.5)) for c in colour)  # type: ignore[return-value]  # three channels


def _net(
    rows: Sequence[Sequence[Vector]], normals: Sequence[Sequence[Vector]], material: Material, *, closed: bool
) -> list[Face]:
    """Faces between neighbouring rows of points; `closed` joins the ends of each row."""
    faces: list[Face] = []
    count = len(rows[0])
    for j in range(len(rows) - 1):
        upper, lower = rows[j], rows[j + 1]
        for i in range(count if closed else count - 1):
            k = (i + 1) % count
            corners = (upper[i], upper[k], lower[k], lower[i])
            a, b = normals[j][i], normals[j + 1][k]
            normal = unit((a[0] + b[0], a[1] + b[1], a[2] + b[2]))
            faces.append(Face(corners, normal, (i + 0.5) / count, (j + 0.5) / (len(rows) - 1), material))
    return faces


def turned(
    profile: Sequence[tuple[float, float]],
    material: Material,
    *,
    centre: Vector = (0.0, 0.0, 0.0),
    inside: bool = False,
    around: int = 96,
    along: int = 66,
    ribs: tuple[int, float] = (0, 0.0),
) -> list[Face]:
    """A body turned on a lathe. `profile` is (radius, height) from top to bottom; `inside` looks into it."""
    curve = _smooth(profile, along)
    rows: list[list[Vector]] = []
    normals: list[list[Vector]] = []
    sign = -1.0 if inside else 1.0
    for j, (radius, height) in enumerate(curve):
        before, after = curve[max(0, j - 1)], curve[min(len(curve) - 1, j + 1)]
        rise, run = before[1] - after[1], after[0] - before[0]
        length = math.hypot(rise, run) or 1.0
        flat, up = sign * rise / length, sign * run / length
        row: list[Vector] = []
        normal_row: list[Vector] = []
        for i in range(around):
            angle = 2 * math.pi * i / around
            x, z = math.sin(angle), math.cos(angle)
            bulge = 1 + ribs[1] * math.cos(ribs[0] * angle)
            row.append((centre[0] + radius * bulge * x, centre[1] + height, centre[2] + radius * bulge * z))
            slope = ribs[1] * ribs[0] * math.sin(ribs[0] * angle)
            normal_row.append(unit((flat * (x + slope * z), up, flat * (z - slope * x))))
        rows.append(row)
        normals.append(normal_row)
    return _net(rows, normals, material, closed=True)


def _smooth(profile: Sequence[tuple[float, float]], along: int) -> list[tuple[float, float]]:
    """A curve through the points (Catmull-Rom), evenly sampled; a repeated point keeps a corner sharp."""
    points = [profile[0], *profile, profile[-1]]
    pieces = len(points) - 3
    curve: list[tuple[float, float]] = []
    for step in range(along + 1):
        place = step / along * pieces
        n = min(int(place), pieces - 1)
        t = place - n
        p0, p1, p2, p3 = points[n : n + 4]
        curve.append((max(0.0, _spline(p0[0], p1[0], p2[0], p3[0], t)), _spline(p0[1], p1[1], p2[1], p3[1], t)))
    return curve


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def ball(centre: Vector, radius: float, material: Material, *, squash: float = 1.0) -> list[Face]:
    steps = 40
    profile = [
        (radius * math.sin(math.pi * s / steps), radius * squash * math.cos(math.pi * s / steps))
        for s in range(steps + 1)
    ]
    return turned(profile, material, centre=centre, along=56)


def disc(height: float, radius: float, material: Material) -> list[Face]:
    """A level surface, such as coffee in a cup."""
    return turned([(0.001, height), (radius * 0.5, height), (radius, height)], material, along=10)


def tube(path: Sequence[Vector], radius: float, material: Material, *, around: int = 18) -> list[Face]:
    """A round rod along a path in a vertical plane."""
    rows: list[list[Vector]] = []
    normals: list[list[Vector]] = []
    for n, point in enumerate(path):
        ahead = unit(sub(path[min(n + 1, len(path) - 1)], path[max(n - 1, 0)]))
        side = (0.0, 0.0, 1.0) if abs(ahead[2]) < 0.9 else (1.0, 0.0, 0.0)
        first = unit(cross(ahead, side))
        second = cross(ahead, first)
        ring: list[Vector] = []
        out: list[Vector] = []
        for i in range(around):
            c, s = math.cos(2 * math.pi * i / around), math.sin(2 * math.pi * i / around)
            normal = (c * first[0] + s * second[0], c * first[1] + s * second[1], c * first[2] + s * second[2])
            out.append(normal)
            ring.append((point[0] + radius * normal[0], point[1] + radius * normal[1], point[2] + radius * normal[2]))
        rows.append(ring)
        normals.append(out)
    return _net(rows, normals, material, closed=True)


def box(low: Vector, high: Vector, angle: float, paint: Callable[[str], Material], *, cells: int = 26) -> list[Face]:
    """An upright box turned by `angle`; `paint` gives a side (top, front, back, left, right) its material."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    sides: dict[str, tuple[Vector, Vector, Vector, Vector]] = {
        "front": ((x0, y1, z1), (x1, y1, z1), (x0, y0, z1), (0.0, 0.0, 1.0)),
        "back": ((x1, y1, z0), (x0, y1, z0), (x1, y0, z0), (0.0, 0.0, -1.0)),
        "left": ((x0, y1, z0), (x0, y1, z1), (x0, y0, z0), (-1.0, 0.0, 0.0)),
        "right": ((x1, y1, z1), (x1, y1, z0), (x1, y0, z1), (1.0, 0.0, 0.0)),
        "top": ((x0, y1, z0), (x1, y1, z0), (x0, y1, z1), (0.0, 1.0, 0.0)),
    }
    faces: list[Face] = []
    for name, (corner, right, down, normal) in sides.items():
        across, along = sub(right, corner), sub(down, corner)
        rows = [
            [
                _turn(
                    (
                        corner[0] + across[0] * i / cells + along[0] * j / cells,
                        corner[1] + across[1] * i / cells + along[1] * j / cells,
                        corner[2] + across[2] * i / cells + along[2] * j / cells,
                    ),
                    angle,
                )
                for i in range(cells + 1)
            ]
            for j in range(cells + 1)
        ]
        out = [[_turn(normal, angle)] * (cells + 1)] * (cells + 1)
        faces += _net(rows, out, paint(name), closed=False)
    return faces


def _turn(point: Vector, angle: float) -> Vector:
    c, s = math.cos(angle), math.sin(angle)
    return (c * point[0] + s * point[2], point[1], -s * point[0] + c * point[2])
