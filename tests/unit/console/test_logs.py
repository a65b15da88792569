"""Plain lines and JSON lines."""

from __future__ import annotations

import json
import re

import pytest

from speedpix_pipe.console.logs import JsonLines, PlainLines
from speedpix_pipe.events import (
    FileSaved,
    RunFinished,
    RunResumed,
    TaskProgressed,
    TaskRetrying,
    TaskSucceeded,
    TaskUnknown,
    Warned,
)
from speedpix_pipe.model import KeptFile, RunStatus


@pytest.fixture
def lines(story):
    written: list[str] = []
    story.subscribers.append(PlainLines(story.tally, written.append))
    return written


def texts(lines) -> list[str]:
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines]


def test_a_small_run_in_plain_lines(story, lines):
    story.begin("white", "sheet")
    story.find("white", 3)
    for number in range(3):
        story.work("white", number, fail="too large" if number == 1 else "")
    story.tell(RunFinished, status=RunStatus.FAILED, resumable=False, seconds=12.4)
    assert texts(lines) == [
        "run 01JABC of product-shots on local: white, sheet",
        "white: first of 3 tasks",
        "failed white@inbox/鞋1.jpg: too large (gateway)",
        "white: 3/3 done (2 succeeded, 1 failed)",
        "run 01JABC failed in 12 s",
    ]


def test_thousands_of_tasks_give_a_line_every_five_seconds(story, lines):
    story.begin("white")
    story.find("white", 3000)
    started = len(lines)
    for number in range(3000):
        story.work("white", number)
    seconds = 6000 * story.seconds
    assert len(lines) - started <= seconds / 5 + 3


def test_items_that_trickle_in_do_not_end_a_step_again_and_again(story, lines):
    story.begin("white")
    for number in range(200):
        story.find("white", 1)
        story.work("white", number)
    assert len([line for line in lines if "white:" in line]) < 200 * 3 * story.seconds / 5 + 4


def test_failures_are_capped(story, lines):
    story.begin("white")
    story.find("white", 500)
    for number in range(500):
        story.work("white", number, fail="no")
    failures = [text for text in texts(lines) if text.startswith("failed ")]
    assert len(failures) == 20
    assert any("runs show 01JABC" in text for text in texts(lines))


def test_retries_unknown_warnings_and_resumes_are_told(story, lines):
    story.begin("white")
    story.tell(RunResumed, reason="the machine was switched off")
    story.tell(Warned, code="c", message="careful")
    story.tell(Warned, code="c", message="careful")
    story.tell(TaskRetrying, step="white", key="a", attempt=2, delay_seconds=1.5, kind="gateway", message="busy")
    story.tell(TaskUnknown, step="white", key="a", message="no answer", fingerprint="f", submission=1)
    assert texts(lines)[1:5] == [
        "run 01JABC resumed: the machine was switched off",
        "warning: careful",
        "trying white@a again in 1.5 s (gateway): busy",
        "unknown white@a: no answer",
    ]


def test_names_cannot_steer_a_terminal(story, lines):
    story.begin("white")
    story.find("white", 1)
    story.work("white", 0, fail="a\nb\x1b[2J")
    assert not any("\x1b" in line or "\n" in line for line in lines)


def test_json_lines_are_one_object_per_event(story):
    written: list[str] = []
    story.subscribers.append(JsonLines(written.append))
    story.begin("white")
    story.tell(TaskProgressed, step="white", key="a", progress=0.5)
    signed = "https://store.example/壶.png?Expires=1&Signature=abc"
    kept = KeptFile("images.url", "00", 3, "image/png", "png", url=signed)
    output = {"n": 1, "images": [{"url": signed}], "text": "is https://x.example? it is"}
    story.tell(TaskSucceeded, step="white", key="壶", seconds=1.0, files=(kept,), output=output)
    story.tell(FileSaved, step="white", key="bad\udc80name", path="a\nb", sha256="00", size=1)
    events = [json.loads(line) for line in written]
    assert [event["event"] for event in events] == ["RunStarted", "TaskSucceeded", "FileSaved"]
    assert all(event["run_id"] == "01JABC" for event in events)
    assert events[0]["at"].endswith("+00:00")
    assert events[1]["files"][0]["sha256"] == "00"
    assert events[1]["files"][0]["url"] == events[1]["output"]["images"][0]["url"] == "https://store.example/壶.png?…"
    assert events[1]["output"]["text"] == output["text"]
    assert "壶" in written[1]
    assert all("\n" not in line for line in written)
    "".join(written).encode()
