"""Wrong specs whose mistakes show only between steps, or once lists are expanded: each shows its expected problems.

They stand among the other wrong examples as `graph-*.yaml`, and are looked at as `validate` does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.validate import validate
from speedpix_pipe.errors import Severity
from speedpix_pipe.settings import load_settings
from tests.unit.spec.test_examples import EXAMPLES, written

GRAPHS = sorted((EXAMPLES / "invalid").glob("graph-*.yaml"))


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_a_wrong_graph_shows_its_problems(path: Path, golden: Callable[[Path, str], None]) -> None:
    problems = validate(SpecRequest(Path(path.name), path.parent, load_settings(None, {})))
    assert [problem for problem in problems if problem.severity is Severity.ERROR]
    golden(path.with_suffix(".problems"), written(problems, path.name))


def test_there_are_120_wrong_examples_with_expected_problems() -> None:
    examples = [path for path in (EXAMPLES / "invalid").glob("*.yaml") if path.with_suffix(".problems").exists()]
    assert len(examples) >= 120
