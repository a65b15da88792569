"""SIGKILL at each durable step and at any time, with the emulator in another process counting what was paid for.

`many.py` beside this file does the same some hundreds of times.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.scene import POINTS, Scene, emulator, some_kills

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def url():
    with emulator() as found:
        yield found


@pytest.mark.parametrize("points", [POINTS[0::3], POINTS[1::3], POINTS[2::3]], ids=["first", "second", "third"])
def test_a_run_that_is_killed_at_every_durable_step_pays_nothing_twice(
    tmp_path: Path, url: str, points: list[str]
) -> None:
    scene = Scene(tmp_path / "scene", url)
    mode = "run"
    for point in points:
        scene.killed_at(mode, point, 1)  # how often one is passed depends on how many rows a commit takes along
        mode = "resume"
    assert scene.kills >= len(points) - 2  # the last ones may have nothing left to do
    scene.check_resumed(scene.finish("resume"))
    scene.check_redone()


def test_a_run_that_is_killed_at_any_time_pays_nothing_twice(tmp_path: Path, url: str) -> None:
    scene = Scene(tmp_path / "scene", url)
    some_kills(scene, random.Random(20), 6)
    scene.check_resumed(scene.finish("resume"))
    scene.check_redone()


def test_a_submission_that_a_crash_left_without_its_answer_is_listed_and_not_repeated(tmp_path: Path, url: str) -> None:
    scene = Scene(tmp_path / "scene", url)
    assert scene.killed_at("run", "ledger.intend.committed", 2)
    assert scene.in_window >= 1
    summary = scene.finish("resume")
    assert summary["exit"] == 1
    assert summary["predictions"]["unknown"] == summary["tasks"]["unknown"] == scene.in_window
    again = scene.finish("run")
    assert again["tasks"]["unknown"] == scene.in_window
    assert again["predictions"]["submitted"] == 0
    scene.check_redone()
