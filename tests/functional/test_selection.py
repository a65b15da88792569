"""`--only` and `--from`: exactly the named tasks, and what they need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedpix_pipe.cli import main

SPEC = """apiVersion: speedpix-pipe/v1
name: chosen
params: {photos: {type: array, default: [a/cup, a/bowl, b/cup]}}
steps:
  first:
    workflow: text-to-image
    for_each: ${{ params.photos }}
    input: {prompt: "${{ item }}", width: 64, height: 64}
  second:
    workflow: upscale
    for_each: ${{ steps.first }}
    matrix: {factor: [1, 2]}
    input: {image: "${{ steps.first.output.images.url }}", factor: "${{ matrix.factor }}"}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def go(*arguments: str):
        code = main(["run", "spec.yaml", "--local", "--json", *arguments])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return go


def test_only_a_step_runs_it_and_what_it_needs(run) -> None:
    code, summary = run("--only", "first")
    assert (code, summary["tasks"]["total"], summary["predictions"]["submitted"]) == (0, 3, 3)


def test_only_one_task_runs_its_own_ancestors(run) -> None:
    code, summary = run("--only", "second@a/bowl,factor=2")
    assert (code, summary["tasks"]["total"]) == (0, 2)


def test_a_pattern_takes_all_that_fit(run) -> None:
    code, summary = run("--only", "second@*cup*")
    assert (code, summary["tasks"]["total"]) == (0, 2 + 4)


def test_a_stem_that_fits_one_task_names_it(run) -> None:
    code, summary = run("--only", "first@bowl")
    assert (code, summary["tasks"]["total"]) == (0, 1)


def test_a_stem_that_fits_several_is_refused_before_anything_runs(run) -> None:
    code, summary = run("--only", "first@cup")
    assert (code, summary["run_id"], summary["errors"][0]["type"]) == (2, None, "usage.ambiguous-task")


@pytest.mark.parametrize(("selection", "error"), [("frist", "usage.no-step"), ("first@spoon", "usage.no-task")])
def test_what_does_not_exist_is_refused(run, selection: str, error: str) -> None:
    code, summary = run("--only", selection)
    assert (code, summary["errors"][0]["type"]) == (2, error)


def test_from_a_task_goes_on_to_what_follows_from_it_alone(run) -> None:
    code, summary = run("--from", "first@a/bowl")
    assert (code, summary["tasks"]["total"]) == (0, 1 + 2)


def test_what_was_run_before_comes_from_the_cache(run) -> None:
    run("--only", "first")
    _, summary = run("--only", "second@a/cup,factor=1")
    assert (summary["tasks"]["cached"], summary["tasks"]["succeeded"]) == (1, 1)
