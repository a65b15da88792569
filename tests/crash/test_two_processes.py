"""Two processes that want the same things at the same time pay for each of them once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.scene import TASKS, Scene, emulator, environment_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_two_specs_that_share_a_state_folder_share_their_predictions(tmp_path: Path) -> None:
    with emulator(0.15) as url:
        scene = Scene(tmp_path / "one", url)
        shutil.copytree(scene.folder, tmp_path / "two")
        environment = environment_for(url) | {"SPEEDPIX_STATE_DIR": str(tmp_path / "state")}
        child = str(Path(__file__).with_name("child.py"))
        processes = [
            subprocess.Popen(
                [sys.executable, child, "run"],
                cwd=tmp_path / name,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in ("one", "two")
        ]
        came = [process.communicate(timeout=90) for process in processes]
        summaries = [json.loads(out.splitlines()[-1]) if out else err for out, err in came]
        for summary in summaries:
            assert summary["exit"] == 0, summary
            assert summary["tasks"]["succeeded"] + summary["tasks"]["cached"] == TASKS
        assert set(scene.predictions().values()) == {1}
        assert sum(summary["predictions"]["submitted"] for summary in summaries) == TASKS
        for name in ("one", "two"):
            scene.folder = tmp_path / name
            scene.check_files(everything=True)


def test_a_second_process_for_the_same_spec_is_told_who_has_it(tmp_path: Path) -> None:
    with emulator(3.0) as url:
        scene = Scene(tmp_path / "one", url)
        first = scene.start("run")
        try:
            locks = scene.folder / ".speedpix" / "locks"
            while not list(locks.glob("run-*")):
                assert first.poll() is None
            second = scene.start("run")
            _, err = second.communicate(timeout=60)
            assert second.returncode != 0
            assert f"is being run by process {first.pid} on " in err
        finally:
            first.kill()
            first.communicate()
