"""Operations, looked at by their pixels."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.fonts import FontError, default_font, load_font
from speedpix_pipe.steps.image_ops import base, chain
from speedpix_pipe.steps.image_ops.base import PictureError, placed
from speedpix_pipe.steps.image_ops.text import broken
from tests.unit.steps import pictures

RED, LIME, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture
def work(tmp_path):
    """Runs operations on pictures in memory or on disk; gives the picture and its facts."""

    def run(operations, *sources):
        inputs = []
        for place, given in enumerate(sources or [pictures.quarters()]):
            source = given
            if isinstance(source, Image.Image):
                path = tmp_path / f"in{place}.png"
                source.save(path)
                source = path
            inputs.append((str(source), Path(source).stem))
        path, facts = chain.run(operations, inputs, tmp_path)
        image = Image.open(BytesIO(path.read_bytes()))  # a file would stay open for a GIF
        image.load()
        assert (facts.width, facts.height) == image.size
        return image

    return run


def corners(image):
    width, height = image.size
    rgb = image.convert("RGB")
    return [rgb.getpixel(place) for place in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1))]


# --- resize, crop, pad -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": 20}, (20, 10)),
        ({"height": 5}, (10, 5)),
        ({"width": 80}, (80, 40)),
        ({"width": 80, "upscale": False}, (40, 20)),
        ({"width": 10, "height": 10}, (10, 5)),
        ({"width": 10, "height": 10, "fit": "cover"}, (10, 10)),
        ({"width": 10, "height": 10, "fit": "stretch"}, (10, 10)),
        ({"width": 80, "height": 80, "fit": "cover", "upscale": False}, (20, 20)),
        ({"width": 80, "height": 10, "fit": "stretch", "upscale": False}, (40, 10)),
        ({"width": 1}, (1, 1)),
        ({"width": 13.0, "filter": "nearest"}, (13, 6)),
    ],
)
def test_resize(work, options, size):
    assert work([("resize", options)]).size == size


def test_cover_keeps_the_part_that_gravity_names(work):
    options = {"width": 10, "height": 20, "fit": "cover", "filter": "nearest"}
    assert corners(work([("resize", options | {"gravity": "west"})])) == [RED, RED, BLUE, BLUE]
    assert corners(work([("resize", options | {"gravity": "east"})])) == [LIME, LIME, WHITE, WHITE]


def test_crop_by_gravity_and_by_box(work):
    assert corners(work([("crop", {"width": 20, "height": 10, "gravity": "south-west"})])) == [BLUE] * 4
    assert corners(work([("crop", {"box": [20, 0, 40, 10]})])) == [LIME] * 4
    assert work([("crop", {"width": 100, "height": 10})]).size == (40, 10)


def test_a_box_outside_the_picture_is_refused(work):
    with pytest.raises(PictureError, match="in0 is 40 x 20: the box"):
        work([("crop", {"box": [30, 0, 50, 10]})])


def test_pad_puts_the_picture_on_a_canvas(work):
    image = work([("pad", {"width": 60, "height": 60, "color": "black", "gravity": "north-west"})])
    assert corners(image) == [RED, (0, 0, 0), (0, 0, 0), (0, 0, 0)]
    assert work([("pad", {"width": 10, "height": 10})]).size == (40, 20)


def test_a_canvas_shows_through_a_transparent_picture(work):
    image = work([("pad", {"width": 20, "height": 20, "color": "#00ff00"})], Image.new("RGBA", (10, 10)))
    assert image.getpixel((10, 10)) == (0, 255, 0, 255)


def test_a_transparent_canvas_makes_a_jpeg_a_png(work):
    image = work([("pad", {"width": 700, "height": 700, "color": "transparent"})], pictures.photo("rocket.jpg"))
    assert (image.format, image.mode, image.getpixel((0, 0))[3]) == ("PNG", "RGBA", 0)


def test_a_grey_picture_can_have_a_coloured_canvas(work):
    image = work([("pad", {"width": 20, "color": "red"})], Image.new("L", (10, 10), 128))
    assert (image.getpixel((0, 0)), image.getpixel((10, 5))) == (RED, (128, 128, 128))


# --- convert, strip, what is kept ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "pillow"),
    [("jpg", "JPEG"), ("jpeg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tiff", "TIFF"), ("gif", "GIF")],
)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_mode_can_be_written_in_every_format(work, kind, pillow, mode):
    assert work([("convert", {"format": kind})], Image.new(mode, (8, 8))).format == pillow


def test_the_background_shows_where_a_format_has_no_transparency(work):
    clear = Image.new("RGBA", (8, 8))
    assert work([("convert", {"format": "jpg"})], clear).getpixel((4, 4)) == WHITE
    assert work([("convert", {"format": "jpg", "background": "black"})], clear).getpixel((4, 4)) == (0, 0, 0)


def test_quality_makes_files_smaller(tmp_path):
    def size(quality):
        source = [(str(pictures.photo("rocket.jpg")), "rocket")]
        return chain.run([("convert", {"quality": quality})], source, tmp_path)[0].stat().st_size

    assert size(30) < size(60) < size(95)


def test_a_format_stays_what_it_was(work, tmp_path):
    assert work([("resize", {"width": 10})], pictures.photo("rocket.jpg")).format == "JPEG"
    assert work([("resize", {"width": 10})], pictures.animated_gif(tmp_path / "a.gif")).format == "GIF"
    bmp = tmp_path / "a.bmp"
    pictures.quarters().save(bmp)
    assert work([("resize", {"width": 10})], bmp).format == "PNG"


def test_exif_and_profile_are_kept_unless_stripped(work, tmp_path):
    path = pictures.exif_rotated(tmp_path / "a.jpg", 6)
    with Image.open(path) as source:
        source.save(path, exif=source.getexif(), icc_profile=pictures.srgb_profile(), dpi=(300, 300))
    kept = work([("resize", {"width": 20})], path)
    assert (kept.getexif()[0x010F], kept.info["dpi"], "icc_profile" in kept.info) == ("A camera", (300, 300), True)
    bare = work([("strip", {})], path)
    assert (bare.size, len(bare.getexif()), "icc_profile" in bare.info) == ((40, 20), 0, False)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff", "gif"])
def test_equal_pictures_give_equal_bytes(tmp_path, kind):
    def once(folder):
        (tmp_path / folder).mkdir()
        source = [(str(pictures.photo("chelsea.png")), "chelsea")]
        operations = [("resize", {"width": 90}), ("text", {"text": "猫"}), ("convert", {"format": kind})]
        return chain.run(operations, source, tmp_path / folder)[0].read_bytes()

    assert once("a") == once("b")


def test_a_picture_too_large_for_its_format_is_refused(work):
    with pytest.raises(PictureError, match="too large for webp"):
        work([("pad", {"width": 17_000}), ("convert", {"format": "webp"})], Image.new("L", (4, 4)))


def test_a_picture_too_large_for_memory_is_refused(work):
    with pytest.raises(PictureError, match="the resized picture would be 60000 x 30000"):
        work([("resize", {"width": 60_000})])


def test_nothing_half_written_is_left(tmp_path, work):
    with pytest.raises(PictureError):
        work([("crop", {"box": [0, 0, 99, 99]})])
    assert [path.name for path in tmp_path.iterdir()] == ["in0.png"]


# --- composite -------------------------------------------------------------------------------------


@pytest.fixture
def logo(tmp_path):
    path = tmp_path / "logo.png"
    Image.new("RGB", (10, 4), "black").save(path)
    return str(path)


def test_a_logo_lies_where_gravity_and_offsets_say(work, logo):
    image = work([("composite", {"over": logo, "gravity": "south-east", "x": 2, "y": 3})])
    black = [(x, y) for x in range(40) for y in range(20) if image.getpixel((x, y)) == (0, 0, 0)]
    assert (black[0], black[-1], len(black)) == ((28, 13), (37, 16), 40)


def test_opacity_mixes_and_scale_counts_from_the_picture_below(work, logo):
    image = work([("composite", {"over": logo, "opacity": 0.5, "scale": 1})], Image.new("RGB", (40, 20), "white"))
    assert image.getpixel((0, 0)) == WHITE
    assert image.getpixel((20, 10))[0] in {127, 128}
    assert image.getpixel((20, 1)) == WHITE


def test_a_picture_laid_on_a_scene_has_the_scenes_size(work):
    scene = str(pictures.photo("coffee.png"))
    image = work([("composite", {"under": scene, "gravity": "north-west"})])
    assert (image.size, image.getpixel((0, 0))) == ((600, 400), RED)


def test_what_hangs_over_the_edge_is_cut_off(work, logo):
    image = work([("composite", {"over": logo, "gravity": "north-west", "x": -5, "y": -2})])
    assert image.getpixel((4, 1)) == (0, 0, 0)
    assert image.getpixel((5, 2)) == RED
    assert work([("composite", {"over": logo, "x": 5000})]).getpixel((0, 0)) == RED


def test_several_pictures_are_stacked_in_their_order(work):
    image = work([("composite", {})], Image.new("RGB", (30, 30), "red"), Image.new("RGB", (10, 10), "blue"))
    assert (image.size, image.getpixel((0, 0)), image.getpixel((15, 15))) == ((30, 30), RED, BLUE)
    with pytest.raises(PictureError, match="at least two"):
        work([("composite", {})])


# --- contact sheet ---------------------------------------------------------------------------------


def test_a_contact_sheet_lies_in_rows_and_is_a_png(work):
    tiles = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    sheet = work([("contact-sheet", {"columns": 2, "cell": 10, "gap": 2, "margin": 1, "background": "black"})], *tiles)
    assert (sheet.format, sheet.size) == ("PNG", (24, 20))
    assert [sheet.getpixel(place) for place in ((6, 5), (18, 5), (6, 15), (18, 15), (0, 0))] == [
        RED, LIME, BLUE, (0, 0, 0), (0, 0, 0),
    ]  # fmt: skip


def test_a_row_of_a_contact_sheet_is_as_high_as_its_highest_picture_unless_cells_have_a_size(work):
    flat, square = Image.new("RGB", (10, 4), "red"), Image.new("RGB", (10, 10), "lime")
    options = {"columns": 2, "gap": 0, "margin": 0}
    assert work([("contact-sheet", {**options, "cell": 10})], flat, flat, square).size == (20, 14)
    assert work([("contact-sheet", {**options, "cell": [10, 10]})], flat, flat, square).size == (20, 20)


def test_operations_before_a_contact_sheet_work_on_each_picture(work):
    sheet = work([("crop", {"width": 20, "height": 10, "gravity": "north-east"}), ("contact-sheet", {})],
                 pictures.quarters(), pictures.quarters())  # fmt: skip
    assert RED not in {colour for _, colour in sheet.getcolors(10_000_000)}


def test_labels_are_written_below(work):
    def ink(options):
        sheet = work([("contact-sheet", {"cell": 100} | options)], Image.new("RGB", (50, 50), "white"))
        return sheet.height, sum(count for count, colour in sheet.getcolors(10_000_000) if colour != WHITE)

    plain, named, given = ink({}), ink({"labels": True}), ink({"labels": ["一只很长很长很长很长很长很长的猫"]})
    assert plain[1] == 0
    assert named[0] > plain[0]
    assert named[1] > 20
    assert given[1] > named[1]


def test_labels_are_as_many_as_pictures(work):
    with pytest.raises(PictureError, match="2 labels for 1 pictures"):
        work([("contact-sheet", {"labels": ["a", "b"]})])


def test_a_jpeg_sheet_is_drawn_from_enough_pixels(work):
    sheet = work([("contact-sheet", {"cell": 300, "margin": 0})], pictures.photo("retina.jpg"))
    assert sheet.size == (300, 300)


def test_more_than_one_picture_at_the_end_is_refused(work):
    with pytest.raises(PictureError, match="2 pictures are left") as caught:
        work([("resize", {"width": 5})], pictures.quarters(), pictures.quarters())
    assert "contact-sheet" in caught.value.hint


# --- text ------------------------------------------------------------------------------------------


def inked(image, ink):
    rgb = image.convert("RGB")
    return [(x, y) for x in range(rgb.width) for y in range(rgb.height) if rgb.getpixel((x, y)) == ink]


def test_text_stands_where_gravity_says(work):
    white = Image.new("RGB", (200, 100), "white")
    top = inked(work([("text", {"text": "A", "size": 20, "gravity": "north-west", "margin": 5})], white), (0, 0, 0))
    assert min(x for x, _ in top) >= 5
    assert max(x for x, _ in top) < 40
    assert max(y for _, y in top) < 40
    bottom = inked(work([("text", {"text": "A", "size": "20%", "gravity": "south-east"})], white), (0, 0, 0))
    assert min(x for x, _ in bottom) > 150
    assert min(y for _, y in bottom) > 50


def test_chinese_is_drawn_with_its_own_letters(work):
    white = Image.new("RGB", (100, 100), "white")
    drawn = {
        letter: tuple(inked(work([("text", {"text": letter, "size": 60})], white), (0, 0, 0))) for letter in "白底片"
    }
    assert len(set(drawn.values())) == 3
    assert all(len(ink) > 100 for ink in drawn.values())


def test_a_box_and_an_outline_stand_behind_the_letters(work):
    options = {"text": "Hi", "size": 30, "background": "lime", "stroke_width": 2, "stroke_color": "blue"}
    image = work([("text", options)], Image.new("RGB", (200, 100), "white"))
    assert inked(image, LIME)
    assert inked(image, BLUE)


def test_empty_text_changes_nothing(work):
    assert corners(work([("text", {"text": " \n"})])) == corners(pictures.quarters())


def test_numbers_are_written_as_they_are(work):
    assert inked(work([("text", {"text": 12.5, "size": 20})], Image.new("RGB", (90, 40), "white")), (0, 0, 0))


@pytest.mark.parametrize(
    "line",
    [
        "白底产品照片，阿里云智能集团。第二行文字",
        "a shop window with many words in it",
        "ein einzigeslangeswortohneende x",
    ],
)
def test_long_lines_are_broken_and_lose_nothing(line):
    font = load_font(20)
    lines = broken(line, font, 120)
    assert len(lines) > 1
    assert "".join(lines).replace(" ", "") == line.replace(" ", "")
    assert not any(part[0] in "，。" for part in lines)


def test_lines_fit_the_room_unless_a_word_is_longer():
    font = load_font(20)
    assert all(font.getlength(part) <= 120 for part in broken("many short words stand in this line", font, 120))


def test_a_font_that_is_none_says_so(work, logo):
    with pytest.raises(PictureError, match=r"logo\.png: is no font"):
        work([("text", {"text": "A", "font": logo})])
    with pytest.raises(FontError):
        load_font(12, "/nowhere.ttf")
    assert default_font().is_file()


# --- the rest --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gravity", "place"),
    [
        ("center", (45, 45)), ("north", (45, 0)), ("south", (45, 90)), ("west", (0, 45)), ("east", (90, 45)),
        ("north-west", (0, 0)), ("north-east", (90, 0)), ("south-west", (0, 90)), ("south-east", (90, 90)),
    ],
)  # fmt: skip
def test_gravity(gravity, place):
    assert placed(gravity, (100, 100), (10, 10)) == place


def test_a_rendered_colour_that_is_none_says_so():
    with pytest.raises(PictureError, match="'whte' is no colour"):
        base.color("whte")


def test_a_damaged_input_is_named(work, tmp_path):
    path = pictures.truncated(pictures.photo("rocket.jpg"), tmp_path / "shoe.jpg")
    with pytest.raises(PictureError, match=r"shoe\.jpg: is cut off"):
        work([("resize", {"width": 10})], path)
