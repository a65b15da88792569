import asyncio
import hashlib
from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.executors.worker import perform
from speedpix_pipe.model import KeptFile
from speedpix_pipe.steps.expect import ExpectedFile, InputFile, check_expect, check_expectations, plain_misses
from tests.unit.steps import pictures

URL = "https://r/a.png"


def kept(**facts):
    known = {"place": "images.url", "sha256": "0", "size": 5000, "media_type": "image/png", "extension": "png"}
    return KeptFile(**(known | {"width": 800, "height": 600} | facts))


class HerePool:
    """The real functions, in this process."""

    async def pixels(self, function, *arguments):
        return perform(function, arguments)


def misses(wanted, path=None, inputs=(), output=None, place="images.url", **facts):
    path = path or Path("/nowhere")
    expect = {"images": wanted}
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "0"
    files = [ExpectedFile(kept(place=place, sha256=digest, **facts), path)]
    given = [InputFile(hashlib.sha256(one.read_bytes()).hexdigest(), one) for one in inputs]
    return asyncio.run(
        check_expect(expect, {"images": {"url": URL}} if output is None else output, files, given, HerePool())
    )


@pytest.mark.parametrize(
    ("wanted", "facts", "found"),
    [
        ({"min_width": 800, "max_width": 800, "min_height": 600, "max_height": 600}, {}, []),
        ({"min_width": 1024}, {}, ["is 800 pixels wide, at least 1024 is expected"]),
        ({"max_height": 500}, {}, ["is 600 pixels high, at most 500 is expected"]),
        ({"min_bytes": 6000}, {}, ["is 5000 bytes, at least 6000 is expected"]),
        ({"max_bytes": 4000}, {}, ["is 5000 bytes, at most 4000 is expected"]),
        ({"format": "png"}, {}, []),
        ({"format": "JPEG"}, {"extension": "jpg"}, []),
        ({"format": ".tif"}, {"extension": "tiff"}, []),
        ({"format": ["jpg", "webp"]}, {}, ["is png, jpg or webp is expected"]),
        ({"min_width": 1}, {"width": None}, ["is no picture, so its width is not known"]),
        ({"min_width": None, "not_blank": False}, {}, []),
    ],
)
def test_plain_expectations(wanted, facts, found):
    assert plain_misses(wanted, kept(**facts)) == found


def test_a_miss_names_the_place():
    assert misses({"min_width": 1024}) == ["images.url: is 800 pixels wide, at least 1024 is expected"]
    assert misses({"min_width": 1024}, output={"images": [URL]}, place="images.0")[0].startswith("images.0: ")


def test_a_path_where_nothing_stands_is_a_miss():
    assert misses({"min_width": 1}, output={"other": URL}) == ["images: nothing is there"]


def test_a_value_that_is_no_file_is_a_miss():
    assert misses({"min_width": 1}, output={"images": "two cups"}) == ["images: is no file"]


# --- pixels ----------------------------------------------------------------------------------------


def saved(tmp_path, name, image, **settings):
    image.save(tmp_path / name, **settings)
    return tmp_path / name


@pytest.mark.parametrize(
    ("image", "blank"),
    [
        (Image.new("RGB", (50, 50), "white"), True),
        (Image.new("L", (50, 50), 3), True),
        (Image.new("RGBA", (50, 50), (255, 0, 0, 0)), True),
        (Image.new("RGBA", (50, 50), (255, 0, 0, 90)), True),
        (pictures.quarters(), False),
    ],
)
def test_blank_pictures(tmp_path, image, blank):
    assert misses({"not_blank": True}, saved(tmp_path, "a.png", image)) == (["images.url: is blank"] if blank else [])


def test_a_black_cutout_is_not_blank(tmp_path):
    image = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (10, 10, 40, 40))
    assert misses({"not_blank": True}, saved(tmp_path, "a.png", image)) == []


def test_a_single_letter_on_white_is_not_blank(tmp_path):
    image = Image.new("RGB", (1000, 1000), "white")
    image.paste((0, 0, 0), (500, 500, 504, 510))
    assert misses({"not_blank": True}, saved(tmp_path, "a.jpg", image)) == []


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png", "camera.png", "brick.png", "page.png"])
@pytest.mark.parametrize(("kind", "settings"), [("jpg", {"quality": 75}), ("png", {}), ("webp", {"quality": 80})])
def test_the_input_saved_again_is_the_same_picture(tmp_path, name, kind, settings):
    source = pictures.photo(name)
    with Image.open(source) as image:
        again = saved(tmp_path, f"again.{kind}", image.convert("RGB"), **settings)
    assert misses({"not_same_as_input": True}, again, [pictures.photo("rocket.jpg"), source]) == [
        "images.url: is the same picture as the input"
    ]


def test_the_same_bytes_are_the_same_whatever_they_are(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"a film")
    assert misses({"not_same_as_input": True}, tmp_path / "a.mp4", [tmp_path / "a.mp4"]) != []


def test_a_small_retouch_is_another_picture(tmp_path):
    source = pictures.photo("coffee.png")
    with Image.open(source) as image:
        image.paste((255, 255, 255), (300, 200, 310, 210))
        retouched = saved(tmp_path, "a.jpg", image, quality=85)
    assert misses({"not_same_as_input": True}, retouched, [source]) == []


def test_another_size_is_another_picture(tmp_path):
    source = pictures.photo("coffee.png")
    with Image.open(source) as image:
        assert misses({"not_same_as_input": True}, saved(tmp_path, "a.png", image.resize((300, 200))), [source]) == []


def test_a_turned_photo_is_the_same_as_its_upright_copy(tmp_path):
    upright = saved(tmp_path, "b.png", pictures.quarters())
    assert misses({"not_same_as_input": True}, upright, [pictures.exif_rotated(tmp_path / "a.png", 6)]) != []


def test_a_result_that_cannot_be_read_is_a_miss(tmp_path):
    broken = pictures.truncated(pictures.photo("rocket.jpg"), tmp_path / "a.jpg")
    (found,) = misses({"not_blank": True}, broken)
    assert found == "images.url: cannot be looked at: a.jpg: is cut off, the end of the picture is missing"
    (tmp_path / "b.png").write_text("<html>")
    (found,) = misses({"not_same_as_input": True}, tmp_path / "b.png", [pictures.photo("rocket.jpg")])
    assert "cannot be looked at" in found


def test_an_input_that_is_no_picture_is_not_what_came_back(tmp_path):
    (tmp_path / "a.txt").write_text("a prompt")
    assert misses({"not_same_as_input": True}, pictures.photo("rocket.jpg"), [tmp_path / "a.txt"]) == []


# --- as written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ({"min_widht": 3}, 'no expectation "min_widht"', "min_width"),
        ({"min_width": "big"}, "`min_width` must be a whole number from 1 to 1000000", None),
        ({"not_blank": "yes"}, "`not_blank` must be true or false", None),
        ({"min_width": 9, "max_width": 3}, "`min_width` 9 is above `max_width` 3", None),
        ("png", "`expect` of images must be a mapping such as {min_width: 1024}", None),
    ],
)
def test_wrong_expectations(wanted, message, hint):
    (found,) = check_expectations({"images": wanted})
    assert (found.path, found.message) == ("images", message)
    assert hint is None or hint in found.hint


def test_fine_expectations():
    assert (
        check_expectations({"images": {"min_width": 3, "max_width": 9, "format": ["png", "jpg"], "not_blank": True}})
        == []
    )
