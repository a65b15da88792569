"""Pictures as they come from cameras, printers and broken disks."""

import pickle
import random
import warnings

import pytest
from PIL import Image

from speedpix_pipe.steps.image_ops import reading
from speedpix_pipe.steps.image_ops.base import ImageFacts, PictureError
from speedpix_pipe.steps.image_ops.reading import facts, in_srgb, read, verified
from tests.unit.steps import pictures


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright_whatever_its_exif_orientation(tmp_path, orientation):
    path = pictures.exif_rotated(tmp_path / "a.png", orientation)
    assert (facts(path).width, facts(path).height) == (40, 20)
    image = read(path).image
    corners = [image.getpixel(place) for place in ((0, 0), (39, 0), (0, 19), (39, 19))]
    assert corners == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def test_the_kept_exif_no_longer_turns_the_picture(tmp_path):
    exif = Image.Exif()
    exif.load(read(pictures.exif_rotated(tmp_path / "a.jpg", 6)).exif)
    assert 0x0112 not in exif
    assert exif[0x010F] == "A camera"


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [
        ("coffee.png", "png", (600, 400)),
        ("rocket.jpg", "jpg", (640, 427)),
        ("multipage.tif", "tiff", (10, 15)),
        ("no_time_for_that_tiny.gif", "gif", (14, 25)),
    ],
)
def test_facts_of_photographs(name, kind, size):
    found = verified(pictures.photo(name))
    assert (found.format, found.width, found.height) == (kind, *size)


def test_frames_are_counted_and_the_first_one_is_worked_on(tmp_path):
    path = pictures.animated_gif(tmp_path / "a.gif")
    assert verified(path) == ImageFacts(30, 20, "gif", "P", animated=True, frames=3)
    assert read(path).image.convert("RGB").getpixel((5, 5)) == (0, 40, 200)


def test_sixteen_bits_keep_their_brightness(tmp_path):
    grey = Image.new("I;16", (4, 1))
    for place, value in enumerate((0, 257 * 50, 257 * 200, 65535)):
        grey.putpixel((place, 0), value)
    grey.save(tmp_path / "a.png")
    image = read(tmp_path / "a.png").image
    assert image.mode == "L"
    assert [image.getpixel((x, 0)) for x in range(4)] == [0, 50, 200, 255]


def test_floats_are_spread_over_their_range(tmp_path):
    image = Image.new("F", (2, 1))
    image.putpixel((0, 0), -1.5)
    image.putpixel((1, 0), 2.5)
    image.save(tmp_path / "a.tiff")
    assert [read(tmp_path / "a.tiff").image.getpixel((x, 0)) for x in (0, 1)] == [0, 255]


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    picture = read(tmp_path / "a.jpg")
    red, green, blue = picture.image.getpixel((4, 4))
    assert (picture.image.mode, picture.icc) == ("RGB", None)
    assert red > 230
    assert max(green, blue) < 40


def test_a_transparent_palette_keeps_its_holes(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=1)
    found = read(tmp_path / "a.png").image
    assert (found.mode, found.getpixel((0, 0)), found.getpixel((1, 0))[3]) == ("RGBA", (255, 0, 0, 255), 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_becomes_one_that_can_be_worked_on(tmp_path, mode):
    Image.new(mode, (6, 4)).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png").image.mode in {"L", "LA", "RGB", "RGBA"}


def test_a_profile_is_kept_and_one_that_is_no_profile_does_no_harm(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png", icc_profile=pictures.srgb_profile())
    picture = read(tmp_path / "a.png")
    assert picture.icc == pictures.srgb_profile()
    assert in_srgb(picture.image, picture.icc).getpixel((0, 0)) == (255, 0, 0)
    assert in_srgb(picture.image, b"nothing like a profile").getpixel((0, 0)) == (255, 0, 0)


def test_a_jpeg_may_come_smaller_but_not_too_small():
    assert min(read(pictures.photo("retina.jpg"), enough=300).image.size) >= 300
    assert max(read(pictures.photo("retina.jpg"), enough=300).image.size) < 1411


@pytest.mark.parametrize("name", ["rocket.jpg", "chelsea.png", "no_time_for_that_tiny.gif"])
def test_a_file_that_is_cut_off_says_so(tmp_path, name):
    path = pictures.truncated(pictures.photo(name), tmp_path / name)
    with pytest.raises(PictureError, match=f"{name}: is (cut off|damaged)"):
        verified(path)


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "is empty"), (b"<html>Not found</html>", "is no picture in a format we know")]
)
def test_what_is_no_picture_says_so(tmp_path, content, sentence):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(PictureError, match=f"a.png: {sentence}"):
        facts(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(40_000, 40_000), (13_000, 13_000)])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, size):
    with pytest.raises(PictureError, match="more than 150 million pixels"):
        read(pictures.bomb(tmp_path / "a.png", *size))


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(PictureError, match="no such file"):
        facts(tmp_path / "a.png")


def test_a_picture_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(PictureError("a.png: is damaged", hint="take another")))
    assert (error.message, error.hint, error.code) == ("a.png: is damaged", "take another", "executor.picture")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_damage_of_any_kind_is_a_sentence_or_a_picture(tmp_path, kind):
    """Bytes overwritten and cut at random: either Pillow makes something of it, or we say a sentence."""
    whole = pictures.encoded(Image.open(pictures.photo("chelsea.png")).resize((60, 40)), kind)
    chance = random.Random(kind)
    path = tmp_path / "a"
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            broken[chance.randrange(len(broken) if chance.random() < 0.5 else 120)] = chance.randrange(256)
        path.write_bytes(broken[: chance.choice([len(broken), chance.randrange(len(broken))])])
        for look in (facts, verified, read):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    look(path)
                except PictureError as error:
                    assert error.message.startswith("a: ")  # noqa: PT017  # some looks succeed


def test_the_endless_animation_is_not_decoded_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_FRAME_PIXELS", 1000)
    path = pictures.animated_gif(tmp_path / "a.gif", frames=3)
    pictures.truncated(path, path, 0.9)
    assert verified(path).width == 30
