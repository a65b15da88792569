"""Every pipeline of `pipelines/` is checked and carried out on the emulator, over small pictures of its own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from speedpix_pipe.app.spectest.stage import picture
from speedpix_pipe.spec.schema import schema_text

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = sorted(path for path in (ROOT / "pipelines").glob("*.yaml") if not path.name.endswith(".test.yaml"))
EXAMPLES = ROOT / "tests" / "examples"


@pytest.fixture
def shop(project: Path) -> Path:
    """The examples as somebody has them who copied the folder, with two photos in the inbox."""
    shutil.copytree(ROOT / "pipelines", project, dirs_exist_ok=True)
    (project / "inbox").mkdir(exist_ok=True)
    for name in ("cup", "bowl"):
        content = picture({"picture": name, "width": 320, "height": 240}, "jpeg")
        (project / "inbox" / f"{name}.jpg").write_bytes(content)
    return project


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_an_example_is_valid_without_a_warning_and_runs(cli, shop: Path, path: Path) -> None:
    checked = cli("validate", path.name, "--json")
    assert (checked.code, checked.json) == (0, [])
    given = ["-p", "photos=inbox/*.jpg"] if path.stem == "hot-folder" else []  # its folder gives it that
    ran = cli("run", path.name, "--local", "--json", *given)
    assert ran.code == 0, ran.err
    summary = json.loads(ran.out.splitlines()[-1])
    assert summary["status"] == "succeeded"
    assert summary["tasks"]["total"] == sum(n for name, n in summary["tasks"].items() if name != "total") > 0
    assert summary["files"]
    for file in summary["files"]:
        assert (shop / file["path"]).stat().st_size > 0
    again = json.loads(cli("run", path.name, "--local", "--json", *given).out.splitlines()[-1])
    assert again["predictions"]["submitted"] == 0


def test_there_are_at_least_eight_examples_and_each_says_what_it_teaches() -> None:
    assert len(PIPELINES) >= 8
    assert [path.name for path in PIPELINES if "Teaches:" not in path.read_text(encoding="utf-8")] == []


def schema() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(json.loads(schema_text()))


def loaded(path: Path) -> object:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_editors_accept_every_valid_spec() -> None:
    valid = [*PIPELINES, *(EXAMPLES / "valid").glob("*.yaml"), *(EXAMPLES / "worked").glob("*/pipeline.yaml")]
    assert [path.name for path in valid if not schema().is_valid(loaded(path))] == []


def test_editors_refuse_every_spec_whose_form_is_wrong() -> None:
    form = re.compile(r"^\d+:\d+ error (spec\.unknown-key|spec\.missing-key|spec\.type):", re.MULTILINE)
    wrong = [
        path
        for path in sorted((EXAMPLES / "invalid").glob("*.yaml"))
        if not path.name.startswith("yaml-") and form.search(path.with_suffix(".problems").read_text("utf-8"))
    ]
    assert len(wrong) > 10
    assert [path.name for path in wrong if schema().is_valid(loaded(path))] == []
