"""Thumbnails of good, odd and broken pictures."""

from __future__ import annotations

import io
import pickle

import pytest
from PIL import Image

from speedpix_pipe.pages.pictures import Thumbnail, make_thumbnail


def opened(made: Thumbnail) -> Image.Image:
    return Image.open(io.BytesIO(made.webp))


def test_a_photo_becomes_a_small_webp(tmp_path):
    Image.new("RGB", (2000, 1000), (200, 40, 40)).save(tmp_path / "a.jpg")
    made = make_thumbnail(tmp_path / "a.jpg")
    assert opened(made).format == "WEBP"
    assert opened(made).size == (256, 128)
    assert (made.width, made.height, made.animated) == (2000, 1000, False)
    red, green, _ = opened(made).convert("RGB").getpixel((100, 60))
    assert red > 180
    assert green < 70


def test_exif_turns_the_picture_upright(tmp_path):
    picture = Image.new("RGB", (80, 40), "white")
    picture.paste("black", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter: the left half is on top
    picture.save(tmp_path / "a.jpg", exif=exif)
    made = make_thumbnail(tmp_path / "a.jpg")
    assert (made.width, made.height) == (40, 80)
    small = opened(made).convert("L")
    assert small.getpixel((20, 10)) < 60
    assert small.getpixel((20, 70)) > 200


def test_transparency_is_kept(tmp_path):
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert opened(make_thumbnail(tmp_path / "a.png")).mode == "RGBA"


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (50, 50), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    made = make_thumbnail(tmp_path / "a.gif")
    assert made.animated
    assert opened(made).convert("RGB").getpixel((25, 25))[0] > 200


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "F"])
def test_every_mode_of_pixels_is_taken(tmp_path, mode):
    kind = "TIFF"
    Image.new(mode, (30, 30)).save(tmp_path / "a.tif", kind)
    assert make_thumbnail(tmp_path / "a.tif").webp


def test_small_pictures_are_not_blown_up(tmp_path):
    Image.new("RGB", (8, 4)).save(tmp_path / "a.png")
    assert opened(make_thumbnail(tmp_path / "a.png")).size == (8, 4)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\0\0\0\x18ftypmp42"])
def test_what_is_no_picture_has_no_thumbnail(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert make_thumbnail(tmp_path / "a.png") == Thumbnail()


def test_half_a_picture_is_no_error(tmp_path):
    Image.effect_noise((300, 300), 90).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:9000])
    assert isinstance(make_thumbnail(tmp_path / "half.jpg"), Thumbnail)


def test_a_missing_file_has_no_thumbnail(tmp_path):
    assert make_thumbnail(tmp_path / "gone.jpg") == Thumbnail()
    assert make_thumbnail(tmp_path) == Thumbnail()


def test_a_bomb_is_not_opened(tmp_path, monkeypatch):
    Image.new("L", (400, 400)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert make_thumbnail(tmp_path / "a.png") == Thumbnail()


def test_a_thumbnail_travels_between_processes(tmp_path):
    assert pickle.loads(pickle.dumps(make_thumbnail)) is make_thumbnail
    assert pickle.loads(pickle.dumps(Thumbnail(b"x", 1, 2))) == Thumbnail(b"x", 1, 2)
