"""Every problem code of the spec has its line in the docs, and an example of its own where it is about the file."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = re.compile(r"\"((?:yaml|spec|usage|expression)\.[a-z0-9-]+)\"")
WITHOUT_EXAMPLE = {
    "yaml.syntax",  # what nobody has met yet
    "yaml.too-large",  # a file of 8 MiB
    "yaml.too-many-values",  # likewise
    "yaml.too-deep",  # has one; kept here for the day when the depth changes
    "expression.too-many",  # a file of thousands of different expressions
    "spec.too-many-steps",  # a file of 5,000 steps
    "spec.unreadable",  # a file that is not there
    "spec.pipeline-depth",  # twenty files
}


def codes_in(folder: Path) -> set[str]:
    return {code for path in folder.rglob("*.py") for code in CODE.findall(path.read_text(encoding="utf-8"))}


def test_every_code_of_the_spec_is_documented() -> None:
    documented = set(re.findall(r"`([a-z]+\.[a-z0-9-]+)`", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")))
    known = {code for code in codes_in(ROOT / "speedpix_pipe" / "spec") if not code.endswith(".error")}
    assert sorted(known - documented) == []


def test_every_code_about_a_file_has_an_example() -> None:
    shown = {
        match
        for path in (ROOT / "tests" / "examples" / "invalid").glob("*.problems")
        for match in re.findall(r"^\S+ (?:error|warning) ([a-z]+\.[a-z0-9-]+):", path.read_text("utf-8"), re.MULTILINE)
    }
    rooms = (
        "load",
        "yaml_advice",
        "schema",
        "schema_words",
        "words",
        "declared",
        "inputs",
        "steps",
        "build",
        "draft",
        "object_urls",
        "uses",
    )
    texts = [(ROOT / "speedpix_pipe" / "spec" / f"{room}.py").read_text(encoding="utf-8") for room in rooms]
    mine = {code for text in texts for code in CODE.findall(text)}
    assert sorted(mine - shown - WITHOUT_EXAMPLE) == []
