"""What `docs/deploy` shows: the unit is verified, the Compose file parsed, and their command is one of ours."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from speedpix_pipe.cli import COMMANDS
from speedpix_pipe.cli.base import load, parser_of

DEPLOY = Path(__file__).parents[2] / "docs/deploy"
UNIT = DEPLOY / "speedpix-pipe@.service"


def _command() -> list[str]:
    (line,) = [line for line in UNIT.read_text(encoding="utf-8").splitlines() if line.startswith("ExecStart=")]
    return shlex.split(line.removeprefix("ExecStart="))


def test_the_units_command_is_one_that_we_have() -> None:
    program = _command().index("speedpix-pipe")
    name, *arguments = _command()[program + 1 :]
    parsed = parser_of(load(COMMANDS[name][0]), "speedpix-pipe").parse_args(arguments)
    assert parsed.log_format == "json"
    assert str(parsed.health) == "/run/speedpix-%i/health.json"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "speedpix-pipe@shop.service"
    shutil.copy(UNIT, unit)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], check=False, capture_output=True, text=True)
    assert (done.returncode, unit.name in done.stderr) == (0, False), done.stderr


def test_the_compose_file_says_how_to_watch() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["hot-folder"]
    assert "exec speedpix-pipe watch pipeline.yaml" in service["command"][-1]
    assert service["stop_signal"] == "SIGTERM"
