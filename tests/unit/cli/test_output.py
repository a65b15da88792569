"""What commands print, and what they take as numbers, sizes and durations."""

from __future__ import annotations

import argparse
import io
import json
import sys

import pytest

from speedpix_pipe.cli.options import duration, positive
from speedpix_pipe.cli.output import print_json, program
from speedpix_pipe.cli.runs.prune import _size
from speedpix_pipe.console.base import size


def test_json_is_one_line_and_keeps_letters(capsys):
    print_json({"caption": "阿里云"})
    assert capsys.readouterr().out == '{"caption": "阿里云"}\n'


@pytest.mark.parametrize(("encoding", "text"), [("utf-8", "caf\udce9"), ("ascii", "é"), ("latin-1", "阿")])
def test_what_stdout_cannot_hold_is_escaped_and_can_be_read_back(monkeypatch, encoding, text):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_json({"path": text})
    stream.flush()
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == {"path": text}


@pytest.mark.parametrize(("text", "seconds"), [("8s", 8.0), ("1m30s", 90.0), ("250ms", 0.25)])
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["8", "soon", "-1s", ""])
def test_what_is_no_duration(text):
    with pytest.raises(argparse.ArgumentTypeError, match="no duration"):
        duration(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_what_is_no_count(text):
    with pytest.raises(argparse.ArgumentTypeError):
        positive(text)


@pytest.mark.parametrize(
    ("text", "count"), [("500", 500), ("1.5kB", 1500), ("2GiB", 2 * 2**30), ("3 MB", 3_000_000), ("1ki", 1024)]
)
def test_sizes_are_read(text, count):
    assert _size(text) == count


@pytest.mark.parametrize(
    ("count", "text"), [(1, "1 byte"), (999, "999 bytes"), (1200, "1.2 kB"), (15_400_000, "15 MB"), (10**13, "10 TB")]
)
def test_sizes_are_told(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("called", "on_path", "told"),
    [
        ("bin/speedpix-pipe", None, "bin/speedpix-pipe"),
        ("bin/speedpix-pipe", "bin", "speedpix-pipe"),
        ("bin/speedpix-pipe", "other", "bin/speedpix-pipe"),
        ("speedpix_pipe/__main__.py", None, "{python} -m speedpix_pipe"),
        ("speedpix_pipe/__main__.py", "other", "speedpix-pipe"),
        ("pytest", None, "speedpix-pipe"),
    ],
)
def test_commands_are_told_as_this_shell_can_call_them(tmp_path, monkeypatch, called, on_path, told):
    for folder in ("bin", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "speedpix-pipe").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setenv("PATH", str(tmp_path / on_path) if on_path else "/nowhere")
    assert program() == told.format(python=sys.executable)
    if told.startswith("bin/"):
        assert program(moves=True) == str(tmp_path / told)
