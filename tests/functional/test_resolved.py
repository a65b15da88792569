"""The resolved spec: a spec itself, that means what the spec means of which it was made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from speedpix_pipe.app.resolved import duration_text, resolved_spec
from speedpix_pipe.plan.diff import compare
from speedpix_pipe.spec.build import has_errors, load_pipeline
from speedpix_pipe.spec.scalars import parse_duration

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted([*(ROOT / "pipelines").glob("*.yaml"), *(ROOT / "tests/examples/valid").glob("*.yaml")])
SPECS = [path for path in SPECS if not path.name.endswith(".test.yaml")]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_resolved_spec_means_the_same(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(path.parent, folder)
    before, _ = load_pipeline(folder / path.name, check_files=False)
    assert before is not None
    text = yaml.safe_dump(json.loads(json.dumps(resolved_spec(before))), sort_keys=False, allow_unicode=True)
    (folder / path.name).write_text(text, encoding="utf-8")
    after, problems = load_pipeline(folder / path.name, check_files=False)
    assert after is not None
    assert not has_errors(problems), [str(problem) for problem in problems]
    assert compare(before, after) == []


@pytest.mark.parametrize("seconds", [0.25, 1, 90, 1800, 7 * 86400, 3725.5])
def test_a_duration_reads_back(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == seconds
