"""A real Chromium, and a page that fails its test when its console is not clean.

Without a Chromium these tests are skipped; with SPEEDPIX_REQUIRE_BROWSER=1 they fail instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
UNIT_CONFTEST = Path(__file__).parents[1] / "unit" / "report" / "conftest.py"


def _missing(what: str) -> None:
    if os.environ.get("SPEEDPIX_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{what}, and SPEEDPIX_REQUIRE_BROWSER=1 asks for it")
    pytest.skip(f"{what}; install Debian's chromium and pip's playwright to run these tests")


@pytest.fixture(scope="module")  # its event loop would be in the way of tests elsewhere in the process
def chromium():
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        _missing("no Chromium is installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens a file in a fresh browser profile. Errors on the console and requests to elsewhere fail the test."""
    contexts, complaints = [], []

    def open_file(path: Path, **options):
        options = {"viewport": {"width": 1280, "height": 900}} | options
        context = chromium.new_context(accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)  # a busy machine is no failure
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:", "blob:")) else complaints.append(request.url)
            ),
        )
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def studio(tmp_path):
    """The same little studio that the unit tests of the report use."""
    found = importlib.util.spec_from_file_location("report_conftest", UNIT_CONFTEST)
    module = importlib.util.module_from_spec(found)
    sys.modules.setdefault("report_conftest", module)  # dataclasses look their module up
    found.loader.exec_module(module)
    return module.Studio(tmp_path)
