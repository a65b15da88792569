"""`--rev`: the spec and its sub-pipelines as they stood at a revision, all else from the working tree, left untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.functional.repository import commit_all, git

pytestmark = pytest.mark.slow

OUTER = """\
apiVersion: speedpix-pipe/v1
name: outer
params:
  words: {type: array, default: [one, two]}
steps:
  part:
    pipeline: ./parts/inner.yaml
    for_each: ${{ params.words }}
    input: {word: "${{ item }}"}
  note:
    workflow: text-to-image
    input: {prompt: "${{ read(file('note.txt')) }} at ${{ git.commit }}"}
"""
INNER = """\
apiVersion: speedpix-pipe/v1
name: inner
params: {word: {type: string}}
steps:
  draw:
    workflow: text-to-image
    input: {prompt: "${{ params.word }} OLD", width: 64, height: 64}
    save: out/${{ params.word }}.${{ ext }}
"""


@pytest.fixture
def shop(project: Path) -> Path:
    (project / "parts").mkdir()
    (project / "spec.yaml").write_text(OUTER, encoding="utf-8")
    (project / "parts" / "inner.yaml").write_text(INNER, encoding="utf-8")
    (project / "note.txt").write_text("old note", encoding="utf-8")
    (project / ".gitignore").write_text(".speedpix/\nout/\n", encoding="utf-8")
    commit_all(project, "old")
    git(project, "tag", "v1")
    (project / "parts" / "inner.yaml").write_text(INNER.replace("OLD", "NEW"), encoding="utf-8")
    (project / "spec.yaml").write_text(OUTER.replace("[one, two]", "[one, two, three]"), encoding="utf-8")
    (project / "note.txt").write_text("new note", encoding="utf-8")
    commit_all(project, "new")
    return project


def inputs(cli, run_id: str) -> dict[str, object]:
    details = cli("runs", "show", run_id, "--json").json["details"]
    return {f"{task['step']}@{task['key']}": task["input"] for task in details}


def test_spec_and_sub_pipelines_come_from_git_and_all_else_from_the_working_tree(cli, shop: Path) -> None:
    run = cli("run", "spec.yaml", "--local", "--rev", "v1", "--json").json
    assert run["tasks"]["total"] == 5
    sent = inputs(cli, run["run_id"])
    assert sent["part.draw@one"]["prompt"] == "one OLD"
    assert sent["note@"]["prompt"] == f"new note at {git(shop, 'rev-parse', 'v1')}"
    assert sorted(path.name for path in (shop / "parts" / "out").iterdir()) == ["one.jpg", "two.jpg"]


def test_the_working_tree_and_the_repository_are_left_as_they_are(cli, shop: Path) -> None:
    (shop / "parts" / "inner.yaml").write_text("half: [written", encoding="utf-8")
    before = (git(shop, "status", "--porcelain"), git(shop, "rev-parse", "HEAD"), git(shop, "stash", "list"))
    index = (shop / ".git" / "index").read_bytes()
    for command in ("validate", "plan", "run"):
        extra = ["--local"] if command != "validate" else []
        assert cli(command, "spec.yaml", "--rev", "v1", *extra).code == 0
    assert (git(shop, "status", "--porcelain"), git(shop, "rev-parse", "HEAD"), git(shop, "stash", "list")) == before
    assert (shop / ".git" / "index").read_bytes() == index
    assert (shop / "parts" / "inner.yaml").read_text(encoding="utf-8") == "half: [written"


def test_validate_and_plan_look_at_the_revision(cli, shop: Path) -> None:
    (shop / "spec.yaml").write_text("nonsense: true\n", encoding="utf-8")
    assert cli("validate", "spec.yaml").code == 2
    assert cli("validate", "spec.yaml", "--rev", "HEAD").code == 0
    steps = {s["step"]: s["total"] for s in cli("plan", "spec.yaml", "--rev", "v1", "--json").json["steps"]}
    assert steps["part.draw"] == 2
    steps = {s["step"]: s["total"] for s in cli("plan", "spec.yaml", "--rev", "HEAD", "--json").json["steps"]}
    assert steps["part.draw"] == 3


def test_a_spec_that_was_deleted_since_still_runs_at_its_revision(cli, shop: Path) -> None:
    git(shop, "rm", "-q", "-r", "spec.yaml", "parts")
    assert cli("run", "spec.yaml", "--local", "--rev", "v1").code == 0


def test_a_sub_pipeline_that_was_not_there_yet_is_a_problem_of_the_line_that_names_it(cli, shop: Path) -> None:
    text = OUTER.replace("parts/inner.yaml", "parts/late.yaml")
    (shop / "spec.yaml").write_text(text, encoding="utf-8")
    commit_all(shop, "too early")
    (shop / "parts" / "late.yaml").write_text(INNER, encoding="utf-8")
    assert cli("validate", "spec.yaml").code == 0
    [problem] = [p for p in cli("validate", "spec.yaml", "--rev", "HEAD", "--json").json if p["severity"] == "error"]
    assert (problem["line"], problem["code"]) == (7, "spec.no-file")


@pytest.mark.parametrize(("revision", "code"), [("nowhere", 2), ("--help", 2), ("", 2)])
def test_a_revision_that_is_none_is_refused(cli, shop: Path, revision: str, code: int) -> None:
    assert cli("validate", "spec.yaml", f"--rev={revision}").code == code


def test_every_run_records_commit_dirtiness_digest_and_the_resolved_spec(cli, shop: Path) -> None:
    clean = cli("run", "spec.yaml", "--local", "--json").json["run_id"]
    facts = cli("runs", "show", clean, "--json").json
    assert (facts["commit"], facts["dirty"]) == (git(shop, "rev-parse", "HEAD"), False)
    inner = (shop / "parts" / "inner.yaml").read_text(encoding="utf-8")
    (shop / "parts" / "inner.yaml").write_text(f"{inner}# touched\n", encoding="utf-8")
    dirty = cli("runs", "show", cli("run", "spec.yaml", "--local", "--json").json["run_id"], "--json").json
    assert (dirty["commit"], dirty["dirty"]) == (facts["commit"], True)
    assert dirty["spec_digest"] != facts["spec_digest"]
    kept = cli("runs", "show", clean, "--resolved", "--json").json
    assert kept["steps"]["part"]["pipeline"] == "./parts/inner.yaml"
    assert kept["x-pipelines"]["./parts/inner.yaml"]["steps"]["draw"]["timeout"] == "30m"
    assert yaml.safe_load(cli("runs", "show", clean, "--resolved").out) == kept


def test_a_run_at_a_revision_records_that_commit(cli, shop: Path) -> None:
    run = cli("run", "spec.yaml", "--local", "--rev", "v1", "--json").json["run_id"]
    facts = cli("runs", "show", run, "--json").json
    assert (facts["commit"], facts["dirty"]) == (git(shop, "rev-parse", "v1"), False)
    assert "at commit" in cli("runs", "show", run).out


def test_outside_of_a_repository_there_is_no_commit_to_record(cli, project: Path) -> None:
    (project / "spec.yaml").write_text(INNER.replace("{type: string}", "{type: string, default: x}"), encoding="utf-8")
    run = cli("run", "spec.yaml", "--local", "--json").json
    facts = cli("runs", "show", run["run_id"], "--json").json
    assert (facts["commit"], facts["dirty"]) == (None, False)
    assert json.loads(cli("validate", "spec.yaml", "--rev", "HEAD", "--json").out or "[]") is not None
    assert cli("validate", "spec.yaml", "--rev", "HEAD").code == 2
