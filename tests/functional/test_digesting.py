"""Files that several steps begin with: read beside the run, never by it."""

from __future__ import annotations

import threading
import time

import pytest
from PIL import Image

from speedpix_pipe.files.content import study_file

pytestmark = pytest.mark.slow

SPEC = """
apiVersion: speedpix-pipe/v1
name: thrice
params: {photos: {type: files, default: "*.png"}}
steps:
  one: {for_each: "${{ params.photos }}", image: [{resize: {width: 4}}], input: {image: "${{ item }}"}}
  two: {for_each: "${{ params.photos }}", image: [{resize: {width: 5}}], input: {image: "${{ item }}"}}
  three: {for_each: "${{ params.photos }}", image: [{resize: {width: 6}}], input: {image: "${{ item }}"}}
"""


def test_files_just_written_that_three_steps_begin_with_are_never_read_on_the_event_loop(cli, project, monkeypatch):
    readers = []

    def slowly(path):
        readers.append(threading.current_thread())
        if readers[-1] is not threading.main_thread():
            time.sleep(0.01)  # so that other tasks of the same file begin meanwhile
        return study_file(path)

    monkeypatch.setattr("speedpix_pipe.store.digests.study_file", slowly)
    (project / "thrice.yaml").write_text(SPEC)
    for number in range(40):
        Image.new("RGB", (8, 8 + number)).save(project / f"{number}.png")
    ran = cli("run", "thrice.yaml", "--local", "--json")
    assert (ran.code, ran.json["tasks"]["succeeded"]) == (0, 120)
    assert len(readers) >= 40
    assert threading.main_thread() not in readers
