"""Finding the subject of a photo on a plain or softly shaded background.

The background is what the border shows: a smooth colour surface (a quadratic in x and y for each channel) is
fitted to the pixels of the border, twice, the second time without those that do not fit. What differs from the
surface is subject, unless it melts into the background without an edge: that is a shadow.
"""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageMath

from speedpix_pipe.emulator.regions import Region, find_regions, paint_regions

__all__ = ["Cutout", "cut_out"]

_WORK_SIDE = 512
_SAMPLES_PER_SIDE = 60
_GRID = 24
_PLAIN = 8.0
_SHADOW_EDGE = 21
# Shares of the surface's light, where 200 is all of it.
_DEEPEST_SHADOW = 80
_LIGHT_SHADOW = 145
_EDGE_LEVEL = 198
_EDGE_STEEPNESS = 2.4


@dataclass(frozen=True, slots=True)
class Cutout:
    """`alpha` is the subject's mask in full size, `surface` the background as it would look without subject."""

    alpha: Image.Image
    surface: Image.Image


def cut_out(photo: Image.Image) -> Cutout | None:
    """None where the border is too lively, or nothing stands out: then there is no subject to tell apart."""
    scale = min(1.0, _WORK_SIDE / max(photo.size))
    size = (max(8, round(photo.width * scale)), max(8, round(photo.height * scale)))
    small = photo.resize(size, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.8))
    surface, noise = _fit_surface(small)
    if noise > _PLAIN:
        return None
    difference = _difference(small, surface)
    threshold = int(max(11, min(40, 3.2 * noise + 5)))
    subject = _separate(small, surface, difference, threshold)
    share = sum(subject.histogram()[128:]) / (size[0] * size[1])
    if not 0.004 < share < 0.93:
        return None
    return Cutout(_refine(subject, photo.size, scale), surface.resize(photo.size, Image.Resampling.BICUBIC))


def _difference(picture: Image.Image, surface: Image.Image) -> Image.Image:
    """The largest difference of the three channels."""
    red, green, blue = ImageChops.difference(picture, surface).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _separate(small: Image.Image, surface: Image.Image, difference: Image.Image, threshold: int) -> Image.Image:
    """The subject's mask in work size.

    Background grows from the border over all that looks like the surface, and over its shadows: what has the
    surface's hue, is darker, and begins without an edge.
    """
    like_surface = difference.point([255 if v <= threshold else 0 for v in range(256)])
    dimmed = _dimmed(small, surface, _DEEPEST_SHADOW)
    gentle = _steepness(small).point([255 if v <= _SHADOW_EDGE else 0 for v in range(256)])
    passable = ImageChops.lighter(like_surface, ImageChops.darker(dimmed, gentle))
    width, height = small.size
    close = difference.point([255 if v <= threshold * 0.7 else 0 for v in range(256)]).tobytes()
    background = paint_regions(
        small.size,
        (
            region
            for region in find_regions(passable)
            if region.touches_border(width, height) or _is_hole(region, close, width, height)
        ),
    )
    # An edge is some pixels wide, and half of it lies outside: the background may have what it can claim of it. A
    # dark subject's edge looks like a deep shadow, so only light ones count here.
    claimable = ImageChops.lighter(_dimmed(small, surface, _LIGHT_SHADOW), like_surface)
    for _ in range(2):
        claimed = ImageChops.darker(background.filter(ImageFilter.MaxFilter(3)), claimable)
        background = ImageChops.lighter(background, claimed)
    return _solid(ImageChops.invert(background))


def _steepness(picture: Image.Image) -> Image.Image:
    red, green, blue = picture.split()
    grey = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return ImageChops.subtract(grey.filter(ImageFilter.MaxFilter(3)), grey.filter(ImageFilter.MinFilter(3)))


def _dimmed(picture: Image.Image, surface: Image.Image, deepest: int) -> Image.Image:
    """Where the picture is the surface with less light: all channels reduced by nearly the same share."""
    shares = [
        ImageMath.lambda_eval(lambda args: args["p"] * 200 / (args["s"] + 1), p=p, s=s).convert("L")
        for p, s in zip(picture.split(), surface.split(), strict=True)
    ]
    most = ImageChops.lighter(ImageChops.lighter(shares[0], shares[1]), shares[2])
    least = ImageChops.darker(ImageChops.darker(shares[0], shares[1]), shares[2])
    same = ImageChops.subtract(most, least).point([255 if v <= 13 else 0 for v in range(256)])
    darker = most.point([255 if deepest <= v <= 206 else 0 for v in range(256)])
    return ImageChops.darker(same, darker)


def _is_hole(region: Region, close: bytes, width: int, height: int) -> bool:
    """Whether background shows through here, as within the handle of a cup: a good part must look exactly like it."""
    if region.area < width * height * 0.0015:
        return False
    alike = sum(close.count(255, row * width + first, row * width + last) for row, first, last in region.runs)
    return alike >= region.area * 0.3


def _solid(mask: Image.Image) -> Image.Image:
    """Without specks: the large regions, their thin spikes removed and gaps closed."""
    mask = mask.filter(ImageFilter.MedianFilter(5))
    regions = sorted(find_regions(mask), key=lambda region: region.area, reverse=True)
    if not regions:
        return mask
    least = max(regions[0].area * 0.02, mask.width * mask.height * 0.0006)
    kept: list[Region] = [region for region in regions if region.area >= least]
    return paint_regions(mask.size, kept)


def _refine(mask: Image.Image, size: tuple[int, int], scale: float) -> Image.Image:
    """The mask in full size, its staircase smoothed away, its edge soft over about two pixels and drawn in a little."""
    smooth = mask.filter(ImageFilter.GaussianBlur(1.1)).resize(size, Image.Resampling.BICUBIC)
    if scale < 1:
        smooth = smooth.filter(ImageFilter.GaussianBlur(0.35 / scale))
    # Half of an edge belongs to the old background, and the blur before the search widened it: go in by a pixel.
    return smooth.point([max(0, min(255, round(128 + (v - _EDGE_LEVEL) * _EDGE_STEEPNESS))) for v in range(256)])


def _fit_surface(small: Image.Image) -> tuple[Image.Image, float]:
    """The background's surface and how far the border strays from it (mean, in levels)."""
    places = _border_places(small.size)
    pixels = [small.getpixel(place) for place in places]
    points = [_terms(x / small.width, y / small.height) for x, y in places]
    channels: list[Image.Image] = []
    spread = 0.0
    keep = list(range(len(points)))
    for attempt in range(3):
        fits = [_least_squares([points[i] for i in keep], [_level(pixels[i], c) for i in keep]) for c in range(3)]
        errors = [
            max(abs(_level(p, c) - _value(fits[c], t)) for c in range(3)) for p, t in zip(pixels, points, strict=True)
        ]
        ordered = sorted(errors)
        spread = sum(ordered[: int(len(ordered) * 0.8)]) / max(1, int(len(ordered) * 0.8))
        limit = max(6.0, 2.5 * ordered[len(ordered) // 2])
        kept = [i for i, error in enumerate(errors) if error <= limit]
        if attempt < 2 and len(kept) >= len(points) // 3:
            keep = kept
    for fit in fits:
        grid = Image.new("F", (_GRID, _GRID))
        for row in range(_GRID):
            for column in range(_GRID):
                level = _value(fit, _terms((column + 0.5) / _GRID, (row + 0.5) / _GRID))
                grid.putpixel((column, row), max(0.0, min(255.0, level)))
        channels.append(grid.resize(small.size, Image.Resampling.BICUBIC).point(lambda v: v * 1 + 0.5).convert("L"))
    return Image.merge("RGB", channels), spread


def _border_places(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Places along the border, in three lines a little way in."""
    width, height = size
    places: list[tuple[int, int]] = []
    for inset in (0.006, 0.02, 0.04):
        left, top = int(width * inset), int(height * inset)
        right, bottom = width - 1 - left, height - 1 - top
        for step in range(_SAMPLES_PER_SIDE):
            x = left + (right - left) * step // (_SAMPLES_PER_SIDE - 1)
            y = top + (bottom - top) * step // (_SAMPLES_PER_SIDE - 1)
            places += [(x, top), (x, bottom), (left, y), (right, y)]
    return places


def _level(pixel: object, channel: int) -> float:
    assert isinstance(pixel, tuple)
    return float(pixel[channel])


def _terms(x: float, y: float) -> tuple[float, ...]:
    x, y = 2 * x - 1, 2 * y - 1
    return (1.0, x, y, x * x, x * y, y * y)


def _value(fit: list[float], terms: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(fit, terms, strict=True))


def _least_squares(points: list[tuple[float, ...]], levels: list[float]) -> list[float]:
    """By the normal equations: six unknowns, well scaled, need nothing finer."""
    count = len(points[0])
    rows = [[sum(p[i] * p[j] for p in points) for j in range(count)] for i in range(count)]
    for i in range(count):
        rows[i][i] += 1e-6
        rows[i].append(sum(p[i] * level for p, level in zip(points, levels, strict=True)))
    for i in range(count):
        pivot = max(range(i, count), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(count):
            if r != i:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [rows[i][count] / rows[i][i] for i in range(count)]
