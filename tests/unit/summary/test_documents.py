"""docs/events.md and docs/settings.md name all there is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from speedpix_pipe import settings
from speedpix_pipe.events import Event

DOCS = Path(__file__).parents[3] / "docs"
COMMON = {"run_id", "seq", "at", "step", "key"}


@pytest.mark.parametrize("event", get_args(Event), ids=lambda event: event.__name__)
def test_every_event_and_field_is_documented(event):
    line = next(
        line
        for line in (DOCS / "events.md").read_text("utf-8").splitlines()
        if line.startswith(f"| `{event.__name__}`")
    )
    words = set(re.findall(r"\w+", line))
    assert {field.name for field in fields(event)} - COMMON <= words


def test_every_variable_is_documented():
    source = Path(settings.__file__).read_text("utf-8")
    names = set(re.findall(r'"(SPEEDPIX_[A-Z_]+|NO_COLOR|COLUMNS|LANG|LC_\w+|TERM)"', source))
    text = (DOCS / "settings.md").read_text("utf-8")
    assert names
    assert not {name for name in names if f"`{name}" not in text}
