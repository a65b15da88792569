"""Cells, clipping, durations, money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.console.base import cell_width, clip, clip_middle, duration, money, pad, plural, printable


@given(st.text(), st.integers(0, 40))
def test_a_clipped_text_fits(text, cells):
    shown = printable(text)
    assert cell_width(clip(shown, cells)) <= cells
    if cells > 2:
        assert cell_width(clip_middle(shown, cells)) <= cells
    assert cell_width(pad(clip(shown, cells), cells)) == cells


@given(st.text())
def test_nothing_printable_steers_a_terminal(text):
    assert not any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in printable(text))


def test_widths():
    assert cell_width("阿里云") == 6
    assert cell_width("e\u0301") == 1
    assert clip("阿里云", 5) == "阿里…"
    assert clip_middle("inbox/a-very-long-name.jpg", 13) == "inbox…ame.jpg"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.96, "10 s"), (59.6, "1m 00s"), (125, "2m 05s"), (3725, "1h 02m"), (90000, "1d 01h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("amount", "text"), [(0, "0.00"), (1234.5, "1,234.50"), (0.12, "0.12"), (0.0035, "0.0035")])
def test_money(amount, text):
    assert money(amount) == text


def test_plurals():
    assert (plural(1, "task"), plural(2, "task"), plural(2, "entry", "entries")) == ("1 task", "2 tasks", "2 entries")
