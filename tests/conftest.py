"""What every test gets: a clean home and environment, and `--update-golden` to renew expected texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_OWN = ("SPEEDPIX_", "XDG_", "NO_COLOR", "FORCE_COLOR", "CLICOLOR")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write expected texts anew instead of comparing")


@pytest.fixture(autouse=True)
def clean_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No setting, credential or cache of whoever runs the tests reaches them."""
    import os

    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_OWN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "UTC")
    return home


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with a file, or writes the file under `--update-golden`."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path.name} is missing; run the test with --update-golden and read what it wrote"
        assert text == path.read_text(encoding="utf-8")

    return compare
