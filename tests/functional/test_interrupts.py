"""Being asked to end while a command still begins: Python may drop that, and the command ends all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SPEC = """
apiVersion: speedpix-pipe/v1
name: small
params: {photos: {type: files, default: "here/*", allow_empty: true}}
steps: {work: {workflow: work, for_each: "${{ params.photos }}", input: {image: "${{ item }}"}}}
watch: [{folder: inbox, param: photos}]
"""
DROPPED = """
import os, signal, sys
from speedpix_pipe.__main__ import main
from speedpix_pipe.interrupts import as_ctrl_c

class Going:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

as_ctrl_c()
Going()
print("went on", file=sys.stderr, flush=True)
sys.exit(main())
"""


def begun(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SPEEDPIX_STATE_DIR": str(folder / "state")}
    return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stderr=subprocess.PIPE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path


@pytest.mark.parametrize(
    "command", [["run", "spec.yaml", "--local"], ["watch", "spec.yaml", "--local"], ["emulator", "--port", "0"], ["ui"]]
)
def test_a_signal_that_python_drops_ends_the_command(folder: Path, command: list[str]) -> None:
    with begun(folder, "-c", DROPPED, *command) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert b"went on" in said, "nothing was dropped"


@pytest.mark.parametrize("part", range(12))
def test_a_signal_at_any_moment_of_the_beginning_ends_a_watcher(folder: Path, part: int) -> None:
    with begun(folder, "-m", "speedpix_pipe", "watch", "spec.yaml", "--local") as process:
        time.sleep(0.06 * part)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode in {130, -signal.SIGTERM}  # the second before Python has read a line of ours
    assert b"panicked" not in said
    assert b"Traceback" not in said
