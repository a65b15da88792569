"""`init`: an empty directory becomes a project whose first two commands work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedpix_pipe.app.init import CATALOGUE, TEMPLATES
from speedpix_pipe.cli import main
from speedpix_pipe.spec.schema import schema_text

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("template", CATALOGUE)
def test_a_new_project_validates_without_a_word_and_runs(template, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "shop", "--template", template]) == 0
    told = capsys.readouterr().out
    assert told.index("cd shop") < told.index(f"speedpix-pipe {CATALOGUE[template].next[0]}")
    monkeypatch.chdir(tmp_path / "shop")
    assert main(["validate", "pipeline.yaml"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*CATALOGUE[template].next[0].split(), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["status"] == "succeeded"
    assert summary["files"]
    assert all(Path(file["path"]).is_file() for file in summary["files"])


@pytest.mark.parametrize("template", CATALOGUE)
def test_a_template_is_a_folder_with_a_spec_that_names_its_schema(template):
    text = (TEMPLATES / template / "pipeline.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=.vscode/speedpix-pipe.schema.json\n")
    assert f"name: {template}\n" in text


def test_every_template_is_in_the_catalogue():
    assert {path.name for path in TEMPLATES.iterdir()} - {"common"} == set(CATALOGUE)


def test_what_exists_is_left_alone_and_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text("mine")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "mine.jpg").write_text("mine")
    assert main(["init", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["kept"] == ["pipeline.yaml", "inbox"]
    assert (tmp_path / "pipeline.yaml").read_text() == "mine"
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["mine.jpg"]
    assert (tmp_path / ".vscode" / "speedpix-pipe.schema.json").read_text("utf-8") == schema_text()
    settings = json.loads((tmp_path / ".vscode" / "settings.json").read_text("utf-8"))
    (schema,) = settings["yaml.schemas"]
    assert (tmp_path / schema).is_file()


def test_a_second_init_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--template", "text-to-video"]) == 0
    capsys.readouterr()
    assert main(["init", "--template", "text-to-video", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == []


def test_a_folder_that_is_a_file_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").write_text("")
    assert main(["init", "shop"]) == 2
    assert "error: shop" in capsys.readouterr().err
