"""One frame of the live view, at several sizes."""

from __future__ import annotations

import re

import pytest

from speedpix_pipe.console.base import Ink, cell_width
from speedpix_pipe.console.frame import draw_frame
from speedpix_pipe.events import ItemFound


def frame(story, width=79, height=22, *, color=False, **rest) -> list[str]:
    return draw_frame(story.tally, width=width, height=height, elapsed_seconds=83, ink=Ink(color), **rest)


@pytest.fixture
def busy(story):
    story.begin(*(f"step_{number}" for number in range(60)))
    for step in ("step_0", "step_1", "step_40"):
        story.find(step, 30)
    for number in range(30):
        story.work("step_0", number, fail="too large" if number % 10 == 9 else "")
    for number in range(10):
        story.work("step_1", number)
    for number in range(10, 14):
        story.start("step_1", number)
    story.start("step_40", 0)
    return story


@pytest.mark.parametrize(("width", "height"), [(20, 3), (29, 6), (79, 22), (119, 40), (199, 48)])
def test_a_frame_never_exceeds_its_size(busy, width, height):
    lines = frame(busy, width, height)
    assert len(lines) <= height
    assert all(cell_width(line) <= width for line in lines)


def test_active_steps_are_shown_first_and_the_rest_is_told(busy):
    text = "\n".join(frame(busy, 79, 12))
    assert "step_40" in text
    assert "step_1 " in text
    assert "more steps: " in text
    assert "waiting" in text


def test_all_steps_are_shown_where_they_fit(busy):
    text = "\n".join(frame(busy, 199, 80))
    assert "step_59" in text
    assert "more step" not in text


def test_a_row_says_done_running_failed_left_and_time(story):
    story.begin("white")
    story.find("white", 20)
    for number in range(10):
        story.work("white", number, fail="no" if number == 3 else "")
    story.start("white", 10)
    row = frame(story)[1]
    assert re.fullmatch(r"white ━+x╌─+ +10/20  1 failed · 1 running +~2 s", row), row


def test_a_finished_step_has_a_full_bar(story):
    story.begin("white")
    story.find("white", 3)
    for number in range(3):
        story.work("white", number)
    assert "─" not in frame(story)[1]


def test_the_last_failures_are_in_sight(busy):
    assert any("failed step_0@inbox/鞋29.jpg: too large" in line for line in frame(busy))


def test_without_colour_no_escape_is_written(busy):
    assert not any("\x1b" in line for line in frame(busy))
    assert any("\x1b[32m" in line for line in frame(busy, color=True))


def test_without_unicode_the_bars_are_ascii(story):
    story.begin("white")
    story.tell(ItemFound, step="white", key="a")
    assert "\n".join(frame(story, unicode=False)).isascii()


def test_before_the_first_event_there_is_a_frame_too(story):
    assert frame(story)[0].startswith("run")
