"""The examples of docs/expressions.md give what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.model import Mark
from speedpix_pipe.spec.checks import CHECKS
from speedpix_pipe.spec.expressions import Scope, TaskView, render
from speedpix_pipe.spec.filters_text import TEXT_METHODS
from speedpix_pipe.spec.functions import FUNCTIONS
from speedpix_pipe.spec.names import NAMES
from speedpix_pipe.spec.templates import TemplateError, parse

PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text(encoding="utf-8")
EXAMPLES = [
    tuple(part.strip() for part in line.split("→"))
    for block in re.findall(r"^```examples\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


class Steps:
    def __init__(self, tasks):
        self.tasks = tasks

    def one(self, step):
        return TaskView("", **self.tasks[step])

    def many(self, step):
        return [TaskView(**task) for task in self.tasks[step]]


@pytest.fixture
def scope(tmp_path):
    names = yaml.safe_load(re.search(r"^```yaml names\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE).group(1))
    for path, text in names.pop("files").items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return Scope(tmp_path, steps=Steps(names.pop("steps")), **names)


@pytest.mark.parametrize(("text", "result"), EXAMPLES, ids=[text for text, _ in EXAMPLES])
def test_an_example_gives_what_the_page_says(scope, text, result):
    def evaluated():
        return render(parse(text, lambda _: Mark("p.yaml", 1, 1)), scope)

    if not result.startswith("error: "):
        assert json.dumps(evaluated()) == json.dumps(json.loads(result))
        return
    with pytest.raises((ExpressionError, TemplateError)) as caught:
        evaluated()
    assert result.removeprefix("error: ") in caught.value.message


def test_the_page_names_what_there_is():
    assert len(EXAMPLES) > 60
    for name in (*NAMES, *FUNCTIONS):
        assert f"`{name}" in PAGE
    tests = re.search(r"^Tests stand after(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE).group(1)
    assert set(re.findall(r"`(\w+)`", tests)) - {"is"} <= set(CHECKS)
    methods = re.search(r"^A text has the methods(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE).group(1)
    assert set(re.findall(r"`(\w+)`", methods)) <= TEXT_METHODS
