"""`predict`: one call, typed input, files where they were asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from speedpix_pipe.cli.predict import inputs
from speedpix_pipe.emulator import Artifact, EmulatorOptions, EmulatorThread, Fault
from speedpix_pipe.errors import UsageError

SMALL = ("-i", "width=64", "-i", "height=64")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a=1", "b=1.5", "c=true", "d=null"], {"a": 1, "b": 1.5, "c": True, "d": None}),
        (["a=hat", "b=00123", 'c="5"', "d=NaN", "e="], {"a": "hat", "b": "00123", "c": "5", "d": "NaN", "e": ""}),
        (['a={"x": [1]}', "b=x=y"], {"a": {"x": [1]}, "b": "x=y"}),
        (["a=1", "a=2", "a=three"], {"a": [1, 2, "three"]}),
        (["a=[1]", "a=[2]"], {"a": [[1], [2]]}),
    ],
)
def test_values_are_json_where_they_read_as_json(texts, expected):
    assert inputs(texts) == expected


def test_files_are_named_by_at_or_by_a_path(project):
    Path("cup.png").write_bytes(b"x")
    assert inputs(["a=@cup.png", "b=./cup.png", "c=cup.png"]) == {
        "a": Path("cup.png"),
        "b": Path("cup.png"),
        "c": "cup.png",
    }
    with pytest.raises(UsageError, match=r"there is no file nix\.png"):
        inputs(["a=@nix.png"])
    with pytest.raises(UsageError, match="NAME=VALUE"):
        inputs(["prompt"])


@pytest.mark.slow
def test_the_output_is_json_on_stdout(cli, project, emulator):
    ran = cli("predict", "text-to-image", "-i", "prompt=hat", *SMALL)
    assert ran.code == 0
    assert json.loads(ran.out)["images"]["url"].startswith(emulator.url)


@pytest.mark.slow
def test_files_go_up_and_come_down_and_replace_nothing(cli, project):
    Image.new("RGB", (32, 16), "red").save("cup.png")
    call = ("predict", "upscale", "-i", "image=@cup.png", "-i", "scale=2", "-o", "out", "--local")
    first = cli(*call).out.strip()
    ran = cli(*call, "--json")
    assert ran.code == 0
    (second,) = ran.json["files"]
    assert sorted(str(path) for path in Path("out").iterdir()) == sorted([first, second])
    for path in (first, second):
        with Image.open(path) as picture:
            assert picture.size == (64, 32)


@pytest.mark.slow
def test_a_preview_is_no_file(cli, project, monkeypatch):
    picture = Artifact.picture(Image.new("RGB", (8, 8)))
    answer = {"images": {"image": picture, "preview": picture}, "preview": [picture]}
    with EmulatorThread(EmulatorOptions(workflows={"draw": lambda _inputs: answer})) as emulator:
        monkeypatch.setenv("SPEEDPIX_ENDPOINT", emulator.url)
        monkeypatch.setenv("SPEEDPIX_APP_KEY", "local")
        monkeypatch.setenv("SPEEDPIX_APP_SECRET", "local")
        ran = cli("predict", "draw", "-o", "out", "--json")
    assert [str(path) for path in Path("out").iterdir()] == ran.json["files"]
    assert len(ran.json["files"]) == 1


@pytest.mark.slow
def test_what_was_paid_for_is_told_where_its_files_cannot_be_saved(cli, project, emulator):
    call = ("predict", "text-to-image", "-i", "prompt=hat", *SMALL, "-o", "out")
    emulator.add_fault(Fault("result-gone", "download", times=0))
    ran = cli(*call, "--json")
    (prediction,) = emulator.predictions()
    assert ran.code == 1
    assert list(ran.json) == ["prediction_id", "output", "files", "errors"]
    assert (ran.json["prediction_id"], ran.json["files"]) == (prediction["id"], [])
    assert ran.json["output"]["images"]["url"].startswith(emulator.url)
    (error,) = ran.json["errors"]
    assert (list(error), error["type"]) == (["step", "key", "type", "message"], "task.download")
    assert prediction["id"] in error["message"]
    again = cli(*call)
    assert again.code == 1
    assert emulator.predictions()[-1]["id"] in again.err
    assert json.loads(again.out)["images"]["url"].startswith(emulator.url)


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_paid_for(cli, project, emulator):
    Path("out").touch()
    ran = cli("predict", "text-to-image", "-i", "prompt=hat", "-o", "out", "--json")
    assert (ran.code, ran.json["errors"][0]["type"]) == (2, "usage.output")
    assert emulator.predictions() == []


@pytest.mark.slow
def test_exit_codes(cli, project, emulator, monkeypatch):
    assert cli("predict", "no-such-workflow", "-i", "a=1", "--json").code in {1, 2}
    emulator.add_fault(Fault("task-failed", "poll"))
    ran = cli("predict", "text-to-image", "-i", "prompt=hat", *SMALL, "--json")
    assert ran.code == 1
    assert ran.json["errors"][0]["message"]
    emulator.add_fault(Fault("reset-after", "submit"))
    ran = cli("predict", "text-to-image", "-i", "prompt=hat", *SMALL, "--json")
    assert (ran.code, ran.json["errors"][0]["type"]) == (1, "task.unknown")
    monkeypatch.setenv("SPEEDPIX_APP_SECRET", "wrong")
    assert cli("predict", "text-to-image", "-i", "prompt=hat").code == 3
    monkeypatch.delenv("SPEEDPIX_APP_SECRET")
    assert cli("predict", "text-to-image", "-i", "prompt=hat").code == 3
