"""The same program on the official SDK and on ours, against an emulator that writes down what arrives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from speedpix_pipe.emulator import EmulatorOptions, Inputs, WorkflowError
from tests.functional.recording import RecordingEmulator, Seen

ROOT = Path(__file__).parents[2]
OFFICIAL = ROOT / ".venv-official/bin/python"
PROGRAM = Path(__file__).with_name("sdk_client.py")
SCENES = (
    *("run_text", "run_image", "run_two_images", "run_version", "run_options"),
    *("create_wait_get", "create_base64", "upload_path", "upload_bytes"),
    *("async_run", "async_upload", "module_run", "failed_task", "wrong_secret"),
)


@dataclass(frozen=True)
class Played:
    """What the program said of each scene, and what the emulator saw of it."""

    told: dict[str, dict[str, Any]]
    seen: dict[str, list[Seen]]


def play(module: str, folder: Path) -> Played:
    """Every scene, on `speedpix` or on `speedpix_pipe.sdk`."""
    python = OFFICIAL if module == "speedpix" else Path(sys.executable)
    if not (OFFICIAL.parents[1] / ".ready").exists():
        pytest.fail("the official SDK is not installed: run `make setup`, which puts it into .venv-official")
    Image.new("RGB", (8, 8), "red").save(folder / "photo.jpg")
    Image.new("L", (8, 8), 255).save(folder / "mask.png")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with RecordingEmulator(EmulatorOptions(workflows={"fails": _fails})) as emulator:
        environment |= {"SPEEDPIX_ENDPOINT": emulator.url}
        environment |= {
            "SPEEDPIX_APP_KEY": emulator.options.app_key,
            "SPEEDPIX_APP_SECRET": emulator.options.app_secret,
        }
        done = subprocess.run(
            [python, PROGRAM, module, folder, *SCENES],
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return Played({line.pop("scene"): line for line in lines}, emulator.scenes())


def _fails(_inputs: Inputs) -> Any:
    raise WorkflowError("the picture is upside down")
