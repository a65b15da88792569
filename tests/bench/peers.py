"""The other engines, in a virtual environment of their own that is made when a benchmark first needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / ".venv-peers"
PYTHON = str(FOLDER / "bin/python")
PACKAGES = ("doit==0.36.0", "dask==2025.5.1")


def ready() -> bool:
    return (FOLDER / ".ready").exists()


def install() -> None:
    if ready():
        return
    print(f"installing {', '.join(PACKAGES)} into {FOLDER}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, *PACKAGES], check=True)
    (FOLDER / ".ready").touch()
