"""The terminal in Chinese: nothing of ours stays English, and lines are as wide as the terminal shows them."""

from __future__ import annotations

import re

import pytest

from speedpix_pipe.console.base import Ink, cell_width
from speedpix_pipe.console.closing import render_closing
from speedpix_pipe.console.frame import draw_frame
from speedpix_pipe.console.logs import PlainLines
from speedpix_pipe.console.problems import render_error, render_problems
from speedpix_pipe.errors import Problem, Severity, UsageError
from speedpix_pipe.events import RunFinished, TaskUnknown, Warned
from speedpix_pipe.model import RunStatus

GIVEN = re.compile(
    r"product-shots|speedpix-pipe.*|01JABC|white|looks|local|shots.yaml|inbox\S*|no answer|answer|gateway|xx+|warned|gone|Ctrl-C|task"
)


def ours(text):
    """What is left when names, commands and units are taken away."""
    return set(re.findall(r"[A-Za-z]{2,}", GIVEN.sub("", text)))


@pytest.fixture
def told(story):
    """A run with a failure, an unknown submission and a warning; the lines that were written meanwhile."""
    lines = []
    story.subscribers.append(PlainLines(story.tally, lines.append, language="zh"))
    story.begin("white", "looks")
    story.find("white", 4)
    story.find("looks", 2)
    story.work("white", 0)
    story.work("white", 1, fail="gone")
    story.start("white", 2)
    story.tell(TaskUnknown, step="white", key="inbox/鞋2.jpg", message="no answer", fingerprint="f", submission=1)
    story.tell(Warned, code="w", message="warned")
    return story, lines


@pytest.mark.parametrize("width", [20, 40, 80, 119])
def test_the_live_view_fits(told, width):
    story, _ = told
    frame = draw_frame(story.tally, width=width, height=20, elapsed_seconds=5, ink=Ink(color=False, language="zh"))
    assert max(map(cell_width, frame)) <= width
    if width == 119:
        assert ours("\n".join(frame)) == set()


def test_plain_lines_and_the_closing_summary_are_chinese(told):
    story, lines = told
    story.tell(RunFinished, status=RunStatus.FAILED, resumable=False, seconds=83)
    text = render_closing(story.tally.summary(), language="zh", report="speedpix-pipe report 01JABC")
    assert ours("\n".join(lines)) == set()
    assert ours(text) == set()
    assert "下一步    speedpix-pipe runs redo 01JABC --failed" in text
    assert any("失败 white@inbox/鞋1.jpg：gone（" in line for line in lines)


def test_the_frame_of_errors_is_chinese_and_the_message_as_it_is():
    error = render_error(UsageError("no such file: a.yaml", hint="see init"), language="zh")
    assert error == "错误： no such file: a.yaml\n  提示： see init"
    problems = [Problem("a.yaml", 1, 1, "c", "m", "h"), Problem("a.yaml", 2, 1, "c", "m", severity=Severity.WARNING)]
    text = render_problems(problems, language="zh")
    assert "警告：" in text
    assert text.endswith("a.yaml：1 个错误, 1 个警告")
