"""Each workflow, looked at in pixels."""

import io
import itertools
import random
from pathlib import Path

import pytest
import skimage
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from speedpix_pipe.emulator.cutout import cut_out
from speedpix_pipe.emulator.fonts import load_font
from speedpix_pipe.emulator.photos import render_product_photos
from speedpix_pipe.emulator.workflows import WORKFLOWS
from speedpix_pipe.emulator.workflows.base import Inputs

# These lie inside the wheel of scikit-image; most of its others would be downloaded.
PHOTOS = Path(skimage.__file__).parent / "data"
WHITE = (255, 255, 255)


def encode(image):
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def load(path):
    with Image.open(path) as opened:
        return opened.convert("RGB")


def run(workflow, pictures=None, **values):
    """Run it on pictures, given by input name; returns the result with its artifacts decoded."""
    store = {}

    def put(image):
        store[f"http://x/{len(store)}"] = encode(image)
        return f"http://x/{len(store) - 1}"

    for name, given in (pictures or {}).items():
        values[name] = [put(one) for one in given] if isinstance(given, list) else put(given)
    answer = WORKFLOWS[workflow].run(Inputs(values, store.__getitem__))
    made = answer.get("images")
    if isinstance(made, list):
        return [Image.open(io.BytesIO(one.content)) for one in made]
    return answer if made is None else Image.open(io.BytesIO(made.content))


def difference(a, b):
    return sum(ImageStat.Stat(ImageChops.difference(a.convert("RGB"), b.convert("RGB"))).mean) / 3


def corners(image):
    right, bottom = image.width - 1, image.height - 1
    return {image.getpixel(place) for place in ((0, 0), (right, 0), (0, bottom), (right, bottom))}


def studio(background, colour, box=(170, 110, 330, 270), size=(500, 380), *, shade=40, noise=0, shadow=True):
    """A coloured ellipse with a hole on a shaded ground, and the mask of what is subject."""
    slope = Image.linear_gradient("L").resize(size).point([round(v * shade / 255) for v in range(256)])
    slope = ImageChops.add(slope, slope.transpose(Image.Transpose.ROTATE_180).rotate(90), 2)
    throw = Image.frombytes("L", size, random.Random(3).randbytes(size[0] * size[1]))
    grain = throw.point([round(v * 2 * noise / 255) for v in range(256)])
    ground = ImageChops.subtract(
        Image.new("RGB", size, background), Image.merge("RGB", [ImageChops.add(slope, grain)] * 3)
    )
    if shadow:
        dark = Image.new("L", size, 0)
        ImageDraw.Draw(dark).ellipse((box[0] + 40, box[3] - 30, box[2] + 90, box[3] + 20), fill=110)
        ground = Image.composite(ImageChops.multiply(ground, ground), ground, dark.filter(ImageFilter.GaussianBlur(14)))
    mask = Image.new("L", (size[0] * 4, size[1] * 4), 0)
    draw = ImageDraw.Draw(mask)
    draw.ellipse(tuple(4 * v for v in box), fill=255)
    middle = ((box[0] + box[2]) * 2, (box[1] + box[3]) * 2)
    draw.ellipse((middle[0] - 120, middle[1] - 120, middle[0] + 120, middle[1] + 120), fill=0)
    mask = mask.reduce(4)
    return Image.composite(Image.new("RGB", size, colour), ground, mask), mask


class TestWhiteBackground:
    @pytest.mark.parametrize(
        ("background", "colour"),
        [
            ((235, 235, 232), (30, 90, 160)),
            ((200, 214, 190), (160, 40, 50)),
            ((120, 130, 150), (240, 200, 60)),
            ((40, 44, 52), (200, 120, 90)),
            ((238, 226, 200), (20, 20, 22)),
        ],
    )
    @pytest.mark.parametrize("noise", [0, 4])
    def test_the_subject_is_found_on_a_shaded_ground_with_a_shadow(self, background, colour, noise):
        photo, truth = studio(background, colour, shade=30, noise=noise)
        found = cut_out(photo).alpha.point([255 if v > 127 else 0 for v in range(256)])
        wrong = ImageStat.Stat(ImageChops.difference(found, truth)).sum[0] / 255
        assert wrong < 0.04 * ImageStat.Stat(truth).sum[0] / 255

    def test_the_subject_keeps_its_colour_and_stands_centred_on_pure_white(self):
        photo, _ = studio((210, 214, 220), (30, 90, 160))
        image = run("white-background", {"image": photo})
        assert image.size == photo.size
        assert corners(image) == {WHITE}
        red, green, blue = image.getpixel((190, 190))
        assert (red, green, blue) == (30, 90, 160)
        blueness = image.convert("RGB").split()[0].point([255 if v < 60 else 0 for v in range(256)])
        left, _, right, _ = blueness.getbbox()
        assert abs((left + right) / 2 - photo.width / 2) <= 2

    def test_the_frame_is_white_all_around(self):
        photo, _ = studio((200, 190, 180), (40, 120, 60))
        image = run("white-background", {"image": photo}).convert("RGB")
        for x, y in itertools.chain(
            ((x, y) for x in range(500) for y in (0, 6, 379)), ((x, y) for x in (0, 6, 499) for y in range(380))
        ):
            assert image.getpixel((x, y)) == WHITE

    def test_a_hole_shows_white(self):
        photo, _ = studio((180, 190, 210), (160, 60, 40))
        image = run("white-background", {"image": photo}).convert("RGB")
        filled = ImageChops.invert(image.split()[1]).getbbox()
        middle = ((filled[0] + filled[2]) // 2, 0)
        column = [image.getpixel((middle[0], y)) for y in range(image.height)]
        inked = [y for y, pixel in enumerate(column) if pixel[1] < 120]
        gap = max(b - a for a, b in itertools.pairwise(inked))
        assert gap > 40
        assert WHITE in column[inked[0] : inked[-1]]

    def test_no_rim_of_the_old_background_is_left(self):
        photo, _ = studio((60, 160, 60), (200, 40, 40), shade=10, shadow=False)
        image = run("white-background", {"image": photo}).convert("RGB")
        red, green, _ = image.split()
        greener = ImageChops.subtract(green, red)
        assert ImageStat.Stat(greener).extrema[0][1] < 60

    def test_the_same_inputs_give_the_same_bytes(self):
        photo, _ = studio((210, 214, 220), (30, 90, 160), shade=5)
        first, second = (run("white-background", {"image": photo}, text="一") for _ in range(2))
        assert first.tobytes() == second.tobytes()

    def test_a_transparent_picture_is_taken_as_on_white(self):
        photo = Image.new("RGBA", (200, 150), (0, 0, 0, 0))
        ImageDraw.Draw(photo).rectangle((60, 40, 140, 110), fill=(10, 60, 200, 255))
        image = run("white-background", {"image": photo})
        assert corners(image) == {WHITE}
        assert image.getpixel((100, 75)) == (10, 60, 200)

    @pytest.mark.parametrize(
        "name", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]
    )
    def test_a_photo_without_a_plain_ground_is_shown_whole_on_white(self, name):
        photo = load(PHOTOS / name)
        image = run("white-background", {"image": photo})
        assert image.size == photo.size
        assert corners(image) == {WHITE}
        margin = 0.09
        box = (margin * photo.width, margin * photo.height, (1 - margin) * photo.width, (1 - margin) * photo.height)
        inner = image.crop([round(v) for v in box])
        assert difference(inner, photo.resize(inner.size, Image.Resampling.LANCZOS)) < 6

    @pytest.mark.parametrize("name", ["horse.png", "coins.png", "cell.png"])
    def test_photos_on_plain_grounds_are_cut_out(self, name):
        photo = load(PHOTOS / name)
        image = run("white-background", {"image": photo})
        assert corners(image) == {WHITE}
        white = image.convert("L").histogram()[255] / (image.width * image.height)
        assert 0.35 < white < 0.99
        assert min(ImageStat.Stat(image.convert("L")).extrema[0]) < 100


class TestText:
    def ink(self, text):
        photo, _ = studio((210, 214, 220), (30, 90, 160))
        image = run("white-background", {"image": photo}, text=text).convert("L")
        return image.crop((0, 300, 500, 380)).point([255 if v < 128 else 0 for v in range(256)])

    def test_the_text_stands_under_the_subject_in_the_middle(self):
        left, _, right, _ = self.ink("Hello").getbbox()
        assert abs((left + right) / 2 - 250) < 6

    def test_chinese_is_drawn_with_its_own_characters(self):
        drawn = {self.ink(character).tobytes() for character in "阿云"}
        assert len(drawn) == 2

    def test_the_font_knows_chinese_japanese_and_korean(self):
        font = load_font(32)
        assert len({bytes(font.getmask(character)) for character in "云京あ한A"}) == 5

    def test_a_long_text_is_wrapped_and_stays_inside(self):
        left, _, right, _ = self.ink("新品上市 limited edition, and more words than fit on a line 限量版" * 2).getbbox()
        assert left > 20
        assert right < 480

    def test_without_a_text_nothing_is_written(self):
        assert self.ink(" ").crop((0, 40, 500, 80)).getbbox() is None


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return render_product_photos(tmp_path_factory.mktemp("photos"), 12)


class TestProductPhotos:
    @pytest.mark.slow
    def test_there_are_a_dozen_different_ones_of_one_size(self, photos):
        assert [path.name for path in photos][:4] == ["cup.jpg", "bottle.jpg", "bowl.jpg", "vase.jpg"]
        assert len({path.read_bytes() for path in photos}) == 12
        assert {load(path).size for path in photos} == {(1200, 900)}

    @pytest.mark.slow
    def test_each_subject_is_found_whole_and_comes_out_on_white(self, photos):
        for path in photos:
            photo = load(path)
            alpha = cut_out(photo).alpha
            left, top, right, bottom = alpha.getbbox()
            assert left > 100, path
            assert right < 1100, path
            assert top > 20, path
            assert bottom < 880, path
            share = ImageStat.Stat(alpha).mean[0] / 255
            assert 0.05 < share < 0.4, path
            assert corners(run("white-background", {"image": photo}, text=path.stem)) == {WHITE}

    @pytest.mark.slow
    def test_a_second_dozen_has_other_colours_and_names(self, tmp_path):
        first, *_, last = render_product_photos(tmp_path, 13)
        assert (first.name, last.name) == ("cup.jpg", "cup-2.jpg")
        assert difference(load(first), load(last)) > 3

    @pytest.mark.slow
    def test_the_seed_decides(self, tmp_path):
        drawn = [render_product_photos(tmp_path / str(n), 1, seed)[0] for n, seed in enumerate((7, 7, 8))]
        pictures = [load(path) for path in drawn]
        assert difference(pictures[0], pictures[1]) == 0
        assert difference(pictures[0], pictures[2]) > 3


@pytest.fixture(scope="module")
def photo():
    return load(PHOTOS / "coffee.png").resize((300, 200))


class TestRelight:
    def test_every_light_looks_different(self, photo):
        lights = ["studio", "beach", "snow", "sunset", "night", "neon", "forest", "gold"]
        made = [run("relight", {"image": photo}, prompt=f"{light} light") for light in lights]
        for one, other in itertools.combinations(made, 2):
            assert difference(one, other) > 4

    def test_sunset_is_warmer_than_snow_and_night_darker_than_both(self, photo):
        sunset, snow, night = (
            ImageStat.Stat(run("relight", {"image": photo}, prompt=p)).mean for p in ("sunset", "雪景", "night")
        )
        assert sunset[0] - sunset[2] > snow[0] - snow[2] + 20
        assert sum(night) < min(sum(sunset), sum(snow))

    def test_left_and_right_are_where_the_light_is(self):
        grey = Image.new("RGB", (200, 100), (150, 150, 150))
        for side, lit, dim in (("left", (10, 40), (190, 40)), ("right", (190, 40), (10, 40))):
            image = run("relight", {"image": grey}, prompt=f"sunset from the {side}")
            assert sum(image.getpixel(lit)) > sum(image.getpixel(dim)) + 40

    def test_an_unknown_prompt_has_a_light_of_its_own(self, photo):
        one, same, other = (run("relight", {"image": photo}, prompt=p) for p in ("umami", "umami", "qualia"))
        assert difference(one, same) == 0
        assert difference(one, other) > 3

    def test_size_is_kept_and_the_seed_moves_the_light(self, photo):
        one, other = (run("relight", {"image": photo}, prompt="beach", seed=seed) for seed in (1, 900))
        assert one.size == other.size == photo.size
        assert 0.2 < difference(one, other) < 30


class TestUpscale:
    @pytest.mark.parametrize(("factor", "size"), [(2, (120, 80)), (3, (180, 120)), (1.5, (90, 60)), (1, (60, 40))])
    def test_the_size_is_exact(self, factor, size):
        assert run("upscale", {"image": Image.new("RGB", (60, 40))}, factor=factor).size == size

    def test_the_picture_is_the_same_picture(self):
        photo = load(PHOTOS / "chelsea.png")
        large = run("upscale", {"image": photo})
        assert difference(large.resize(photo.size, Image.Resampling.LANCZOS), photo) < 3

    def test_transparency_is_kept(self):
        assert run("upscale", {"image": Image.new("RGBA", (10, 10), (1, 2, 3, 0))}).getpixel((5, 5))[3] == 0


class TestTheOthers:
    def test_text_to_image_follows_prompt_seed_and_size(self):
        one, same, other, reseeded = (
            run("text-to-image", prompt=prompt, seed=seed, width=320, height=200)
            for prompt, seed in (("sunset", 1), ("sunset", 1), ("night", 1), ("sunset", 2))
        )
        assert one.size == (320, 200)
        assert difference(one, same) == 0
        assert difference(one, other) > 15
        assert difference(one, reseeded) > 2

    @pytest.mark.slow
    def test_styles_differ(self):
        photo = load(PHOTOS / "astronaut.png").resize((256, 256))
        made = [
            run("stylize", {"image": photo}, style=s)
            for s in ("sketch", "oil", "poster", "mono", "sepia", "watercolour")
        ]
        for one, other in itertools.combinations([*made, photo], 2):
            assert difference(one, other) > 3
        assert difference(run("stylize", {"image": photo}, prompt="an OIL painting"), made[1]) == 0

    def test_variations_are_a_list_of_different_pictures(self):
        photo = load(PHOTOS / "coffee.png")
        made = run("variations", {"image": photo}, count=4)
        assert [one.size for one in made] == [photo.size] * 4
        for one, other in itertools.combinations(made, 2):
            assert difference(one, other) > 2

    @pytest.mark.parametrize("fmt", ["webp", "gif"])
    def test_image_to_video_moves(self, fmt):
        photo = load(PHOTOS / "coffee.png").resize((160, 108))
        film = run("image-to-video", {"image": photo}, frames=6, format=fmt)
        assert (film.format, film.n_frames, film.size) == (fmt.upper(), 6, (160, 108))
        frames = []
        for number in range(6):
            film.seek(number)
            frames.append(film.convert("RGB"))
        assert difference(frames[0], frames[5]) > difference(frames[0], frames[1]) > 0

    def test_a_contact_sheet_holds_every_picture_in_order(self):
        colours = [(200, 0, 0), (0, 160, 0), (0, 0, 200), (220, 220, 0), (0, 200, 200)]
        pictures = [Image.new("RGB", (100, 60 + 30 * n), colour) for n, colour in enumerate(colours)]
        sheet = run("contact-sheet", {"images": pictures}, columns=2)
        assert sheet.size == (14 + 2 * 334, 14 + 3 * 254)
        for number, colour in enumerate(colours):
            x, y = 14 + number % 2 * 334 + 160, 14 + number // 2 * 254 + 120
            assert all(abs(a - b) < 12 for a, b in zip(sheet.getpixel((x, y)), colour, strict=True))

    def test_describe_measures(self):
        told = run("describe", {"image": Image.new("RGB", (64, 32), (250, 30, 30))})
        assert told == {
            "text": "An evenly lit landscape picture, mostly red.",
            "brightness": 0.3765,
            "contrast": 0.0,
            "sharpness": 0.0,
            "dominant_colour": "#fa1e1e",
            "width": 64,
            "height": 32,
        }
        dark = run("describe", {"image": Image.new("RGB", (10, 20), (5, 5, 6))})
        assert dark["text"] == "A dark portrait picture, mostly black."
