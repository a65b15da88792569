"""Completion as the shells see it: candidates for commands, options, specs, steps, keys and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speedpix_pipe.cli import COMMANDS, main
from speedpix_pipe.cli.completion.candidates import candidates
from speedpix_pipe.cli.completion.shells import SCRIPTS, words_of

SPEC = """\
apiVersion: speedpix-pipe/v1
name: shop
params:
  photos: {type: files, default: "in/*.png"}
  caption:
    type: string
    default: steps
steps:
  # a comment:
  small:
    image: [{resize: {width: 4}}]
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}"}
    save: out/${{ item.stem }}.${{ ext }}
  "sheet":
    image: [{contact-sheet: {}}]
    input: {images: "${{ steps.small.files }}"}
outputs:
  sheet: ${{ steps.sheet.file }}
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SPEC, "utf-8")
    (tmp_path / "notes.txt").write_text("")
    for name in ("cup", "blue vase", "茶壶"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (len(name), 9, 9)).save(tmp_path / "in" / f"{name}.png")
    return tmp_path


@pytest.fixture
def ran(shop, capsys):
    assert main(["run", "shop.yaml", "--local"]) == 0
    capsys.readouterr()
    return shop


def texts(*words):
    return [text for text, _ in candidates(words)]


def test_the_first_word_is_a_command():
    assert texts("") == sorted([*COMMANDS, "--help"])
    assert texts("ru") == ["run", "runs"]
    assert texts("runs", "sh") == ["show"]
    assert texts("nonsense", "") == []


def test_options_come_with_what_they_mean():
    found = dict(candidates(["run", "shop.yaml", "--re"]))
    assert set(found) == {"--resume", "--rev"}
    assert found["--rev"].startswith("take the spec from this git revision")


def test_specs_folders_and_choices_are_offered(shop):
    assert texts("run", "") == ["in/", "shop.yaml"]
    assert texts("validate", "shop.yaml", "sh") == ["shop.yaml"]
    assert texts("run", "shop.yaml", "--log-format", "") == ["json", "text"]
    assert texts("run", "shop.yaml", "--log-format=j") == ["--log-format=json"]
    assert texts("run", "shop.yaml", "--params-file", "no") == ["notes.txt"]
    assert texts("init", "--template", "hot") == ["hot-folder"]
    assert texts("run", "no-such-folder/") == []


def test_steps_and_params_are_read_off_the_spec(shop):
    assert texts("run", "shop.yaml", "--only", "") == ["sheet", "small"]
    assert texts("run", "shop.yaml", "--from", "sm") == ["small"]
    assert texts("run", "shop.yaml", "-p", "") == ["caption=", "photos="]


@pytest.mark.slow
def test_keys_and_runs_are_those_of_the_journal(ran):
    assert texts("run", "shop.yaml", "--only", "small@in/c") == ["small@in/cup.png"]
    assert texts("runs", "why", "small@") == [f"small@in/{name}.png" for name in ("blue vase", "cup", "茶壶")]
    assert "small@" in texts("runs", "why", "")
    ((run, about),) = candidates(["runs", "show", ""])
    assert about == "shop, succeeded"
    assert texts("runs", "show", run[:9]) == [run]


def test_where_nothing_is_known_nothing_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_bytes(b"\xff\xfesteps:\n")
    assert texts("runs", "show", "") == []
    assert texts("run", "broken.yaml", "--only", "") == []
    assert texts("run", "missing.yaml", "--only", "a@") == []
    assert main(["__complete"]) == 1
    assert main(["__complete", "fish", "runs", "why", "x@"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("speedpix-pipe ", [""]),
        ("speedpix-pipe ru", ["ru"]),
        ("speedpix-pipe run 'my sp", ["run", "my sp"]),
        ("speedpix-pipe run my\\ sp", ["run", "my sp"]),
        ("speedpix-pipe run my\\ ", ["run", "my "]),
        ("speedpix-pipe run a.yaml ", ["run", "a.yaml", ""]),
    ],
)
def test_bash_hands_over_its_line_and_we_find_the_words(line, words):
    assert words_of("bash", [" ", line]) == words


# --- real shells ---


def shell(name, program, folder: Path):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8"}
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[name]
    done = subprocess.run(
        [name, *flags, "-c", SCRIPTS[name] + program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


BASH = """
COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(speedpix-pipe)
_speedpix_pipe
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.slow
def test_bash_completes(ran):
    def complete(line):
        return shell("bash", BASH.format(line=line), ran)

    assert complete("speedpix-pipe ru") == ["run", "runs"]
    assert complete("speedpix-pipe run shop.yaml --only small@in/") == [
        "in/blue\\ vase.png",
        "in/cup.png",
        "in/茶壶.png",
    ]
    assert complete("speedpix-pipe run shop.yaml --only sm") == ["small"]


@pytest.mark.slow
def test_fish_completes(ran):
    assert shell("fish", "complete -C 'speedpix-pipe run shop.yaml --only s'", ran) == ["sheet", "small"]
    assert shell("fish", "complete -C 'speedpix-pipe runs sh'", ran)[0].startswith("show\tone run: what was done")


@pytest.mark.slow
def test_zsh_completes(ran):
    stub = 'compdef() { }; compadd() { print -l -- "${(P)@[-1]}" }\n'
    program = "words=(speedpix-pipe run shop.yaml --only s); CURRENT=5; _speedpix_pipe"
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    script = SCRIPTS["zsh"].replace("compdef _speedpix_pipe speedpix-pipe\n", "")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["zsh", "-f", "-c", stub + script + program],
        cwd=ran,
        env={"PATH": path, "HOME": str(ran), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["sheet", "small"]
