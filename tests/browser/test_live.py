"""The live page in a real Chromium: pictures land, counts move, steps filter, a run is cancelled, the console is clean."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.emulator.webm import webm
from speedpix_pipe.events import ItemFound, PredictionCreated, TaskStarted, TaskSucceeded, TaskUnknown
from speedpix_pipe.ui.routes import Acts, Again
from speedpix_pipe.ui.server import LivePage

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "</script><img src=x onerror=document.title='owned'>.jpg"


@pytest.fixture
def helpers():
    path = Path(__file__).parents[1] / "unit" / "ui" / "conftest.py"
    found = importlib.util.spec_from_file_location("live_conftest", path)
    module = importlib.util.module_from_spec(found)
    sys.modules.setdefault("live_conftest", module)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def shop(helpers, tmp_path):
    made = helpers.Studio(tmp_path / ".speedpix")
    made.begin()
    yield made
    made.store.close()


@pytest.fixture
def acts():
    return []


@pytest.fixture
def live(shop, acts):
    done = Acts(
        cancel=lambda run: acts.append(("cancel", run)),
        redo=lambda run, wanted: acts.append(("redo", run, wanted)),
    )
    with LivePage(shop.folder, done) as page:
        yield page


@pytest.fixture
def visit(chromium, live):
    """Opens the page by its link. Errors on the console, and requests to elsewhere, fail the test."""
    contexts, complaints = [], []

    def go(*, link=None, **options):
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)  # a busy machine is no failure
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda sent: None if sent.url.startswith(("http://127.0.0.1:", "data:")) else complaints.append(sent.url),
        )
        page.goto(link or live.link)
        page.locator("#shown").wait_for()
        return page

    yield go
    for context in contexts:
        context.close()
    assert complaints == []


def fill(shop):
    for number in range(3):
        shop.task("white", f"in/cup-{number}.jpg")
    shop.task("looks", "in/cup-0.jpg,look=beach")
    shop.task("looks", HOSTILE, ends="failed", message=HOSTILE)
    shop.task("looks", "in/cup-2.jpg,look=beach", ends="running")
    shop.flush()


def test_a_run_is_shown_with_its_graph_counts_and_pictures(shop, visit, live):
    fill(shop)
    page = visit()
    assert page.url == f"{live.url}#{page.locator('#byline').inner_text().split(' ')[0]}"
    page.locator("#pictures img").nth(3).wait_for()
    assert page.locator("#counts").inner_text().startswith("5 of 6 done")
    assert page.get_by_role("button", name="white: 3 of 3 done").is_visible()
    assert page.locator(".lines path").count() == 2
    page.locator("#pictures img").first.evaluate("image => image.decode()")
    assert page.locator("#failures").inner_text().count(HOSTILE) == 2  # the reason, and the task
    assert page.title() == "speedpix-pipe, live"


def test_pictures_land_and_counts_move_while_one_looks(shop, visit):
    page = visit()
    page.get_by_text("No picture yet.").wait_for()
    for number in range(3):
        shop.task("white", f"in/vase-{number}.jpg")
        shop.flush()
        page.locator("#pictures li").nth(number).wait_for()
    assert page.locator("#pictures li").first.inner_text().startswith("vase-2.jpg")
    page.get_by_text("3 of 3 done").first.wait_for()


def listed(page):
    """Waits until the list of tasks is what was asked for last, and gives it."""
    page.locator("#tasks[aria-busy=false]").wait_for()
    return page.locator("#tasks li")


def test_a_step_and_the_filters_narrow_what_is_shown(shop, visit):
    fill(shop)
    page = visit()
    assert listed(page).count() == 6
    page.get_by_role("button", name="looks:").click()
    assert listed(page).count() == 3
    page.locator("#pictures li:only-child").wait_for()
    page.get_by_label("Status").select_option("running")
    assert listed(page).count() == 1
    assert "cup-2.jpg" in page.locator("#tasks").inner_text()
    page.get_by_role("button", name="Every step").click()
    page.get_by_label("Status").select_option("")
    page.get_by_label("Search keys").fill("CUP-1")
    page.locator("#tasks li:only-child").get_by_text("white@in/cup-1.jpg").wait_for()


def test_a_click_survives_that_the_list_is_renewed_under_it(shop, visit):
    fill(shop)
    page = visit()
    row = listed(page).filter(has_text="looks@in/cup-2.jpg").get_by_role("button")
    row.scroll_into_view_if_needed()
    row.hover()
    page.mouse.down()
    shop.task("white", "in/cup-9.jpg")
    shop.flush()
    listed(page).nth(6).wait_for()
    page.mouse.up()
    page.get_by_role("dialog", name="looks@in/cup-2.jpg").wait_for()


def test_what_is_told_covers_nothing_that_can_be_clicked(shop, visit):
    fill(shop)
    page = visit()
    page.get_by_role("button", name="Cancel this run").click()
    page.get_by_role("button", name="Stop it").click()
    toast = page.locator("#toast:visible")
    toast.wait_for()
    over = toast.evaluate(
        "toast => { const box = toast.getBoundingClientRect();"
        " return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).closest('#toast') === null }"
    )
    assert over


def test_a_task_tells_its_log_and_shows_its_picture(shop, visit):
    fill(shop)
    page = visit()
    listed(page).first.get_by_role("button").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="white@in/cup-0.jpg")
    dialog.locator(".log li", has_text="succeeded").wait_for()
    dialog.get_by_role("img").evaluate("image => image.decode()")
    assert "Signature" not in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def test_cancel_asks_first_and_redo_is_one_click(shop, visit, acts, helpers):
    fill(shop)
    page = visit()
    page.get_by_role("button", name="Cancel this run").click()
    page.get_by_role("button", name="Let it run").click()
    assert acts == []
    page.get_by_role("button", name="Cancel this run").click()
    page.get_by_role("button", name="Stop it").click()
    page.locator("#toast").get_by_text("It was asked to stop.").wait_for()
    listed(page).first.click()
    page.get_by_role("dialog").get_by_role("img").first.evaluate(
        "image => image.decode()"
    )  # then nothing moves any more
    page.get_by_role("button", name="Make it again").click()
    page.get_by_text("A new run is making it again.").wait_for()
    assert acts == [("cancel", helpers.RUN), ("redo", helpers.RUN, Again(("white@in/cup-0.jpg",)))]


def test_another_seed_is_one_click_where_the_service_made_it(shop, visit, acts, helpers):
    shop.task("white", "in/cup.jpg")
    shop.emit(PredictionCreated, step="white", key="in/cup.jpg", submission=1, prediction_id="p1")
    shop.task("sheet", "")
    shop.flush()
    page = visit()
    listed(page).filter(has_text="white@").click()
    page.get_by_role("button", name="Make it again with a new seed").click()
    page.get_by_text("A new run is making it again.").wait_for()
    assert acts == [("redo", helpers.RUN, Again(("white@in/cup.jpg",), new_seed=True))]
    listed(page).filter(has_text="sheet@").click()
    page.get_by_role("dialog").get_by_text("Log").wait_for()
    assert page.get_by_role("button", name="new seed").count() == 0


def test_what_failed_is_tried_again_once_the_run_is_over(shop, visit, acts, helpers):
    fill(shop)
    page = visit()
    page.locator("#failures").wait_for()
    again = page.get_by_role("button", name="Try what failed again")
    assert not again.is_visible()  # its spec is locked
    shop.finish()
    again.click()
    page.get_by_text("A new run is making it again.").wait_for()
    assert acts == [("redo", helpers.RUN, Again(failed=True))]
    assert f"speedpix-pipe report {helpers.RUN} --open" in page.locator("#gallery").inner_text()


def test_doubt_is_no_failure(shop, visit):
    shop.emit(ItemFound, step="white", key="in/cup.jpg", item="in/cup.jpg")
    shop.emit(TaskUnknown, step="white", key="in/cup.jpg", message="never answered", fingerprint="f", submission=1)
    shop.flush()
    page = visit()
    page.locator("#failed .st-unknown", has_text="unknown").wait_for()
    assert page.get_by_role("button", name="white:").inner_text().endswith("1 unknown")


def test_a_few_pictures_are_shown_until_somebody_wants_more(shop, visit):
    for number in range(30):
        shop.task("white", f"in/{number}.jpg")
    shop.flush()
    page = visit()
    page.locator("#pictures li").nth(23).wait_for()
    assert page.locator("#pictures li").count() == 24
    page.locator("#more-pictures").click()
    page.locator("#pictures li").nth(29).wait_for()
    assert not page.locator("#more-pictures").is_visible()


def test_a_film_shows_its_first_frame_and_plays(shop, visit):
    frames = [Image.new("RGB", (64, 48), color) for color in ("red", "green", "blue") * 4]
    film = shop.keep(webm(frames, frames_per_second=10), "video/webm", "webm")
    shop.task("white", "in/cup.jpg", file=film)
    shop.flush()
    page = visit()
    page.locator("#pictures video").wait_for()
    page.wait_for_function("() => document.querySelector('#pictures video').videoWidth === 64")
    page.locator("#pictures button").click()
    large = page.locator("#task video")
    large.evaluate("film => { film.muted = true; return film.play(); }")
    page.wait_for_function("() => document.querySelector('#task video').currentTime > 0.1")


def test_who_came_without_the_link_may_look_only(shop, visit, live):
    fill(shop)
    page = visit(link=live.url)
    page.get_by_text("open the whole link").wait_for()
    assert page.get_by_role("button", name="Cancel this run").count() == 0


def test_it_speaks_chinese(shop, visit):
    fill(shop)
    with LivePage(shop.folder, Acts(cancel=lambda run: None), language="zh") as chinese:
        page = visit(link=chinese.link)
        assert page.locator("html").get_attribute("lang") == "zh"
        page.get_by_text("已完成 5 / 6").first.wait_for()
        page.context.close()


@pytest.mark.parametrize("width", [360, 768])
def test_on_a_phone_nothing_hangs_over_the_side(shop, visit, width):
    fill(shop)
    page = visit(viewport={"width": width, "height": 780})
    page.locator("#pictures img").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_hundred_thousand_tasks_keep_it_quick(shop, visit, helpers):
    for number in range(100_000):
        shop.seq += 3
        fields = {"run_id": helpers.RUN, "at": shop.at, "step": "white", "key": f"in/{number:06}.jpg"}
        for kind, more in ((ItemFound, {}), (TaskStarted, {}), (TaskSucceeded, {"seconds": 1.0})):
            shop.seq += 1
            shop.store.journal.record(kind(seq=shop.seq, **fields, **more))
    shop.flush()
    began = time.monotonic()
    page = visit()
    page.get_by_text("100,000 of 100,000 done").first.wait_for()
    assert time.monotonic() - began < 30
    began = time.monotonic()
    page.get_by_label("Search keys").fill("099999")
    page.locator("#tasks li:only-child").wait_for()
    assert time.monotonic() - began < 30
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
