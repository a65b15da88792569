"""No spec gives a traceback, whatever is wrong with it: examples with words and lines out of place, through whole commands.

What `load` makes of broken text is tried beside it; here come the graph, the values, and what a plan would do.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.spec.test_mutations import THORNS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(
    path
    for pattern in ("tests/examples/valid/*.yaml", "tests/examples/invalid/graph-*.yaml", "pipelines/*.yaml")
    for path in ROOT.glob(pattern)
    if ".test." not in path.name and path.name != "objects.yaml"  # which asks a storage
)
PARTS = [
    *THORNS,
    *("${{ item }}", "${{ matrix.look }}", "${{ steps.white }}", "${{ steps.white.output.images.url }}", "for_each: 1"),
    *("${{ range(3) }}", "${{ glob('*') }}", "when: true", "needs: [white]", "matrix: {a: [1, 2]}", "on_error: ignore"),
    *("${{ steps.a.outputs | map(attribute='x') }}", "expect: {images: {min_width: 1}}", "outputs:", "steps:", "-1"),
]
_WORD = re.compile(r"[\w.]+")


@st.composite
def misplaced(draw: st.DrawFn) -> tuple[Path, str]:
    """An example in which words and lines stand where they do not belong."""
    path = draw(st.sampled_from(EXAMPLES))
    text = path.read_text(encoding="utf-8")
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["word", "part", "drop", "twice", "swap", "shift"]))
        lines = text.split("\n")
        one, other = (draw(st.integers(0, len(lines) - 1)) for _ in "ab")
        if kind == "word":
            words = list(_WORD.finditer(text)) or [re.match("", text)]
            here, there = (draw(st.sampled_from(words)) for _ in "ab")
            text = text[: here.start()] + there[0] + text[here.end() :]
            continue
        if kind == "part":
            at = draw(st.integers(0, len(text)))
            text = text[:at] + draw(st.sampled_from(PARTS)) + text[at + draw(st.integers(0, 12)) :]
            continue
        if kind == "drop":
            del lines[one]
        elif kind == "twice":
            lines.insert(other, lines[one])
        elif kind == "swap":
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one] = " " * draw(st.integers(0, 8)) + lines[one].strip()
        text = "\n".join(lines) or "\n"
    return path, text


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples where they may be written beside, with all that they name."""
    folder = tmp_path_factory.mktemp("copies")
    shutil.copytree(ROOT / "tests" / "examples", folder / "tests" / "examples")
    shutil.copytree(ROOT / "pipelines", folder / "pipelines", ignore=shutil.ignore_patterns(".speedpix", "out"))
    return folder


@given(misplaced())
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_validate_and_plan_end_well(cli: Callable[..., Any], copies: Path, spec: tuple[Path, str]) -> None:
    path, text = spec
    mutant = copies / path.relative_to(ROOT).with_name("mutant.yaml")
    mutant.write_bytes(text.encode("utf-8", "surrogateescape"))
    checked = cli("validate", mutant, "--json")
    problems = json.loads(checked.out)
    wrong = [problem for problem in problems if problem["severity"] == "error"]
    assert checked.code == (2 if wrong else 0), checked.err
    assert all(problem["line"] >= 1 and problem["column"] >= 1 and problem["message"] for problem in problems)
    planned = cli("plan", mutant, "--local", "--json")
    assert planned.code in {0, 2}, planned.err
    assert not (wrong and planned.code == 0)
    drawn = cli("plan", mutant, "--graph", "svg")
    assert drawn.code in {0, 2}, drawn.err


@pytest.mark.parametrize(
    "body", ["steps:\noutputs: {a: '${{ steps.b.file }}'}\n", "outputs: {a: '${{ steps.b.key }}'}\n"]
)
def test_a_spec_without_any_step_ends_well(cli: Callable[..., Any], project: Path, body: str) -> None:
    Path("case.yaml").write_text("apiVersion: speedpix-pipe/v1\nname: case\n" + body)
    ran = cli("validate", "case.yaml", "--json")
    assert ran.code == 2
    assert "there is no step at all" in {problem["hint"] for problem in ran.json}
