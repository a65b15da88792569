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

from speedpix_pipe.emulator import EmulatorThread
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


def _rewrite(path: Path, content: str | bytes) -> None:
    """As editors do: what is half written would be one more change."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    fresh.replace(path)


class Loop:
    """`run --watch` of a spec in a folder."""

    def __init__(self, folder: Path, service: EmulatorThread, *arguments: str) -> None:
        options = service.options
        self.folder = folder
        self.service = service
        self.log = folder / "log"
        environment = {
            **os.environ,
            "SPEEDPIX_APP_KEY": options.app_key,
            "SPEEDPIX_APP_SECRET": options.app_secret,
            "SPEEDPIX_ENDPOINT": service.url,
        }
        command = [sys.executable, "-m", "speedpix_pipe", "run", "loop.yaml", "--watch", *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log, text=True)

    def said(self, text: str) -> int:
        return self.log.read_text().count(text)

    def turns(self, count: int) -> int:
        """When it has come round so many times: how many predictions were made by then."""
        _until(lambda: self.said("waiting for a change") == count, self.process)
        return int(self.service.counters["predictions"])

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0


def test_what_changed_runs_again_and_a_broken_spec_is_waited_on(tmp_path: Path) -> None:
    spec = tmp_path / "loop.yaml"
    spec.write_text(SPEC)
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / f"in/{number}.jpg").write_bytes(jpeg(number))
    with emulator() as service:
        loop = Loop(tmp_path, service)
        try:
            assert loop.turns(1) == 2

            _rewrite(tmp_path / "in/2.jpg", jpeg(2))
            assert loop.turns(2) == 3, "the other two came from the cache"

            _rewrite(spec, SPEC.replace("steps:", "stepz:"))
            _until(lambda: loop.said("stepz") >= 1, loop.process)
            assert loop.turns(3) == 3

            _rewrite(spec, SPEC.replace("default: one", "default: two"))
            assert loop.turns(4) == 6

            _rewrite(tmp_path / "in/1.jpg", jpeg(7))
            assert loop.turns(5) == 7, "one file has other bytes"
        finally:
            loop.end()


OUTER = """
apiVersion: speedpix-pipe/v1
name: loop
steps:
  part:
    pipeline: parts/inner.yaml
    for_each: ${{ read(file('rows.csv')) }}
    input: {name: "${{ item.name }}", wall: ./wall.txt}
"""
INNER = """
apiVersion: speedpix-pipe/v1
name: inner
params: {name: {type: string}, wall: {type: file}}
steps:
  work:
    workflow: work
    input: {image: "${{ params.wall }}", name: "${{ params.name }} one"}
"""


def test_sub_pipelines_tables_and_named_files_count_too_and_a_broken_part_is_waited_on(tmp_path: Path) -> None:
    inner = tmp_path / "parts/inner.yaml"
    inner.parent.mkdir()
    (tmp_path / "loop.yaml").write_text(OUTER)
    inner.write_text(INNER)
    (tmp_path / "rows.csv").write_text("name\na\nb\n")
    (tmp_path / "wall.txt").write_text("brick")
    with emulator() as service:
        loop = Loop(tmp_path, service)
        try:
            assert loop.turns(1) == 2
            _rewrite(tmp_path / "rows.csv", "name\na\nb\nc\n")
            assert loop.turns(2) == 3
            _rewrite(tmp_path / "wall.txt", "plaster")
            assert loop.turns(3) == 6
            _rewrite(inner, INNER.replace("} one", "} two"))
            assert loop.turns(4) == 9
            _rewrite(inner, INNER.replace("workflow:", "workflou:"))
            _until(lambda: loop.said("workflou") >= 1, loop.process)
            assert loop.turns(5) == 9
            _rewrite(inner, INNER.replace("} one", "} three"))
            assert loop.turns(6) == 12
        finally:
            loop.end()


def test_a_part_that_is_broken_from_the_beginning_is_waited_on(tmp_path: Path) -> None:
    inner = tmp_path / "parts/inner.yaml"
    inner.parent.mkdir()
    (tmp_path / "loop.yaml").write_text(OUTER)
    inner.write_text("steps: [")
    (tmp_path / "rows.csv").write_text("name\na\n")
    (tmp_path / "wall.txt").write_text("brick")
    with emulator() as service:
        loop = Loop(tmp_path, service)
        try:
            assert loop.turns(1) == 0
            _rewrite(inner, INNER.replace("workflow:", "workflou:"))
            assert loop.turns(2) == 0
            assert loop.said("workflou") >= 1, "still broken, in another way"
            _rewrite(inner, INNER)
            assert loop.turns(3) == 1
        finally:
            loop.end()
