"""Each benchmark still works: a few tasks, no verdict on speed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
SCRIPTS = ("startup", "engine", "scale", "polling", "memory", "objects", "hot", "service", "walk_simulation")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_runs_and_judges(name: str) -> None:
    done = subprocess.run(
        [sys.executable, BENCH / f"{name}.py", "--smoke"], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "target" in done.stdout


def test_make_bench_knows_all_of_them() -> None:
    listed = subprocess.run([sys.executable, BENCH / "all.py", "--help"], capture_output=True, text=True, check=True)
    assert all(name in listed.stdout for name in SCRIPTS)
