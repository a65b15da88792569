"""The gallery in a real Chromium: opened, clicked, filtered, marked, compared."""

from __future__ import annotations

import io
import json
import time

import pytest
from PIL import Image

from speedpix_pipe.emulator.webm import webm
from speedpix_pipe.files.content import sniff
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
    # The browser tells the page a moment later that the viewer is closed.
    page.locator("[aria-label*='looks, inbox/p3.png, beach']:focus").wait_for()
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


# Reads the real one at once: the first storage that a page reads is the one that may seem empty.
LOCAL_STORAGE = """(() => {
  localStorage.getItem("");
  Object.defineProperty(window, "localStorage", {
    value: { getItem: (name) => JSON.parse(window.name)[name] ?? null, setItem: () => {} } });
})()"""


def test_marks_of_two_storages_the_newer_count(open_page, gallery):
    """Chromium on a busy machine may show a page that was just loaded an empty localStorage."""
    page = open_page(gallery)
    name, counts = "speedpix-marks-01JABC", page.locator("#marks strong")
    to_pictures(page)
    card(page, "white, inbox/p1.png").focus()
    page.keyboard.press("x")
    written = page.evaluate("(name) => [localStorage.getItem(name), sessionStorage.getItem(name)]", name)
    assert written[0] == written[1]
    at, _, marked = written[0].partition(" ")
    assert json.loads(marked) == {"white@inbox/p1.png": "rejected"}
    page.add_init_script(LOCAL_STORAGE)
    for local, expected in (
        ({}, "1 rejected"),  # as that Chromium shows it
        ({name: marked}, "1 rejected"),  # without a time: older than all
        ({name: f"{int(at) - 1} {{}}"}, "1 rejected"),
        ({name: at + '0 {"white@inbox/p2.png": "picked"}'}, "1 picked"),  # of another tab
    ):
        page.evaluate("(local) => { window.name = local; }", json.dumps(local))
        page.reload()
        counts.filter(has_text=expected).wait_for()
    to_pictures(page)
    card(page, "white, inbox/p2.png").focus()
    page.keyboard.press("x")  # newer than the other tab's, even where its clock is ahead of ours
    page.reload()
    counts.filter(has_text="1 rejected").wait_for()


def test_marks_become_a_list_for_redo_and_are_remembered(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "white, inbox/p1.png").focus()
    page.keyboard.press("x")
    card(page, "white, inbox/p2.png").focus()
    page.keyboard.press("p")
    page.get_by_role("button", name="Reject: looks@inbox/p3.png,look=beach").focus()
    page.keyboard.press("Enter")
    told = page.locator("#marks").inner_text()
    assert "speedpix-pipe runs redo 01JABC white@inbox/p1.png looks@inbox/p3.png,look=beach\n" in told
    with page.expect_download() as download:
        page.locator('[data-save="rejected"]').click()
    assert download.value.suggested_filename == "rejected-01JABC.txt"
    assert download.value.path().read_text("utf-8") == "white@inbox/p1.png\nlooks@inbox/p3.png,look=beach\n"
    page.reload()
    page.locator("#marks").filter(has_text="2 rejected").wait_for()
    page.get_by_role("button", name="Clear marks").click()
    assert not page.locator("#marks").is_visible()


def test_a_new_seed_is_asked_for_item_by_item(open_page, studio):
    for number in range(3):
        studio.task("draw", f"it's {number}", prediction_id=f"p{number}")
    studio.task("sheet", "")
    page = open_page(studio.build(run=studio.run(steps=("draw", "sheet"))))
    to_pictures(page)
    assert page.get_by_role("button", name="New seed: sheet@").count() == 0  # made on this machine, without a seed
    card(page, "draw, it's 0").focus()
    page.keyboard.press("n")
    card(page, "draw, it's 1").focus()
    page.keyboard.press("x")
    told = page.locator("#marks").inner_text()
    assert "2 rejected" in told
    assert "1 of them with a new seed" in told
    assert "redo 01JABC 'new-seed: draw@it'\\''s 0' 'draw@it'\\''s 1'" in told
    with page.expect_download() as download:
        page.locator('[data-save="rejected"]').click()
    assert download.value.path().read_text("utf-8") == "new-seed: draw@it's 0\ndraw@it's 1\n"
    page.get_by_label("Marks", exact=True).and_(page.locator("select")).select_option("reseed")
    page.locator("#shown", has_text="1 of 3").wait_for()


def test_many_marks_go_through_the_list(open_page, studio):
    for number in range(30):
        studio.task("draw", f"a rather long name of an item {number:02}.jpg")
    page = open_page(studio.build(run=studio.run(steps=("draw",))))
    page.evaluate("for (const button of document.querySelectorAll('[data-mark=rejected]')) button.click()")
    for row in page.locator(".row").all():
        row.scroll_into_view_if_needed()
        row.locator("[data-mark=rejected]").wait_for(state="attached")
    page.evaluate("for (const b of document.querySelectorAll('[data-mark=rejected][aria-pressed=false]')) b.click()")
    told = page.locator("#marks").inner_text()
    assert "30 rejected" in told
    assert "redo 01JABC --from-file rejected-01JABC.txt" in told


def test_steps_and_times_stay_as_the_reader_left_them(open_page, gallery):
    page = open_page(gallery)
    assert page.locator("#steps .times svg rect").count() >= 2
    page.locator("#figures summary").click()
    page.locator("#steps").wait_for(state="hidden")
    page.reload()
    page.locator("#shown", has_text="8 of 8").wait_for()
    assert not page.locator("#steps").is_visible()
    page.locator("#figures summary").click()
    page.locator("#timeline canvas").wait_for()


def test_text_results_and_animations_are_shown(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    card(page, "describe, inbox/p0.png").click()
    assert '"subject": "a red thing"' in page.locator(".sheet").inner_text()
    page.keyboard.press("ArrowLeft")
    page.locator('.sheet img[src^="file:"]').wait_for()
    assert natural_width(page.locator(".sheet img")) == 50


# What a browser can record by itself: the one way to an MP4 that needs no encoder of ours
RECORD = """async (kind) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 64 }), pen = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: kind });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const ended = new Promise((done) => { recorder.onstop = done; });
  recorder.start();
  for (let frame = 0; frame < 20; frame += 1) {
    pen.fillStyle = `hsl(${frame * 18} 90% 50%)`;
    pen.fillRect(0, 0, 96, 64);
    await new Promise((done) => setTimeout(done, 40));
  }
  recorder.stop();
  await ended;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return Array.from(bytes);
}"""
PLAYS = "film => film.currentTime > 0.05 && film.videoWidth === %d && !film.error"


def film_of(kind, chromium):
    """A real film, its width, media type and extension."""
    if kind == "emulator's webm":
        frames = [Image.new("RGB", (80, 60), color) for color in ("red", "orange", "green", "blue") * 4]
        return webm(frames, frames_per_second=10), 80, "video/webm", "webm"
    page = chromium.new_page()
    page.goto("about:blank")
    content = bytes(page.evaluate(RECORD, kind))
    page.close()
    extension = kind.partition("/")[2].partition(";")[0]
    return content, 96, f"video/{extension}", extension


@pytest.mark.parametrize("kind", ["emulator's webm", "video/webm;codecs=vp9", "video/mp4;codecs=avc1.42E01E"])
def test_films_play_under_the_pointer_and_in_the_viewer(open_page, studio, chromium, kind):
    content, width, media_type, extension = film_of(kind, chromium)
    assert sniff(content) == (media_type, extension)
    source = studio.given("inbox/a.png", studio.picture("red"))
    film = studio.keep(content, extension, media_type)
    studio.task("film", "inbox/a.png", input_files=(source,), files=(ResultFile(film),))
    page = open_page(studio.build(run=studio.run(steps=("film",))))
    to_pictures(page)
    small = page.locator(".shot video")
    page.wait_for_function("() => document.querySelector('.shot video').videoWidth > 0")  # its first frame is there
    assert small.evaluate("film => film.paused")
    small.hover()
    page.wait_for_function(f"() => ({PLAYS % width})(document.querySelector('.shot video'))")
    page.mouse.move(2, 2)
    page.wait_for_function("() => document.querySelector('.shot video').paused")
    small.click()
    page.wait_for_function(f"() => ({PLAYS % width})(document.querySelector('.sheet video'))")
    page.keyboard.press("c")
    page.locator(".sheet .before").wait_for()


def test_an_animation_moves_under_the_pointer_only(open_page, gallery):
    page = open_page(gallery)
    to_pictures(page)
    shot = card(page, "video, inbox/p0.png")
    still = shot.locator("img").get_attribute("src")
    shot.hover()
    assert shot.locator("img").get_attribute("src").startswith("./")  # the full file
    page.mouse.move(2, 2)
    assert shot.locator("img").get_attribute("src") == still


@pytest.mark.parametrize(("scheme", "toggled"), [("light", "dark"), ("dark", "light")])
def test_light_and_dark_follow_the_system_and_the_switch(open_page, gallery, scheme, toggled):
    page = open_page(gallery, color_scheme=scheme)
    brightness = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"

    def becomes(wanted):  # colours may take a moment to fade
        page.wait_for_function(f"() => ({brightness} > 128) === {'true' if wanted == 'light' else 'false'}")

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
    assert opened < 30  # two seconds on a quiet machine
