"""The page as a file: what it holds, and that nothing from outside gets out of hand."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
import urllib.parse
from dataclasses import replace

import pytest

from speedpix_pipe.model import TaskStatus
from speedpix_pipe.pages import embed
from speedpix_pipe.pages.pictures import Thumbnail
from speedpix_pipe.report.base import InputFile, ResultFile
from speedpix_pipe.report.contents import link
from speedpix_pipe.words import words_for


class Outline(html.parser.HTMLParser):
    """Elements with their attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_holds_every_task_in_its_row(studio, read_page):
    studio.product("a.png", "red")
    studio.product("b.png", "blue")
    sheet = studio.keep(studio.picture("green"))
    studio.task("sheet", "", files=(ResultFile(sheet),))
    data = read_page(studio.build())
    assert [(row["key"], row["count"]) for row in data["rows"]] == [("", 1), ("inbox/a.png", 3), ("inbox/b.png", 3)]
    assert [data["steps"][task["s"]]["name"] for task in data["tasks"]] == ["sheet", *["white", "looks", "looks"] * 2]
    assert data["axes"] == {"look": ["studio", "beach"]}
    first = data["rows"][1]
    assert data["files"][first["in"][0]]["name"] == "inbox/a.png"


def test_results_of_earlier_steps_are_no_inputs_of_the_item(studio, read_page):
    source = studio.given("inbox/a.png", studio.picture("red"))
    white = studio.keep(studio.picture("white"))
    studio.task("white", "a", input_files=(source,), files=(ResultFile(white),))
    again = InputFile("image", "out/a.png", white.sha256, studio.blobs / white.sha256)
    studio.task("looks", "a", input_files=(again,))
    data = read_page(studio.build())
    assert [data["files"][number]["name"] for number in data["rows"][0]["in"]] == ["inbox/a.png"]


def test_a_step_that_gives_back_what_it_got_keeps_its_input(studio, read_page):
    source = studio.given("inbox/a.png", studio.picture("red"))
    studio.task("white", "a", input_files=(source,), files=(ResultFile(studio.keep(studio.picture("red"))),))
    data = read_page(studio.build())
    assert [data["files"][number]["name"] for number in data["rows"][0]["in"]] == ["inbox/a.png"]


def test_a_step_knows_what_it_was_made_from_and_what_was_made_of_it(studio, read_page):
    for step in ("white", "looks", "film", "sheet"):
        studio.task(step, "a")
    needs = {"white": (), "looks": ("white",), "film": ("white",), "sheet": ("looks",)}
    steps = read_page(studio.build(run=studio.run(steps=tuple(needs), needs=needs)))["steps"]
    kin = {step["name"]: [steps[number]["name"] for number in step["kin"]] for step in steps}
    assert kin == {
        "white": ["looks", "film", "sheet"],
        "looks": ["white", "sheet"],
        "film": ["white"],
        "sheet": ["white", "looks"],
    }


def test_of_a_spec_that_was_not_kept_every_step_may_be_kin(studio, read_page):
    studio.product("a.png", "red")
    assert [step["kin"] for step in read_page(studio.build())["steps"]] == [[0, 1], [0, 1]]


def test_links_lead_from_the_page_to_the_files(studio, read_page):
    studio.product("a b#1?.png", "red", looks=("studio",))
    page = studio.build()
    data = read_page(page)
    for file in data["files"]:
        assert file["src"].startswith("./")
        target = page.parent / urllib.parse.unquote(file["src"])
        assert target.is_file(), file
    saved = data["files"][data["tasks"][0]["f"][0]]
    assert saved["src"].endswith("../../out/a%20b%231%3F.png")
    assert saved["name"] == "out/a b#1?.png"


def test_a_result_that_was_not_saved_is_linked_where_it_is_kept(studio, read_page):
    made = studio.keep(studio.picture("red"))
    studio.task("white", "a", files=(ResultFile(made, studio.folder / "gone.png"),))
    assert made.sha256 in read_page(studio.build())["files"][0]["src"]


def test_files_that_are_gone_have_no_link_and_no_thumbnail(studio, read_page, read_thumbnails):
    made = studio.keep(studio.picture("red"))
    (studio.blobs / made.sha256).unlink()
    studio.task("white", "a", input_files=(InputFile("image", "in/a.png", "00"),), files=(ResultFile(made),))
    page = studio.build()
    assert all("src" not in file for file in read_page(page)["files"])
    assert [made[0] for made in read_thumbnails(page).values()] == ["", ""]


def test_a_store_that_lost_a_blob_does_not_stop_the_report(studio):
    from speedpix_pipe.report.gallery import build_report

    def lost(digest):
        raise FileNotFoundError(digest)

    studio.product("a.png", "red")
    assert build_report(studio.run(), studio.tasks, studio.folder / "r.html", open_blob=lost).is_file()


def test_one_broken_picture_does_not_stop_the_report(studio, read_thumbnails):
    broken = studio.keep(b"\x89PNG\r\n\x1a\nbroken")
    studio.task("white", "a", files=(ResultFile(broken),))
    studio.product("b.png", "red")
    made = read_thumbnails(studio.build())
    assert sorted(bool(text) for text, *_ in made.values()) == [False, True, True, True, True]


def test_thumbnails_are_webp_and_know_the_full_size(studio, read_page, read_thumbnails):
    studio.task("white", "a", files=(ResultFile(studio.keep(studio.picture("red", (1200, 600)))),))
    page = studio.build()
    text, width, height, animated = read_thumbnails(page)[0]
    assert base64.b64decode(text)[8:12] == b"WEBP"
    assert (width, height, animated) == (1200, 600, 0)


def test_equal_content_is_one_thumbnail_per_name(studio, read_page):
    same = studio.keep(studio.picture("red"))
    for key in ("a", "b"):
        studio.task("white", key, files=(ResultFile(same),))
    assert len(read_page(studio.build())["files"]) == 1


def test_the_caller_brings_the_pool(studio):
    studio.product("a.png", "red")
    asked = []

    def pool_map(work, paths):
        asked.extend(paths)
        return map(work, paths)

    studio.build(map_thumbnails=pool_map, thumbnail=lambda path, edge: Thumbnail(b"x", edge, edge))
    assert len(asked) == 4


def test_two_reports_of_a_run_at_once_do_not_disturb_each_other(studio):
    studio.product("a.png", "red")
    target = studio.folder / "report" / "r.html"

    def meanwhile(work, paths):
        """The pool of the first, which is in the middle of its page when the second is made and done."""
        studio.build(target)
        yield from map(work, paths)

    studio.build(target, map_thumbnails=meanwhile)
    assert target.read_text("utf-8").rstrip().endswith("</html>")
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("place", ["name", "step", "key", "message", "pipeline", "param", "value", "reason", "spec"])
def test_hostile_text_stays_text(studio, hostile, place, read_page):
    studio.task(
        hostile if place == "step" else "white",
        hostile if place == "key" else "a",
        TaskStatus.FAILED,
        error_message=hostile if place == "message" else "m",
        input={"text": hostile if place == "value" else ""},
        input_files=(InputFile("image", hostile if place == "name" else "x", "00"),),
        matrix={"look": hostile} if place == "value" else {},
    )
    run = studio.run(
        params={"caption": hostile if place == "param" else ""},
        reason=hostile if place == "reason" else "",
        spec_path=hostile if place == "spec" else "s.yaml",
        resumable=True,
    )
    run = replace(run, pipeline=hostile) if place == "pipeline" else run
    page = studio.build(run=run)
    outline = Outline(page.read_text("utf-8"))
    assert not outline.named("img")
    assert len(outline.named("script")) == 3  # data, program, one block of thumbnails
    assert not any("onerror" in attributes for _, attributes in outline.elements)
    read_page(page)


def test_json_cannot_leave_its_element():
    text = embed({"a": "</script><!--<script>", "b": "\u2028\udc80&amp;"})
    assert "<" not in text
    assert ">" not in text
    assert text.isascii()


def test_names_that_are_no_unicode_are_written(studio):
    studio.task("white", "bad\udc80name", TaskStatus.FAILED, error_message="m\udc80")
    assert studio.build(run=studio.run(spec_path="s\udc80.yaml", resumable=True)).is_file()


def test_a_link_never_has_a_scheme(tmp_path):
    assert link(tmp_path / "javascript:alert(1)", tmp_path / "r.html") == "./javascript%3Aalert%281%29"
    assert link(tmp_path / "out" / "a.png", tmp_path / "reports" / "r.html") == "./../out/a.png"


def test_the_page_asks_for_nothing(studio):
    studio.product("a.png", "red")
    text = studio.build().read_text("utf-8")
    outline = Outline(text)
    assert not outline.named("link")
    for _, attributes in outline.elements:
        assert not {"src", "srcset", "action", "style"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)


def test_the_policy_allows_only_the_pages_own_program_and_style(studio):
    studio.product("a.png", "red")
    text = studio.build().read_text("utf-8")
    policy = next(
        attributes["content"]
        for attributes in Outline(text).named("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_signed_addresses_lose_their_query(studio):
    studio.task(
        "white", "a", input={"image": "https://r.example/a.png?Signature=SECRET", "list": ["http://x/?k=SECRET"]}
    )
    text = studio.build().read_text("utf-8")
    assert "SECRET" not in text
    assert "r.example/a.png?" in text


def test_failures_are_grouped_by_reason(studio, read_page):
    for number in range(3):
        studio.task(
            "white", f"in/{number}", TaskStatus.FAILED, error_kind="task", error_message=f"in/{number}: no subject"
        )
    studio.task("white", "x", TaskStatus.FAILED, error_kind="gateway", error_message="refused")
    studio.task("white", "i", TaskStatus.FAILED, error_kind="task", error_message="ignored one", ignored=True)
    studio.task("white", "u", TaskStatus.UNKNOWN, error_kind="unknown", error_message="no answer")
    groups = read_page(studio.build())["failures"]
    assert [(group["status"], group["ignored"], len(group["tasks"])) for group in groups] == [
        ("failed", False, 3),
        ("failed", False, 1),
        ("unknown", False, 1),
        ("failed", True, 1),
    ]


def test_the_commands_name_the_run(studio, read_page):
    studio.product("a.png", "red")
    commands = read_page(studio.build(run=studio.run(resumable=True, spec_path="my shots.yaml")))["commands"]
    assert commands == {
        "redo": "speedpix-pipe runs redo 01JABC",
        "retry": "speedpix-pipe runs redo 01JABC --failed",
        "resend": "speedpix-pipe runs redo 01JABC --unknown",
        "resume": "speedpix-pipe run 'my shots.yaml' --resume",
        "marked": "speedpix-pipe runs redo 01JABC --from-file rejected-01JABC.txt",
    }


@pytest.mark.parametrize(
    ("facts", "command"),
    [({"local": True}, "run shots.yaml --resume --local"), ({"redo": True, "local": True}, "runs redo 01JABC --rest")],
)
def test_the_command_that_goes_on_is_that_of_the_run(studio, read_page, facts, command):
    studio.product("a.png", "red")
    run = studio.run(resumable=True, spec_path="shots.yaml", **facts)
    assert read_page(studio.build(run=run))["commands"]["resume"] == f"speedpix-pipe {command}"


def test_figures_per_step(studio, read_page):
    for number in range(20):
        studio.task("white", str(number), seconds=1.0 + (number == 19) * 9, price=0.5)
    studio.task("white", "c", TaskStatus.CACHED, price=0.5)
    studio.task("white", "r", TaskStatus.CACHED, price=0.5, source="resumed")
    studio.task("white", "f", TaskStatus.FAILED, price=0.5)
    step = read_page(studio.build())["steps"][0]
    assert (step["median"], step["longest"], step["slow"], step["sum"]) == (1.0, 10.0, 1.5, 29.0)
    assert (step["spent"], step["saved"], step["total"]) == (10.5, 0.5, 23)
    assert step["counts"] == {"succeeded": 20, "cached": 2, "failed": 1}


def test_a_run_without_tasks_has_a_page(studio, read_page):
    assert read_page(studio.build(run=studio.run(started_at=None)))["rows"] == []


def test_an_unfinished_task_is_shown_as_such(studio, read_page):
    studio.task("white", "a", None, seconds=None, finished_at=None)
    assert read_page(studio.build())["tasks"][0]["st"] == "open"


def test_building_again_replaces_the_page_and_leaves_nothing_beside_it(studio):
    studio.product("a.png", "red")
    page = studio.build()
    studio.build()
    assert [entry.name for entry in page.parent.iterdir()] == ["01JABC.html"]


def test_every_word_the_page_uses_is_in_the_catalogue():
    from speedpix_pipe.report.gallery import TEMPLATES

    used = set()
    for name in TEMPLATES.iterdir():
        text = name.read_text("utf-8")
        used |= set(re.findall(r"words\.(\w+)", text)) | set(re.findall(r"words\['(\w+)'\]", text))
        used |= set(re.findall(r'say\("(\w+)"', text)) | set(re.findall(r'"(key_\w+)"', text))
    used -= {"get"}
    assert used <= words_for("gallery", "en").keys(), used - words_for("gallery", "en").keys()


def test_the_page_speaks_chinese_to_the_last_word(studio):
    studio.product("壶.png", "brown")
    studio.task("white", "bad.png", TaskStatus.FAILED, error_kind="task", error_message="boom")
    run = studio.run(resumable=True, spent=1.5, saved=0.5, submitted=3)
    page = studio.build(run=run, language="zh").read_text("utf-8")
    assert '<html lang="zh"' in page
    english = words_for("gallery", "en")
    foreign = {name for name, word in words_for("gallery", "zh").items() if word and word == english[name]}
    assert foreign == set()
    for name in ("failures", "whole_run", "timeline", "search"):
        assert english[name] not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
