"""The closing summary: golden texts."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from speedpix_pipe.console.base import cell_width
from speedpix_pipe.console.closing import render_closing
from speedpix_pipe.events import (
    FileSaved,
    PredictionCreated,
    PredictionRequested,
    RunFinished,
    RunStarted,
    TaskCached,
    TaskSkipped,
    TaskUnknown,
    Warned,
)
from speedpix_pipe.model import RunStatus


def golden(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_a_run_where_all_went_well(story):
    story.begin("white", "looks", "sheet")
    story.find("white", 3)
    story.find("looks", 1)
    for number in range(2):
        key = f"inbox/鞋{number}.jpg"
        story.start("white", number)
        story.tell(PredictionRequested, step="white", key=key, submission=number, fingerprint="f", price=0.12)
        story.tell(PredictionCreated, step="white", key=key, submission=number, prediction_id="p")
        story.work("white", number)
        story.tell(FileSaved, step="white", key=key, path=f"out/white/鞋{number}.png", sha256="", size=1)
    story.tell(TaskCached, step="white", key="inbox/鞋2.jpg", fingerprint="f", price=0.12)
    story.work("looks", 0)
    story.tell(FileSaved, step="looks", key="inbox/鞋0.jpg", path="sheet.png", sha256="", size=1)
    story.tell(
        RunFinished, status=RunStatus.SUCCEEDED, resumable=False, seconds=83, outputs={"sheet": "sheet.png", "all": []}
    )
    assert render_closing(story.tally.summary(), report=".speedpix/reports/01JABC.html") == golden(
        """
        product-shots succeeded in 1m 23s: 3 succeeded, 1 from the cache

        steps     white  2 succeeded, 1 cached, 2.0 s each
                  looks  1 succeeded, 2.0 s
        files     2 in out/white
                  1 in .
        outputs   sheet: sheet.png
        cost      0.24 spent on 2 predictions, 0.12 saved by the cache
        report    .speedpix/reports/01JABC.html
        """
    )


def test_a_run_with_failures_and_unknown_submissions(story):
    story.begin("white", "sheet")
    story.find("white", 7)
    for number in range(5):
        story.work("white", number, fail=f"inbox/鞋{number}.jpg has {number + 30} MB, at most 10 are taken")
    story.work("white", 5, fail="no subject found")
    story.tell(TaskUnknown, step="white", key="inbox/鞋6.jpg", message="no answer", fingerprint="f", submission=4)
    story.tell(TaskSkipped, step="sheet", key="", reason="white failed", cause="white@x", by_failure=True)
    story.tell(Warned, code="c", message="an alias on a cached step without max_age")
    story.tell(RunFinished, status=RunStatus.FAILED, resumable=False, seconds=2)
    assert render_closing(story.tally.summary()) == golden(
        """
        product-shots failed in 2.0 s: 6 failed, 1 skipped (1 because of failures),
          1 unknown

        Failed
          5 × inbox/鞋0.jpg has 30 MB, at most 10 are taken (gateway)
            white@inbox/鞋0.jpg  white@inbox/鞋1.jpg  white@inbox/鞋2.jpg and 2 more
          no subject found (gateway)
            white@inbox/鞋5.jpg

        Unknown
          1 submission stands without an answer: perhaps paid for, perhaps never begun.
            white@inbox/鞋6.jpg
          Nothing sends them again unasked. Look at them, then decide:
            speedpix-pipe runs show 01JABC --unknown
            speedpix-pipe runs redo 01JABC --unknown
              sends them again, and may pay twice

        Warnings
          an alias on a cached step without max_age

        steps     white  6 failed, 1 unknown
                  sheet  1 skipped
        next      speedpix-pipe runs redo 01JABC --failed
        """
    )


def test_long_reasons_are_told_in_a_few_lines_and_commands_stay_whole(story):
    story.begin("white")
    story.find("white", 1)
    story.work("white", 0, fail="the model was not content with " + "many words about this picture and " * 20)
    story.tell(RunFinished, status=RunStatus.FAILED, resumable=False, seconds=2)
    lines = render_closing(story.tally.summary(), width=60, report="speedpix-pipe report " + "1" * 60).splitlines()
    told = [line for line in lines if "words" in line or "content" in line]
    assert len(told) == 3
    assert told[-1].endswith("…")
    assert max(map(cell_width, told)) <= 60
    assert any(line.endswith("1" * 60) for line in lines)


def test_an_interrupted_run_says_how_to_go_on(story):
    story.begin("white")
    story.find("white", 2)
    story.work("white", 0)
    story.tell(RunFinished, status=RunStatus.CANCELLED, resumable=True, seconds=3, reason="Ctrl-C was pressed")
    text = render_closing(story.tally.summary())
    assert text.startswith(
        "product-shots was interrupted in 3.0 s: 1 succeeded, 1 cancelled\nstopped because Ctrl-C was pressed\n"
    )
    assert text.endswith("next      speedpix-pipe run shots.yaml --resume")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ({"local": True}, "run 'shop/my shots.yaml' --resume --local"),
        ({"local": False}, "run 'shop/my shots.yaml' --resume"),
        ({"local": True, "redo": {"run": "01JAAA"}}, "runs redo 01JABC --rest"),
    ],
)
def test_the_command_that_goes_on_can_be_copied(story, arguments, command):
    started = {"pipeline": "p", "spec_digest": "d", "state_folder": ".speedpix", "service": "s", "params": {}}
    story.tell(RunStarted, spec_path="/srv/shop/my shots.yaml", steps=("white",), arguments=arguments, **started)
    story.tell(RunFinished, status=RunStatus.CANCELLED, resumable=True, seconds=3, reason="Ctrl-C was pressed")
    text = render_closing(story.tally.summary(), program=".venv/bin/speedpix-pipe", folder=Path("/srv"))
    assert text.endswith(f"next      .venv/bin/speedpix-pipe {command}")


def test_a_run_that_was_turned_away_is_run_again_as_a_whole(story):
    story.begin("white")
    story.find("white", 2)
    story.work("white", 0, fail="Invalid AppKey")
    story.tell(RunFinished, status=RunStatus.FAILED, resumable=False, seconds=3, reason="Invalid AppKey")
    assert render_closing(story.tally.summary()).endswith("next      speedpix-pipe run shots.yaml")


def test_a_run_that_goes_on_was_not_interrupted(story):
    story.begin("white")
    story.find("white", 3)
    story.work("white", 0)
    text = render_closing(replace(story.tally.summary(), under_way=True))
    assert text.startswith("product-shots is under way in ")
    assert "1 succeeded, 2 to come" in text
    for word in ("interrupted", "cancelled", "stopped", "next"):
        assert word not in text


def test_ignored_failures_ask_for_nothing(story):
    from speedpix_pipe.events import TaskFailed

    story.begin("white")
    story.find("white", 1)
    story.tell(TaskFailed, step="white", key="inbox/鞋0.jpg", kind="task", code="c", message="no", ignored=True)
    story.tell(RunFinished, status=RunStatus.SUCCEEDED, resumable=False, seconds=3)
    text = render_closing(story.tally.summary())
    assert text.startswith("product-shots succeeded in 3.0 s: 1 failed (all ignored)")
    assert "next" not in text


@pytest.mark.slow
def test_ten_thousand_failures_fit_on_a_screen(story):
    story.begin("white")
    story.find("white", 10_000)
    for number in range(10_000):
        story.work("white", number, fail=f"reason of kind {chr(97 + number % 26)}")
    story.tell(RunFinished, status=RunStatus.FAILED, resumable=False, seconds=3)
    text = render_closing(story.tally.summary(), width=80)
    assert len(text.splitlines()) < 40
    assert all(cell_width(line) <= 80 for line in text.splitlines())


def test_hostile_names_do_not_reach_the_terminal(story):
    story.begin("white")
    story.tell(FileSaved, step="white", key="k", path="out/\x1b]0;x\x07/a.png", sha256="", size=1)
    story.tell(Warned, code="c", message="a\x1b[2Jb")
    assert "\x1b" not in render_closing(story.tally.summary())


def test_of_warnings_alike_a_few_are_told_and_others_are_not_crowded_out(story):
    story.begin("white")
    for number in range(20):
        story.tell(Warned, code="spec.nowhere", message=f"step {number} goes nowhere")
    story.tell(Warned, code="disk.low", message="little space is left")
    story.tell(RunFinished, status=RunStatus.SUCCEEDED, resumable=False, seconds=3)
    lines = render_closing(story.tally.summary()).splitlines()
    assert [line.strip() for line in lines[lines.index("Warnings") + 1 :][:5]] == [
        "step 0 goes nowhere",
        "step 1 goes nowhere",
        "step 2 goes nowhere",
        "little space is left",
        "and 17 more",
    ]
