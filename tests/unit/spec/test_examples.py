"""The example specs: every valid one loads without an error, every wrong one shows exactly its expected problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.spec.build import load_pipeline

EXAMPLES = Path(__file__).parents[2] / "examples"
VALID = sorted((EXAMPLES / "valid").glob("*.yaml"))
INVALID = sorted(path for path in (EXAMPLES / "invalid").glob("*.yaml") if not path.name.startswith("graph-"))


def problems_of(path: Path) -> list[Problem]:
    return load_pipeline(path, shown=path.name)[1]


def written(problems: Iterable[Problem], own: str) -> str:
    """Problems as the files beside the examples have them."""
    lines = []
    for problem in problems:
        place = f"{problem.line}:{problem.column}"
        place = place if problem.path == own else f"{problem.path}:{place}"
        lines.append(f"{place} {problem.severity} {problem.code}: {problem.message}")
        if problem.snippet is not None:
            shown = problem.snippet.replace("\t", " ").replace("\0", " ")
            lines += [f"    | {shown}", "    | " + " " * (problem.column - 1) + "^" * problem.width]
        if problem.hint:
            lines.append(f"    {problem.hint}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_example_loads_without_errors(path: Path) -> None:
    pipeline, problems = load_pipeline(path, shown=path.name)
    assert [str(p) for p in problems if p.severity is Severity.ERROR] == []
    assert pipeline is not None
    assert pipeline.steps


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_shows_its_problems(path: Path, golden: Callable[[Path, str], None]) -> None:
    problems = problems_of(path)
    assert problems, "an example of something wrong needs a problem"
    golden(path.with_suffix(".problems"), written(problems, path.name))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_problem_underlines_something_that_is_there(path: Path) -> None:
    for problem in problems_of(path):
        if problem.snippet is not None:
            assert 1 <= problem.column <= len(problem.snippet) + 1
            assert problem.column - 1 + problem.width <= max(len(problem.snippet), problem.column)


def test_expected_problems_belong_to_an_example() -> None:
    assert [p.name for p in (EXAMPLES / "invalid").glob("*.problems") if not p.with_suffix(".yaml").exists()] == []
