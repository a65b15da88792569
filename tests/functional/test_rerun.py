"""`run --watch`: what changed runs again, and a broken spec is waited on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.watching import emulator, jpeg

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: loop
params: {photos: {type: files, default: "in/*.jpg"}, word: {type: string, default: one}}
steps:
  work:
    workflow: work
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", name: "${{ params.word }}"}
"""


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(3000):
        if condition():
            return
        assert process.poll() is None, "it ended"
        time.sleep(0.01)
    raise AssertionError("not within 30 s")


def _rewrite(spec: Path, text: str) -> None:
    """As editors do: a half-written spec would be one more broken one."""
    fresh = spec.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(spec)


def test_what_changed_runs_again_and_a_broken_spec_is_waited_on(tmp_path: Path) -> None:
    spec = tmp_path / "loop.yaml"
    spec.write_text(SPEC)
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / f"in/{number}.jpg").write_bytes(jpeg(number))
    with emulator() as service, (tmp_path / "log").open("w+") as log:
        options = service.options
        environment = {
            **os.environ,
            "SPEEDPIX_APP_KEY": options.app_key,
            "SPEEDPIX_APP_SECRET": options.app_secret,
            "SPEEDPIX_ENDPOINT": service.url,
        }
        command = [sys.executable, "-m", "speedpix_pipe", "run", "loop.yaml", "--watch"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log, text=True)

        def said(text: str) -> int:
            return (tmp_path / "log").read_text().count(text)

        try:
            _until(lambda: said("waiting for a change") == 1, process)
            assert service.counters["predictions"] == 2

            (tmp_path / "in/2.jpg").write_bytes(jpeg(2))
            _until(lambda: said("waiting for a change") == 2, process)
            assert service.counters["predictions"] == 3, "the other two came from the cache"

            _rewrite(spec, SPEC.replace("steps:", "stepz:"))
            _until(lambda: said("stepz") >= 1 and said("waiting for a change") == 3, process)

            _rewrite(spec, SPEC.replace("default: one", "default: two"))
            _until(lambda: said("waiting for a change") == 4, process)
            assert service.counters["predictions"] == 6
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
