"""The command line as a whole: quick to start, kind to typing mistakes, quiet about its own bugs."""

from __future__ import annotations

import ast
import contextlib
import os
import pty
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from speedpix_pipe import __version__
from speedpix_pipe.cli import COMMANDS

ROOT = Path(__file__).parents[2]


def every_command() -> list[tuple[str, ...]]:
    """Each command's words; of a group, those of its commands."""
    found: list[tuple[str, ...]] = []
    for name, (module, _) in COMMANDS.items():
        inner = getattr(import_module(module), "COMMANDS", None)
        found += [(name,)] if inner is None else [(name, under) for under in inner]
    return found


EVERY = every_command()
# What `--version` may import of ours; everything else waits until a command needs it.
LIGHT = {"atexit", "gc", "speedpix_pipe", "speedpix_pipe.__main__", "speedpix_pipe._version", "speedpix_pipe.cli"}

PRICED = """
apiVersion: speedpix-pipe/v1
name: priced
steps:
  draw: {workflow: text-to-image, version: v1, price: 1, input: {prompt: a cup}, save: "out/cup.${{ ext }}"}
"""


def process(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        **more,
    )


def test_the_version_is_told_by_importing_almost_nothing():
    code = (
        "import sys; before = set(sys.modules)\n"
        "from speedpix_pipe.__main__ import main; sys.argv = ['speedpix-pipe', '--version']; assert main() == 0\n"
        "print(sorted(set(sys.modules) - before))"
    )
    ran = process("-c", code)
    version, imported = ran.stdout.splitlines()
    assert version == f"speedpix-pipe {__version__}"
    assert {name for name in ast.literal_eval(imported) if not name.startswith("_")} == LIGHT


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_in_process(cli, flag):
    assert cli(flag).out == f"speedpix-pipe {__version__}\n"


def test_help_lists_every_command(cli):
    out = cli("--help").out
    assert all(f"\n  {name} " in out for name in COMMANDS)
    assert cli().code == 2


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_every_command_has_help_and_is_a_command(cli, command):
    ran = cli(*command, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"usage: speedpix-pipe {' '.join(command)} ")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("rum", "x.yaml"), 'did you mean "run"?'),
        (("runs", "lost"), 'did you mean "list"?'),
        (("zebra",), "the commands of speedpix-pipe are: run"),
        (("--json",), "the commands of"),
        (("run", "x.yaml", "--grace", "soon"), "8s"),
        (("run", "x.yaml", "--concurrency", "0"), "from 1 on"),
        (("plan", "x.yaml", "--grap", "svg"), "see speedpix-pipe plan --help"),
    ],
)
def test_a_typing_mistake_exits_2_with_a_hint(cli, arguments, hint):
    ran = cli(*arguments)
    assert ran.code == 2
    assert hint in ran.err


def test_ctrl_c_that_python_wrapped_is_no_bug(cli, project, monkeypatch):
    def interrupted(_arguments):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("Error calling __set_name__") from error

    monkeypatch.setattr("speedpix_pipe.cli._dispatch", interrupted)
    ran = cli("run", "x.yaml", "--json")
    assert ran.code == 130
    assert "bug" not in ran.err
    assert ran.json["errors"][0]["type"] == "run.interrupted"


def test_a_bug_is_written_down_and_told_in_a_sentence(cli, project, monkeypatch):
    def broken(*_):
        raise RuntimeError("no such luck")

    (project / ".speedpix").mkdir()
    monkeypatch.setattr("speedpix_pipe.app.validate.validate", broken)
    ran = cli("validate", "x.yaml")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "no such luck" not in ran.err
    (log,) = (project / ".speedpix/logs").iterdir()
    assert str(log) in ran.err
    text = log.read_text()
    assert "RuntimeError: no such luck" in text
    assert f"speedpix-pipe {__version__}" in text
    assert "pillow " in text


def test_an_interrupt_outside_of_a_run_exits_130(cli, project, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("speedpix_pipe.app.validate.validate", interrupted)
    ran = cli("validate", "x.yaml")
    assert ran.code == 130
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error():
    command = [sys.executable, "-m", "speedpix_pipe", "schema"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as started:
        assert started.stdout is not None
        started.stdout.close()
        assert started.stderr is not None
        assert started.stderr.read() == b""


@pytest.mark.slow
def test_a_name_that_is_no_unicode_can_be_told(tmp_path):
    name = os.fsdecode(b"caf\xe9.yaml")
    (tmp_path / name).write_text("apiVersion: nonsense\n")
    ran = process("-m", "speedpix_pipe", "validate", name, cwd=tmp_path)
    assert ran.returncode == 2
    assert "caf\\udce9.yaml:1:" in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_from_the_start_ends_nothing(closed):
    command = f'exec "{sys.executable}" -m speedpix_pipe schema {closed}'
    ran = process("-c", "import os, sys; os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])", command)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("command", [("schema",), ("--version",), ("validate", "none.yaml", "--json")])
def test_results_that_cannot_be_written_are_told_in_a_sentence(command):
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "speedpix_pipe", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr.endswith("error: the results could not be written: No space left on device\n")


@pytest.mark.slow
def test_ctrl_c_at_the_question_before_paying_is_an_answer(project, emulator):
    """asyncio takes the first Ctrl-C for itself, and would wait for the answer before it ends anything."""
    (project / "p.yaml").write_text(PRICED)
    child, terminal = pty.fork()
    if not child:
        os.execv(sys.executable, [sys.executable, "-m", "speedpix_pipe", "run", "p.yaml", "--json"])
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while more := os.read(terminal, 4096):
            shown += more
            if b"[y/N]" in more:
                os.write(terminal, b"\x03")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert shown.count(b'"run.interrupted"') == 1


def test_the_page_about_the_command_line_is_what_the_parsers_say():
    ran = process(str(ROOT / "_tools" / "cli_docs.py"), "--check")
    assert ran.returncode == 0, ran.stderr
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for command in EVERY:
        assert f"<!-- options: {' '.join(command)} -->" in page, command
