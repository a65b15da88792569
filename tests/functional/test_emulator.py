"""`emulator`: the service in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """The process, and what it told to export."""
    process = subprocess.Popen(
        [sys.executable, "-m", "speedpix_pipe", "emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    told = process.stderr.readline()
    assert "Ctrl-C ends it" in told, told + process.stderr.read()
    wanted = 1 if environment else 3
    lines = [process.stdout.readline() for _ in range(wanted)]
    return process, dict(re.fullmatch(r"export (\w+)=(.*)\n", line).groups() for line in lines)


def stop(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_it_tells_to_export_is_what_a_client_needs(cli, project, monkeypatch, number):
    process, exports = start("--latency", "0.1")
    try:
        assert exports["SPEEDPIX_ENDPOINT"].startswith("http://127.0.0.1:")
        for name, value in exports.items():
            monkeypatch.setenv(name, value)
        ran = cli("predict", "text-to-image", "-i", "prompt=hat", "-i", "width=64", "-i", "height=64", "--json")
        assert ran.code == 0
    finally:
        stop(process, number)


@pytest.mark.slow
def test_it_takes_the_credentials_that_clients_have(cli, project, monkeypatch):
    process, exports = start(SPEEDPIX_APP_KEY="mine", SPEEDPIX_APP_SECRET="quite secret")
    try:
        assert list(exports) == ["SPEEDPIX_ENDPOINT"]
        for name, value in {**exports, "SPEEDPIX_APP_KEY": "mine", "SPEEDPIX_APP_SECRET": "wrong"}.items():
            monkeypatch.setenv(name, value)
        assert cli("predict", "describe", "-i", "image=x").code == 3
    finally:
        stop(process, signal.SIGINT)


@pytest.mark.parametrize(
    "arguments", [("--fault", "nowhere:busy"), ("--fault", "submit"), ("--port", "70000"), ("--latency", "soon")]
)
def test_a_wrong_option_exits_2(cli, arguments):
    ran = cli("emulator", *arguments)
    assert ran.code == 2
    assert "error:" in ran.err


def test_a_port_in_use_exits_2(cli, emulator):
    port = emulator.url.rpartition(":")[2]
    ran = cli("emulator", "--port", port)
    assert ran.code == 2
    assert port in ran.err
