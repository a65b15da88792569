"""Operations as written in a spec: what is wrong with them, which files they name, how one task is made."""

import asyncio
import json
from pathlib import Path

import jsonschema_rs
import pytest

from speedpix_pipe.errors import ExecutorError, TaskError, TaskErrorKind
from speedpix_pipe.model import Entry, Expression, ImageOperation, ListOf, Literal, MapOf, Mark
from speedpix_pipe.steps.image import (
    SourcePicture,
    check_operations,
    check_rendered,
    file_options,
    pictures_of,
    run_image,
)
from speedpix_pipe.steps.image_ops import OPERATIONS
from speedpix_pipe.steps.image_ops.base import ImageFacts, PictureError
from speedpix_pipe.steps.image_ops.json_schema import image_schema

SCHEMA = Path(__file__).parents[3] / "schemas/steps/image.schema.json"


def at(line, column=1):
    return Mark("spec.yaml", line, column)


def operation(name, line=1, **options):
    entries = []
    for place, (option, value) in enumerate(options.items()):
        mark = at(line + place + 1, 5)
        if isinstance(value, str) and value.startswith("${{"):
            template = Expression(value, value, mark)
        elif isinstance(value, list):
            template = ListOf(tuple(Literal(item, mark) for item in value), mark)
        else:
            template = Literal(value, mark)
        entries.append(Entry(option.replace("__", "-"), template, mark))
    return ImageOperation(name, MapOf(tuple(entries), at(line)), at(line))


@pytest.mark.parametrize(
    "written",
    [
        operation("resize", width=800),
        operation("resize", width="${{ item.width / 2 }}"),
        operation("resize", width=800, height="${{ h }}", fit="cover"),
        operation("crop", box=[0, 0, 10, 10]),
        operation("pad", height=10, color="transparent"),
        operation("pad", height=10, color="#fff8"),
        operation("convert", format="webp", quality=80),
        operation("composite", over="./logo.png", opacity=0.5, scale=0.2),
        operation("contact-sheet"),
        operation("contact-sheet", cell=[300, 200], labels=["a", 1]),
        operation("text", text="${{ item.stem }}", size="4%", stroke_width=2, stroke_color="white"),
        operation("strip"),
        operation("resize", width=8, height=None, fit=None),
    ],
    ids=lambda written: written.name,
)
def test_operations_that_are_fine(written):
    assert check_operations([written]) == []


@pytest.mark.parametrize(
    ("written", "option", "message", "hint"),
    [
        (operation("rezise", width=1), None, 'no image operation "rezise"', 'did you mean "resize"?'),
        (operation("contact_sheet"), None, 'no image operation "contact_sheet"', 'did you mean "contact-sheet"?'),
        (operation("resize", widht=1, height=1), "widht", 'resize has no option "widht"', 'did you mean "width"?'),
        (operation("resize", width=0), "width", "resize: `width` must be a whole number from 1 to 65500, not 0", None),
        (operation("resize", width="800"), "width", "resize: `width` must be a whole number from 1 to 65500, not '800'", None),
        (operation("resize", width=True), "width", "resize: `width` must be a whole number from 1 to 65500, not True", None),
        (operation("resize", width=1.5), "width", "resize: `width` must be a whole number from 1 to 65500, not 1.5", None),
        (operation("resize"), None, "resize needs `width`, `height`, or both", None),
        (operation("resize", width=1, fit="cover"), "fit", "`fit: cover` needs both `width` and `height`", None),
        (operation("resize", width=1, fit="fill"), "fit", "resize: `fit` must be one of contain, cover, stretch, not 'fill'", None),
        (operation("crop"), None, "crop needs `width` and `height`, or `box: [left, top, right, bottom]`", None),
        (operation("crop", box=[0, 0, 1]), "box", "crop: `box` must be a list of 4, not [0, 0, 1]", None),
        (operation("crop", box=[5, 0, 1, 4]), "box", "the box is empty", "a box is [left, top, right, bottom]"),
        (operation("crop", box=[0, 0, 1, 4], width=3), "box", "`box` says it all; `width`, `height` and `gravity` do not go with it", None),
        (operation("pad", color="white"), None, "pad needs `width`, `height`, or both", None),
        (operation("convert"), None, "convert needs `format`, `quality`, or both", None),
        (operation("convert", format="png", quality=3), "quality", "png has no quality", "quality is for jpg and webp"),
        (operation("composite", over="a.png", under="b.png"), "under", "composite takes `over` or `under`, not both", "write two composites, one after the other"),
        (operation("composite", over=3), "over", "composite: `over` must be a file, not 3", None),
        (operation("composite", over="a.png", opacity=2), "opacity", "composite: `opacity` must be a number from 0 to 1, not 2", None),
        (operation("text"), None, "text needs `text`", None),
        (operation("text", text=["a"]), "text", "text: `text` must be a text, not ['a']", None),
        (operation("text", text="a", padding=3), "padding", "`padding` does nothing without `background`", None),
        (operation("text", text="a", size="0%"), "size", "text: `size` must be a number from 1 to 10000 or a share such as 5%, not '0%'", None),
        (operation("strip", all=True), "all", 'strip has no option "all"', "strip takes no options"),
    ],
)  # fmt: skip
def test_operations_that_are_wrong(written, option, message, hint):
    (found,) = check_operations([written])
    assert (found.index, found.option, found.message, found.hint) == (0, option, message, hint)


def test_a_wrong_colour_says_what_colours_look_like():
    (found,) = check_operations([operation("pad", width=3, color="whte")])
    assert found.message.startswith("pad: `color` must be a colour such as white")


def test_findings_carry_the_place_of_the_option_and_the_operation():
    found = check_operations([operation("strip"), operation("resize", 7, width=1, heigth=2), operation("text", 20)])
    assert [(one.index, one.mark) for one in found] == [(1, at(9, 5)), (2, at(20))]


def test_no_operations_at_all_is_said():
    assert check_operations([])[0].message == "`image` needs at least one operation"


def test_rendered_values_are_checked_alike():
    assert check_rendered([("resize", {"width": 333.5})])[0].message.endswith("not 333.5")
    assert check_rendered([("resize", {"width": 400.0})]) == []


def test_the_schema_for_editors_is_made_from_the_same_tables():
    assert json.loads(SCHEMA.read_text("utf-8")) == image_schema()


@pytest.mark.parametrize(
    ("written", "fine"),
    [
        ([{"resize": {"width": 800}}, "strip", {"contact-sheet": None}], True),
        ([{"resize": {"width": "${{ params.w }}"}}], True),
        (["contact-sheet"], True),
        (["composite"], True),
        (["text"], False),
        (["crop"], False),
        ([{"crop": {"box": [0, 0, 10, 10]}}], True),
        ([{"resize": {"width": "wide"}}], False),
        ([{"resize": {"widht": 8}}], False),
        ([{"text": {"size": 3}}], False),
        ([], False),
    ],
)
def test_the_schema_takes_and_refuses(written, fine):
    assert jsonschema_rs.Draft7Validator(image_schema()).is_valid(written) is fine


def test_every_default_is_a_value_that_its_option_takes():
    for name, operation_ in OPERATIONS.items():
        for option, meant in operation_.OPTIONS.items():
            assert meant.default is None or meant.kind.problem(meant.default) is None, f"{name}.{option}"


def test_validation_does_not_import_pillow():
    import subprocess
    import sys

    code = "import sys, speedpix_pipe.steps.image; sys.exit('PIL' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCHEMA.parents[2])


# --- files and work --------------------------------------------------------------------------------


def test_options_that_name_files_are_known():
    operations = [
        ("composite", {"over": "a.png", "x": 3}),
        ("text", {"text": "./b.ttf", "font": "b.ttf"}),
        ("text", {"font": None}),
    ]
    assert file_options(operations) == [(0, "over"), (1, "font")]


@pytest.mark.parametrize(
    ("given", "found"),
    [({"image": "a"}, ["a"]), ({"images": ["a", "b"]}, ["a", "b"]), ({"images": "a", "image": None}, ["a"])],
)
def test_pictures_of_an_input(given, found):
    assert pictures_of(given) == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs a picture"),
        ({"images": []}, "needs a picture"),
        ({"image": "a", "images": ["b"]}, "not both"),
        ({"imag": "a"}, 'not "imag"'),
    ],
)
def test_inputs_without_pictures_fail_the_task(given, message):
    with pytest.raises(TaskError, match=message) as caught:
        pictures_of(given)
    assert caught.value.kind is TaskErrorKind.INPUT


class Pool:
    """A pool that notes what it is asked, and answers or raises as told."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def pixels(self, function, *arguments):
        self.asked.append((function, *arguments))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def locate(value):
    return SourcePicture(Path("/blobs") / value, value.removesuffix(".png"))


def made(pool, operations=(("composite", {"over": "logo.png"}),), given=None):
    work = run_image(
        list(operations), given or {"images": ["a.png", "b.png"]}, locate=locate, folder=Path("/w"), pool=pool
    )
    return asyncio.run(work)


def test_a_task_finds_its_files_and_asks_the_pool_once():
    facts = ImageFacts(3, 2, "png", "RGB")
    pool = Pool(("/w/image.png", facts))
    assert (made(pool).path, made(pool).facts) == (Path("/w/image.png"), facts)
    assert pool.asked[0] == (
        "run_operations",
        [("composite", {"over": "/blobs/logo.png"})],
        [("/blobs/a.png", "a"), ("/blobs/b.png", "b")],
        "/w",
    )


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (PictureError("a.png: is damaged"), TaskErrorKind.INPUT, "task.picture"),
        (ExecutorError("died", code="executor.worker-died"), TaskErrorKind.TASK, "executor.worker-died"),
    ],
)
def test_what_the_pool_complains_of_fails_the_task(raised, kind, code):
    with pytest.raises(TaskError) as caught:
        made(Pool(raised))
    assert (caught.value.kind, caught.value.code) == (kind, code)


def test_rendered_options_that_are_wrong_never_reach_the_pool():
    pool = Pool(None)
    with pytest.raises(TaskError, match="must be a whole number"):
        made(pool, [("resize", {"width": "wide"})])
    assert pool.asked == []


def test_every_operation_and_option_is_documented():
    page = (SCHEMA.parents[2] / "docs/images.md").read_text("utf-8")
    for name, operation_ in OPERATIONS.items():
        section = page.split(f"### {name}\n")[1].split("\n##")[0]
        assert operation_.SUMMARY in section
        for option, meant in operation_.OPTIONS.items():
            assert f"| `{option}` |" in section
            assert meant.about in section
