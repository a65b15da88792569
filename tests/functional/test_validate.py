"""`validate`: every problem with its place, without network, credentials or params."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

SPEC = """
apiVersion: speedpix-pipe/v1
name: shots
params:
  photos: {type: files}
  caption: {type: string}
steps:
  white:
    workflow: white-background
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", text: "${{ params.caption }}"}
    save: out/${{ item.stem }}.${{ ext }}
"""


def write(text: str, name: str = "shots.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def test_params_that_are_not_given_are_unknown_and_no_problem(cli, project):
    write(SPEC)
    ran = cli("validate", "shots.yaml", "--json")
    assert (ran.code, ran.json) == (0, [])
    assert ran.err == ""


def test_every_problem_comes_at_once_with_its_place(cli, project):
    write(SPEC.replace("${{ item.stem }}", "${{ itm.stem }}").replace("params.caption }", "params.captain }"))
    ran = cli("validate", "shots.yaml", "--json")
    assert ran.code == 2
    assert all(
        list(problem) == ["path", "line", "column", "severity", "code", "message", "hint"] for problem in ran.json
    )
    places = {(problem["path"], problem["line"]) for problem in ran.json if problem["severity"] == "error"}
    assert places == {("shots.yaml", 11), ("shots.yaml", 12)}
    assert all(problem["column"] > 1 for problem in ran.json)


def test_problems_for_people_show_the_line_and_a_caret_on_stderr(cli, project):
    write(SPEC.replace("params.caption }", "params.captain }"))
    ran = cli("validate", "shots.yaml")
    assert ran.code == 2
    assert ran.out == ""
    assert "shots.yaml:11:" in ran.err
    assert "^^^" in ran.err
    assert "caption" in ran.err


def test_warnings_alone_exit_0(cli, project):
    write(SPEC.replace("  caption: {type: string}", "  caption: {type: string}\n  unused: {type: string}"))
    ran = cli("validate", "shots.yaml", "--json")
    assert ran.code == 0
    assert [problem["severity"] for problem in ran.json] == ["warning"]


def test_values_that_are_given_are_looked_at(cli, project):
    Image.new("RGB", (8, 8)).save("a.jpg")
    write(SPEC.replace("out/${{ item.stem }}", "out/same"))
    assert cli("validate", "shots.yaml").code == 0
    Image.new("RGB", (8, 8)).save("b.jpg")
    ran = cli("validate", "shots.yaml", "-p", "photos=*.jpg", "--json")
    assert ran.code == 2
    assert "white@a.jpg saves to out/same" in ran.json[0]["message"]


def test_a_given_param_of_the_wrong_type_is_a_problem(cli, project):
    write(SPEC.replace("caption: {type: string}", "caption: {type: string, maxLength: 3}"))
    ran = cli("validate", "shots.yaml", "-p", "caption=much too long", "--json")
    assert ran.code == 2
    assert "caption" in ran.json[0]["message"]


def test_several_specs_are_checked_in_one_go(cli, project):
    write(SPEC)
    write(SPEC.replace("workflow:", "workflw:"), "wrong.yaml")
    ran = cli("validate", "shots.yaml", "wrong.yaml", "none.yaml", "--json")
    assert ran.code == 2
    assert {problem["path"] for problem in ran.json} == {"wrong.yaml", "none.yaml"}


def test_no_files_leaves_the_disk_alone(cli, project):
    write(
        SPEC.replace("photos: {type: files}", 'photos: {type: files, default: "inbox/*.jpg"}').replace(
            "image: ", "mask: ./mask.png, image: "
        )
    )
    assert cli("validate", "shots.yaml").code == 2
    ran = cli("validate", "shots.yaml", "--no-files", "--json")
    assert (ran.code, ran.json) == (0, [])


def test_the_param_of_a_watched_folder_is_not_looked_for(cli, project):
    watched = SPEC.replace("photos: {type: files}", 'photos: {type: files, default: "inbox/*.jpg"}')
    write(watched + "watch: {folder: inbox, param: photos}\n")
    assert cli("validate", "shots.yaml").code == 0


def test_a_condition_that_cannot_be_had_is_a_problem_and_an_unknown_one_is_not(cli, project):
    write(SPEC.replace("    input:", "    when: params.caption == 'x' and item.size > 3\n    input:"))
    assert cli("validate", "shots.yaml").code == 0
    write(SPEC.replace("    input:", "    when: item.sise > 3\n    input:"))
    Image.new("RGB", (8, 8)).save("a.jpg")
    ran = cli("validate", "shots.yaml", "-p", "photos=a.jpg", "--json")
    assert ran.code == 2
    assert "sise" in ran.json[0]["message"]


def test_rev_checks_the_spec_as_it_was_committed(cli, project):
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    write(SPEC)
    git("add", "shots.yaml")
    git("commit", "-q", "-m", "one")
    write(SPEC.replace("workflow:", "workflw:"))
    assert cli("validate", "shots.yaml").code == 2
    assert cli("validate", "shots.yaml", "--rev", "HEAD").code == 0


@pytest.mark.parametrize("wrong", ["--rev=nothing-like-it", "--nope"])
def test_a_wrong_command_line_exits_2(cli, project, wrong):
    write(SPEC)
    ran = cli("validate", "shots.yaml", wrong, "--json")
    assert ran.code == 2
    assert [problem["severity"] for problem in ran.json] == ["error"]


BROKEN = """
apiVersion: speedpix-pipe/v1
name: shots
params:
  caption: {type: string, default: much too long, maxLength: 8}
steps:
  one: {workflow: x, timeout: 5x}
  two: {workflow: x, input: {a: "${{ steps.none.output }}"}}
  three: {workflow: x, for_each: [1, 1], input: {a: "${{ item }}"}}
  four: {workflow: x, input: {a: "b${{ null }}"}, save: out/a}
  five: {workflow: x, for_each: "${{ steps.four }}", input: {a: "${{ item }}"}}
"""


@pytest.mark.parametrize("command", [["plan"], ["plan", "--local"], ["run", "--local"], ["watch", "--local", "--once"]])
def test_every_command_tells_all_that_is_wrong_and_not_its_first_layer_only(cli, project, command):
    write(BROKEN)
    everything = cli("validate", "shots.yaml")
    assert [everything.err.count(f"shots.yaml:{line}:") for line in (5, 7, 8, 9, 10, 11)] == [1] * 6
    ran = cli(command[0], "shots.yaml", *command[1:])
    assert (ran.code, ran.err) == (2, everything.err)


def test_a_param_that_is_missing_hides_nothing_that_does_not_depend_on_it(cli, project):
    write(SPEC + '  two: {workflow: x, input: {a: "b${{ null }}"}}\n')
    ran = cli("plan", "shots.yaml")
    assert ran.code == 2
    assert [ran.err.count(f"shots.yaml:{line}:") for line in (5, 6, 13)] == [1, 1, 2]  # a warning is among them


def test_what_has_no_files_tells_all_that_is_wrong_too(cli, project):
    write(BROKEN)
    everything = cli("validate", "shots.yaml", "--no-files")
    for more in (["--resolved"], ["--graph=dot"]):
        ran = cli("plan", "shots.yaml", *more)
        assert (ran.code, ran.out, ran.err) == (2, "", everything.err)


@pytest.mark.timeout(20)
def test_pipes_and_devices_are_no_files_and_nobody_waits_for_them(cli, project):
    os.mkfifo("pipe")
    write(
        "apiVersion: speedpix-pipe/v1\nname: x\nparams: {f: {type: file, default: null}}\nsteps:\n"
        "  a: {pipeline: ./pipe}\n  b: {pipeline: /dev/zero}\n"
        "  c: {workflow: w, input: {a: ./pipe}, save: o/c}\n"
        "  d: {workflow: w, input: {a: \"${{ read('pipe') }}\"}, save: o/d}\n"
        '  e: {workflow: w, input: {a: "${{ file(\'/dev/zero\') }}", f: "${{ params.f }}"}, save: o/e}\n'
    )
    ran = cli("validate", "shots.yaml", "-p", "f=pipe", "--json")
    assert [problem["line"] for problem in ran.json if problem["severity"] == "error"] == [5, 6, 7, 8, 9, 1]
    for command in (["shots.yaml", "--params-file", "/dev/zero"], ["/dev/zero"]):
        ran = cli("validate", *command, "--json")
        assert "yaml.too-large" in {problem["code"] for problem in ran.json}


def test_a_credential_in_env_is_pointed_at(cli, project):
    (project / "x.yaml").write_text(
        "apiVersion: speedpix-pipe/v1\nname: x\nenv: [SPEEDPIX_APP_SECRET]\n"
        "steps:\n  a:\n    workflow: w\n    input: {text: '${{ env.SPEEDPIX_APP_SECRET }}'}\n    save: out/a.png\n"
    )
    ran = cli("validate", "x.yaml")
    assert ran.code == 2
    assert "x.yaml:3:7: SPEEDPIX_APP_SECRET is a credential" in ran.err


def test_a_problem_is_one_line_of_a_log_and_is_broken_only_where_a_width_is_given(cli, project, monkeypatch):
    name = "a_rather_long_name_of_a_param_" * 5
    write(SPEC.replace("params.caption }}", f"params.caption }}}}${{{{ params.{name} }}}}"))
    monkeypatch.delenv("COLUMNS", raising=False)
    first = cli("validate", "shots.yaml").err.splitlines()[0]
    assert first.startswith("shots.yaml:11:")
    assert name in first
    monkeypatch.setenv("COLUMNS", "60")
    assert name not in cli("validate", "shots.yaml").err.splitlines()[0]
