"""axe's automatic checks on both pages, light and dark, at rest and with their dialogs open."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from speedpix_pipe.model import TaskStatus
from speedpix_pipe.ui.routes import Acts
from speedpix_pipe.ui.server import LivePage

from .test_live import fill, helpers, shop  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def visit(chromium):
    """axe is injected as a script, which our policy forbids: it is set aside for these tests alone."""
    contexts = []

    def go(address, scheme, width=1280):
        context = chromium.new_context(
            bypass_csp=True, color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(address)
        return page

    yield go
    for context in contexts:
        context.close()


def complaints(page):
    found = Axe().run(page).response["violations"]
    return [(one["id"], node["html"][:160], node["failureSummary"]) for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_live_page_has_nothing_that_axe_finds_wrong(shop, visit, scheme, width):  # noqa: F811 - fixtures
    fill(shop)
    with LivePage(shop.folder, Acts(cancel=lambda run: None, redo=lambda run, wanted: None)) as live:
        page = visit(live.link, scheme, width)
        page.locator("#pictures img").nth(2).wait_for()
        page.locator("#tasks button").first.wait_for()
        assert complaints(page) == []
        page.locator("#tasks button").first.click()
        page.locator("#task[open]").wait_for()
        assert complaints(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Cancel this run").click()
        assert complaints(page) == []
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_gallery_has_nothing_that_axe_finds_wrong(studio, visit, scheme, width):
    for number, color in enumerate(["red", "green"]):
        studio.product(f"p{number}.png", color)
    studio.task("white", "bad.png", TaskStatus.FAILED, error_kind="task", error_message="no subject found")
    page = visit(studio.build(run=studio.run(resumable=True)).as_uri(), scheme, width)
    page.locator(".shot").first.wait_for()
    assert complaints(page) == []
    page.locator(".shot").first.click()
    page.locator("#viewer[open]").wait_for()
    assert complaints(page) == []
