"""The likeliest mistakes of somebody who begins, each made on purpose: what is said names the thing and the way out."""

from __future__ import annotations

import re
import shutil

import pytest

from speedpix_pipe.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begin")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["init", "shop"]) == 0
    return folder / "shop"


@pytest.fixture
def shop(project, tmp_path, monkeypatch):
    shutil.copytree(project, tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def edit(shop, old, new):
    spec = shop / "pipeline.yaml"
    text = spec.read_text("utf-8")
    assert old in text
    spec.write_text(text.replace(old, new), "utf-8")


def said(capsys, *command):
    code = main(list(command))
    return code, re.sub(r"\s+", " ", capsys.readouterr().err)


def test_the_command_is_forgotten(shop, capsys):
    code, text = said(capsys, "pipeline.yaml")
    assert code == 2
    assert "to run it: speedpix-pipe run pipeline.yaml" in text


def test_the_spec_is_forgotten(shop, tmp_path, monkeypatch, capsys):
    assert "here there are: pipeline.yaml" in said(capsys, "run", "--local")[1]
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert "`speedpix-pipe init` writes one" in said(capsys, "run")[1]


def test_the_account_is_not_there_yet(shop, capsys):
    code, text = said(capsys, "run", "pipeline.yaml")
    assert code == 3
    assert "SPEEDPIX_APP_KEY and SPEEDPIX_APP_SECRET not set" in text
    assert ".env" in text
    assert "--local needs no account" in text


def test_the_inbox_is_empty(shop, capsys):
    shutil.rmtree(shop / "inbox")
    code, text = said(capsys, "run", "pipeline.yaml", "--local")
    assert code == 2
    assert "the pattern inbox/*.{jpg,jpeg,png,webp} matches no file" in text
    assert "^" in text


def test_a_step_is_misspelt_in_an_expression(shop, capsys):
    edit(shop, "steps.white.output", "steps.whit.output")
    code, text = said(capsys, "validate", "pipeline.yaml")
    assert code == 2
    assert 'no step "whit"' in text
    assert 'did you mean "white"?' in text


def test_a_step_has_a_dash_in_its_name(shop, capsys):
    edit(shop, "  sheet:\n    image", "  my-sheet:\n    image")
    code, text = said(capsys, "validate", "pipeline.yaml")
    assert code == 2
    assert "my_sheet" in text


def test_a_line_is_indented_with_a_tab(shop, capsys):
    edit(shop, "    workflow: relight", "\tworkflow: relight")
    assert "a tab cannot indent in YAML" in said(capsys, "validate", "pipeline.yaml")[1]


def test_an_expression_in_braces_has_no_quotes(shop, capsys):
    edit(shop, 'matrix: {look: "${{ params.looks }}"}', "matrix: {look: ${{ params.looks }}}")
    assert 'write "${{ params.looks }}"' in said(capsys, "validate", "pipeline.yaml")[1]


def test_a_param_is_misspelt_or_no_json(shop, capsys):
    assert 'did you mean "caption"?' in said(capsys, "run", "pipeline.yaml", "--local", "-p", "captoin=x")[1]
    assert "must be a list as JSON" in said(capsys, "run", "pipeline.yaml", "--local", "-p", "looks=studio")[1]


def test_a_field_that_the_workflow_does_not_take(shop, capsys):
    edit(shop, "      text: ${{ params.caption }}", "      txt: ${{ params.caption }}")
    code, text = said(capsys, "validate", "pipeline.yaml")
    assert code == 2
    assert 'did you mean "text"?' in text


def test_a_file_in_the_inbox_is_no_picture(shop, capsys):
    (shop / "inbox" / "cup.jpg").write_text("hello")
    code, text = said(capsys, "run", "pipeline.yaml", "--local")
    assert code == 1
    assert "white@inbox/cup.jpg" in text
    assert "runs redo" in text


def test_the_past_is_asked_for_in_the_wrong_folder(shop, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, text = said(capsys, "report")
    assert code == 2
    assert "no .speedpix folder in" in text
    assert "go to the folder of a pipeline that has run" in text
