"""The page on fan-outs says what happens: each of its specs is run, and every task is as its table has it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.scripted import carry_out

PAGE = Path(__file__).parents[2] / "docs" / "fan-outs.md"
FENCE = re.compile(r"^```(yaml|answers|tasks)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[dict[str, str]]:
    """Specs with what follows each of them."""
    found: list[dict[str, str]] = []
    for kind, body in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "yaml":
            found.append({})
        found[-1][kind] = body
    return found


def rules(answers: dict[str, Any]) -> dict[str, Any]:
    return {name: answer if isinstance(answer, list) else [{"give": answer}] for name, answer in answers.items()}


def name_of(example: dict[str, str]) -> str:
    return str(yaml.safe_load(example["yaml"])["name"])


@pytest.mark.slow
@pytest.mark.parametrize("example", examples(), ids=name_of)
def test_an_example_runs_as_its_table_says(example: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "page.yaml").write_text(example["yaml"], encoding="utf-8")
    named = {step["workflow"] for step in yaml.safe_load(example["yaml"])["steps"].values()}
    script = {**{name: {"v": None} for name in named}, **yaml.safe_load(example.get("answers", "{}"))}
    came = carry_out(tmp_path, "page.yaml", rules(script))
    rows = [line.split(maxsplit=2) for line in example["tasks"].splitlines()]
    assert came.problems == [] or came.errors == []
    assert came.statuses == {task: status for task, status, _ in rows}
    assert came.sent == {task: json.loads(sent) for task, _, sent in rows if sent != "-"}
    for step in dict.fromkeys(task.partition("@")[0] for task, _, _ in rows):
        assert list(came.of(step)) == [t.partition("@")[2] for t, _, _ in rows if t.partition("@")[0] == step]


def test_the_page_has_examples() -> None:
    assert len(examples()) == 7
