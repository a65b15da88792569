"""Cells, clipping, durations, money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.console.base import cell_width, clip, clip_middle, duration, money, pad, plural, printable, wrap


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


# --- lines ---


@given(st.lists(st.text("abc阿里云。，", min_size=1, max_size=12), max_size=30), st.integers(12, 40), st.integers(0, 4))
def test_wrapped_lines_fit_and_lose_nothing(words, cells, indent):
    text = " ".join(words)
    lines = wrap(text, cells, indent=indent)
    assert "".join(line.strip() for line in lines).replace(" ", "") == text.replace(" ", "")
    for number, line in enumerate(lines):
        assert line.startswith(" " * indent) or number == 0
        longest = max(map(cell_width, line.split()), default=0)
        assert cell_width(line) <= max(cells, indent + longest)


def test_lines_break_between_words_and_chinese_signs_but_not_before_a_full_stop():
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("阿里云的工作流。", 8) == ["阿里云的", "工作流。"]
    assert wrap("阿里云的。", 8) == ["阿里云", "的。"]
    assert wrap("a very-long-path/that/is/copied here", 10, indent=2) == [
        "a",
        "  very-long-path/that/is/copied",
        "  here",
    ]
    assert wrap("2\u00a0failed, 1\u00a0unknown", 12) == ["2 failed,", "1 unknown"]
    assert wrap("", 10) == [""]


def test_ink_takes_no_room():
    assert wrap("\x1b[31mred\x1b[0m and more", 12) == ["\x1b[31mred\x1b[0m and more"]


def test_too_many_lines_end_in_an_ellipsis():
    assert wrap("one two three four", 5, most=2) == ["one", "two …"]
