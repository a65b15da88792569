"""Processes that are measured: their wall and CPU time and their peak memory, children included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = sys.executable
PIPE = str(Path(sys.executable).with_name("speedpix-pipe"))
OFFICIAL = str(ROOT / ".venv-official/bin/python")


@dataclass(frozen=True, slots=True)
class Spent:
    wall: float
    cpu: float
    peak_mb: float
    stdout: str


@contextmanager
def serving(script: str) -> Iterator[str]:
    """The address of a benchmark's own server (`SCRIPT serve`), which prints its port and ends with its input."""
    command = [PYTHON, str(HERE / script), "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


def run(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, check: bool = True
) -> Spent:
    """Carry out a command to its end.

    A child's peak can never be told below this process's own (Linux passes it on at exec): so nothing large is imported
    here.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(env or {})},  # compiled once, as what is installed is
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    # What is measured writes a line or two: the pipes never fill.
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    out, complaints = process.stdout.read(), process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    if check and process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{out[-2000:]}{complaints[-4000:]}")
    return Spent(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out)


class FakeService:
    """`fake.py` in a process of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def control(self, **settings: Any) -> dict[str, int]:
        request = urllib.request.Request(f"{self.url}/control", json.dumps(settings).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return dict(json.load(answer))


@contextmanager
def fake_service() -> Iterator[FakeService]:
    process = subprocess.Popen(
        [PYTHON, str(HERE / "fake.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield FakeService(int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
