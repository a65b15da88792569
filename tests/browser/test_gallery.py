"""The gallery in a real Chromium: opened, clicked, filtered, marked, compared."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from speedpix_pipe.model import TaskStatus
from speedpix_pipe.pages.pictures import Thumbnail
from speedpix_pipe.report.base import ResultFile

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


@pytest.fixture
def gallery(studio):
    """Six products with two looks each, one failure, one hostile name, one animation, one text."""
    for number, color in enumerate(["red", "green", "blue", "orange", "purple"]):
        studio.product(f"p{number}.png", color)
    studio.product("壶 #1?.png", "brown", looks=())
    bad = studio.given("inbox/bad.png", studio.picture("gray"))
    studio.task(
        "white",
        "inbox/bad.png",
        TaskStatus.FAILED,
        input_files=(bad,),
        error_kind="task",
        error_message="no subject found",
    )
    studio.task(
        "looks", "inbox/bad.png,look=studio", TaskStatus.SKIPPED, matrix={"look": "studio"}, skip_reason="white failed"
    )
    studio.task("white", HOSTILE, TaskStatus.FAILED, error_kind="task", error_message=HOSTILE, input={"text": HOSTILE})
    frames = [Image.new("RGB", (50, 50), color) for color in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    moving = studio.keep(buffer.getvalue(), "gif", "image/gif")
    studio.task("video", "inbox/p0.png", files=(ResultFile(moving),))
    studio.task("describe", "inbox/p0.png", output={"subject": "a red thing", "score": 0.9})
    return studio.build(run=studio.run(steps=("white", "looks", "video", "describe")))


def card(page, label: str):
    return page.get_by_role("button", name=label, exact=False).first


def to_pictures(page) -> None:
    page.locator("#pictures").evaluate("element => element.scrollIntoView()")
    page.locator(".shot").first.wait_for()


def natural_width(image) -> int:
    image.evaluate("image => image.decode()")
    return image.evaluate("image => image.naturalWidth")


def test_failures_come_first_with_the_command_that_retries_them(open_page, gallery):
    page = open_page(gallery)
    failures = page.locator("#failures")
    assert "no subject found" in failures.inner_text()
    assert "speedpix-pipe runs redo 01JABC --failed" in failures.inner_text()
    failures.get_by_role("button", name="inbox/bad.png").click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("white, inbox/bad.png")


def test_hostile_names_are_shown_and_do_nothing(open_page, gallery):
    page = open_page(gallery)
    assert HOSTILE in page.locator("#failures").inner_text()
    page.get_by_role("searchbox").fill("onerror")
    page.locator("#shown", has_text="1 of").wait_for()
    page.locator(".row:visible .shot").first.click()
    assert HOSTILE in page.locator("#viewer").inner_text()
    assert page.title() == "product-shots · run 01JABC"
    assert page.locator("img[src=x]").count() == 0


def test_each_row_has_the_input_beside_what_was_made_of_it(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    row = page.locator(".row", has=page.get_by_role("heading", name="inbox/p1.png"))
    assert row.locator("h4").all_inner_texts() == ["Input", "white", "looks"]
    assert row.locator(".shot img").count() == 4
    assert [natural_width(image) for image in row.locator(".shot img").all()] == [60, 61, 62, 62]
    assert row.locator(".chip").all_inner_texts() == ["studio", "beach"]


def test_full_files_open_in_the_viewer(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "white, inbox/壶 #1?.png").click()
    image = page.locator(".sheet img")
    page.locator('.sheet img[src^="file:"]').wait_for()
    assert natural_width(image) == 61
    assert page.locator("#pixels").inner_text() == "61 × 40"
    href = page.get_by_role("link", name="Open the file").get_attribute("href")
    assert href == "./../../out/%E5%A3%B6%20%231%3F.png"


def test_the_viewer_tells_parameters_key_and_lineage(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "looks, inbox/p1.png, beach").click()
    about = page.locator(".about")
    assert "looks@inbox/p1.png,look=beach" in about.inner_text()
    assert "beach light" in about.inner_text()
    assert about.locator(".line .cap").all_inner_texts() == ["Input", "white", "looks · beach"]
    about.locator(".line button").nth(1).click()
    assert page.locator("#viewer-title").inner_text() == "white · inbox/p1.png"
    assert len(page.locator(".about .line button").all()) == 4  # both looks are made of it


def test_the_slider_moves_between_before_and_after(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "white, inbox/p2.png").click()
    page.keyboard.press("c")
    before = page.locator(".sheet .before")
    assert "50%" in before.evaluate("image => image.style.clipPath")
    page.get_by_role("slider").fill("20")
    assert "80%" in before.evaluate("image => image.style.clipPath")
    box = page.locator(".sheet").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert float(page.get_by_role("slider").input_value()) == pytest.approx(75, abs=1)


def test_the_wheel_zooms_and_zero_fits_again(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "white, inbox/p2.png").click()
    scale = "sheet => new DOMMatrix(getComputedStyle(sheet).transform).a"
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(50)
    assert page.locator(".sheet").evaluate(scale) > 2
    page.keyboard.press("0")
    assert page.locator(".sheet").evaluate(scale) == 1


def test_keys_walk_through_pictures_and_items(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "white, inbox/p1.png").focus()
    page.keyboard.press("ArrowRight")
    assert "looks, inbox/p1.png, studio" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("ArrowDown")
    assert "looks, inbox/p2.png, studio" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    title = page.locator("#viewer-title")
    assert title.inner_text() == "looks · inbox/p2.png"
    page.keyboard.press("ArrowRight")
    assert "beach" in page.locator(".about").inner_text()
    page.keyboard.press("ArrowDown")
    assert title.inner_text() == "looks · inbox/p3.png"
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    assert "looks, inbox/p3.png, beach" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_filters_narrow_rows_and_pictures(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    shown = page.locator("#shown")
    assert shown.inner_text() == "8 of 8 items"
    page.get_by_label("look", exact=True).select_option("beach")
    page.locator("#shown", has_text="5 of 8").wait_for()
    assert page.locator(".card[data-card]:visible .chip").first.inner_text() == "beach"
    page.get_by_role("button", name="Show all").click()
    page.locator("#shown", has_text="8 of 8").wait_for()
    page.get_by_label("Status", exact=True).select_option("failed")
    page.locator("#shown", has_text="2 of 8").wait_for()
    page.get_by_label("Status", exact=True).select_option("")
    page.get_by_role("searchbox").fill("a red thing")
    page.locator("#shown", has_text="1 of 8").wait_for()
    page.get_by_role("searchbox").fill("nowhere to be found")
    page.get_by_text("Nothing fits these filters.").wait_for()
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Step", exact=True).select_option(label="video")
    page.locator("#shown", has_text="1 of 8").wait_for()


def test_marks_become_a_list_for_redo_and_are_remembered(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "white, inbox/p1.png").focus()
    page.keyboard.press("x")
    card(page, "white, inbox/p2.png").focus()
    page.keyboard.press("p")
    page.get_by_role("button", name="Reject: looks@inbox/p3.png,look=beach").focus()
    page.keyboard.press("Enter")
    assert "redo 01JABC --from-file rejected-01JABC.txt" in page.locator("#marks").inner_text()
    with page.expect_download() as download:
        page.locator('[data-save="rejected"]').click()
    assert download.value.suggested_filename == "rejected-01JABC.txt"
    assert download.value.path().read_text("utf-8") == "white@inbox/p1.png\nlooks@inbox/p3.png,look=beach\n"
    page.reload()
    assert "2 rejected" in page.locator("#marks").inner_text()
    page.get_by_role("button", name="Clear marks").click()
    assert not page.locator("#marks").is_visible()


def test_text_results_and_animations_are_shown(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "describe, inbox/p0.png").click()
    assert '"subject": "a red thing"' in page.locator(".sheet").inner_text()
    page.keyboard.press("ArrowLeft")
    page.locator('.sheet img[src^="file:"]').wait_for()
    assert natural_width(page.locator(".sheet img")) == 50


@pytest.mark.parametrize(("scheme", "toggled"), [("light", "dark"), ("dark", "light")])
def test_light_and_dark_follow_the_system_and_the_switch(open_page, gallery, scheme, toggled):
    page = open_page(gallery, color_scheme=scheme)
    brightness = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"

    def becomes(wanted):  # colours may take a moment to fade
        page.wait_for_function(f"({brightness} > 128) === {'true' if wanted == 'light' else 'false'}")

    becomes(scheme)
    page.get_by_role("button", name="Light or dark").click()
    becomes(toggled)
    page.reload()
    becomes(toggled)


def test_on_a_phone_nothing_hangs_over_the_side(open_page, gallery):
    page = open_page(gallery, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    to_pictures(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".shot[data-task]").first.tap()
    assert page.locator("#viewer-title").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_thousand_items_open_in_two_seconds(open_page, studio):
    buffer = io.BytesIO()
    Image.effect_noise((192, 150), 60).convert("RGB").save(buffer, "WEBP", quality=60)
    for number in range(2000):
        studio.task("white", f"inbox/{number:04}.jpg", files=(ResultFile(studio.keep(str(number).encode())),))
    report = studio.build(thumbnail=lambda path, edge: Thumbnail(buffer.getvalue(), 800, 600))
    began = time.monotonic()
    page = open_page(report)
    to_pictures(page)
    page.locator(".shot img").first.wait_for()
    opened = time.monotonic() - began
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.locator(".row", has_text="1999").locator(".shot img").wait_for()
    assert page.locator(".shot").count() < 200  # only what was near the screen was made
    assert opened < 6  # two seconds on a quiet machine
