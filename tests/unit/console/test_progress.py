"""The live view in a real pseudo-terminal, at two sizes and through a change of size."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from speedpix_pipe.console.base import cell_width

PROGRAM = Path(__file__).with_name("live_program.py")
ROOT = Path(__file__).parents[3]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CLEAR_AND_HOME = ("\x1b[2J", "\x1b[H")


class Terminal:
    """A program on a pseudo-terminal: stderr is the terminal, stdin and stdout are pipes to the test."""

    def __init__(self, columns: int, lines: int, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(columns, lines)
        environment = {
            name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}
        }
        environment |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        self.program = subprocess.Popen(
            [sys.executable, str(PROGRAM), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=slave,
            env=environment,
        )
        os.close(slave)
        self.written = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read_until(self, wanted, seconds: float = 20) -> str:
        """Reads what the terminal gets until `wanted` is true of it."""
        end = time.monotonic() + seconds
        while not wanted(self.written) and time.monotonic() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.written += self.decoder.decode(os.read(self.master, 65536))
                except OSError:  # the other end is closed
                    break
        assert wanted(self.written), self.written[-2000:]
        return self.written

    def finish(self) -> str:
        stdout, _ = self.program.communicate(b"go\n", timeout=20)
        while select.select([self.master], [], [], 0.05)[0]:
            try:
                self.written += self.decoder.decode(os.read(self.master, 65536))
            except OSError:
                break
        os.close(self.master)
        assert self.program.returncode == 0
        return stdout.decode()


def frames(written: str) -> list[list[str]]:
    """The frames that were drawn, each as its lines without escapes."""
    plain = ESCAPE.sub("\x00", written)
    return [
        [line for line in chunk.replace("\r", "").replace("\x00", "").split("\n") if line]
        for chunk in plain.split("product-shots")[1:]
    ]


def complete(written: str) -> bool:
    written = ESCAPE.sub("", written)
    return "tasks done" in written.rpartition("product-shots")[2] and "failed 步骤" in written


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 50)])
def test_the_view_fits_the_terminal(columns, lines):
    terminal = Terminal(columns, lines, "60", "200", "plain")
    written = terminal.read_until(complete)
    last = ["product-shots" + frames(written)[-1][0], *frames(written)[-1][1:]]
    assert len(last) <= lines - 2
    assert all(cell_width(line) < columns for line in last)
    assert any("more steps" in line for line in last)
    assert terminal.finish() == "all told\nclosed\n"


@pytest.mark.slow
def test_thousands_of_events_are_a_few_redraws():
    began = time.monotonic()
    terminal = Terminal(80, 24, "20", "1000", "plain")
    terminal.read_until(complete)
    terminal.finish()
    seconds = time.monotonic() - began
    assert len(frames(terminal.written)) <= seconds * 8 + 2


@pytest.mark.slow
def test_no_color_is_written_where_none_is_wanted_and_some_where_it_is():
    for color in ("plain", "color"):
        terminal = Terminal(80, 24, "3", "10", color)
        terminal.read_until(complete)
        terminal.finish()
        assert bool(re.search(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", terminal.written)) == (color == "color")


@pytest.mark.slow
def test_a_change_of_size_clears_the_screen_and_draws_anew():
    terminal = Terminal(120, 40, "30", "20", "plain")
    terminal.read_until(complete)
    before = len(terminal.written)
    terminal.resize(60, 15)
    terminal.read_until(lambda written: all(code in written[before:] for code in CLEAR_AND_HOME))
    terminal.read_until(lambda written: complete(written[before:]) or "more steps" in written[before:])
    terminal.finish()
    last = frames(terminal.written[before:])[-1]
    assert all(cell_width(line) < 60 for line in last)


@pytest.mark.slow
def test_the_cursor_is_given_back_and_the_view_is_gone():
    terminal = Terminal(80, 24, "3", "10", "plain")
    terminal.read_until(complete)
    terminal.finish()
    assert "\x1b[?25l" in terminal.written
    assert terminal.written.rstrip().rfind("\x1b[?25h") > terminal.written.rfind("tasks done")
