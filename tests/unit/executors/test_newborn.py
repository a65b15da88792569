"""A worker that is left alone while it begins says nothing; whatever else goes wrong there is told."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("error", "told"), [("EOFError", False), ("FileNotFoundError", False), ("ValueError", True)])
def test_only_who_was_left_alone_keeps_silent(error: str, told: bool) -> None:
    code = f"import speedpix_pipe.executors.newborn; raise {error}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert (error in ran.stderr) is told
