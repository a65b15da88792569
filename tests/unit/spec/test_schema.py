"""The JSON Schema itself, and how its verdicts are worded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from speedpix_pipe.spec.load import load_source
from speedpix_pipe.spec.schema import MAX_STEPS, pipeline_schema, schema_problems, schema_text

EXAMPLES = Path(__file__).parents[2] / "examples"


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that an author can write, with its path."""
    if not isinstance(schema, dict):
        return
    for keyword in ("properties", "definitions"):
        for name, part in schema.get(keyword, {}).items():
            if keyword == "definitions" or not path.startswith("#"):
                yield f"{path}/{name}", part
            yield from parts(part, f"{path}/{name}")
    for keyword in ("additionalProperties", "items"):
        yield from parts(schema.get(keyword), f"{path}/*")
    for branch in schema.get("anyOf", []):
        yield from parts(branch, path)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref") or (part.get("allOf") or [{}])[0].get("$ref")
    target = pipeline_schema()["definitions"][reference.rpartition("/")[2]] if reference else {}
    return {**target, **part}


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(pipeline_schema())


def test_every_field_has_title_description_and_examples() -> None:
    fields = [(path, resolved(part)) for path, part in parts(pipeline_schema())]
    assert len(fields) > 120
    assert [path for path, part in fields if not {"title", "description", "examples"} <= part.keys()] == []


def test_examples_of_fields_are_valid() -> None:
    for path, part in parts(pipeline_schema()):
        schema = {**part, "definitions": pipeline_schema()["definitions"]}
        if "$ref" in part:
            continue
        for example in part.get("examples", []):
            assert list(jsonschema.Draft7Validator(schema).iter_errors(example)) == [], (path, example)


def test_built_in_values_are_written_in_the_schema() -> None:
    schema = pipeline_schema()
    definitions, limits = schema["definitions"], schema["properties"]["limits"]["properties"]
    found = {
        "timeout": definitions["timeout"]["default"],
        "attempts": definitions["retry"]["properties"]["attempts"]["default"],
        "backoff": definitions["retry"]["properties"]["backoff"]["default"],
        "max_backoff": definitions["retry"]["properties"]["max_backoff"]["default"],
        "on_error": definitions["on_error"]["default"],
        "on_unknown_submit": definitions["on_unknown_submit"]["default"],
        "concurrency": limits["concurrency"]["default"],
        "submitting": limits["submitting"]["default"],
        "settle": definitions["watch"]["properties"]["settle"]["default"],
    }
    assert found == {
        "timeout": "30m",
        "attempts": 5,
        "backoff": "1s",
        "max_backoff": "60s",
        "on_error": "continue",
        "on_unknown_submit": "hold",
        "concurrency": 16,
        "submitting": 32,
        "settle": "2s",
    }


def test_the_text_for_editors_is_the_schema() -> None:
    assert json.loads(schema_text()) == pipeline_schema()


@pytest.mark.parametrize("path", sorted((EXAMPLES / "valid").glob("*.yaml")), ids=lambda path: path.stem)
def test_another_validator_accepts_the_valid_examples(path: Path) -> None:
    _, root, _ = load_source(path.read_bytes(), path.name)
    assert root is not None
    assert list(jsonschema.Draft7Validator(pipeline_schema()).iter_errors(root.value)) == []


@pytest.mark.parametrize("path", sorted((EXAMPLES / "invalid").glob("*.yaml")), ids=lambda path: path.stem)
def test_another_validator_refuses_what_the_schema_is_said_to_refuse(path: Path) -> None:
    _, root, _ = load_source(path.read_bytes(), path.name)
    if root is None or not root.is_map:
        return
    refused = bool(list(jsonschema.Draft7Validator(pipeline_schema()).iter_errors(root.value)))
    assert refused or schema_problems(root) == []


def test_more_steps_than_a_spec_may_have_are_one_problem() -> None:
    text = "apiVersion: speedpix-pipe/v1\nname: x\nsteps: {" + ", ".join(f"s{i}: x" for i in range(MAX_STEPS + 1)) + "}"
    _, root, _ = load_source(text.encode(), "a.yaml")
    assert root is not None
    assert [p.code for p in schema_problems(root)] == ["spec.too-many-steps"]


@pytest.mark.slow
def test_a_valid_spec_needs_no_words() -> None:
    """`validate` of a good spec imports neither `jsonschema` nor what explains mistakes."""
    code = (
        "import sys; from pathlib import Path; from speedpix_pipe.spec.build import load_pipeline; "
        f"assert load_pipeline(Path({str(EXAMPLES / 'valid' / 'minimal.yaml')!r}))[1] == []; "
        "print([m for m in ('jsonschema', 'speedpix_pipe.spec.schema_words', 'speedpix_pipe.spec.yaml_advice', 'difflib')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def without_words(schema: Any) -> Any:
    """What a schema demands, without what it only says to people."""
    if isinstance(schema, dict):
        words = {"title", "examples", "patternErrorMessage"}
        names = (
            schema.get("type") is None and "anyOf" not in schema and "enum" not in schema and "pattern" not in schema
        )
        return {k: without_words(v) for k, v in schema.items() if names or k not in words}
    return [without_words(part) for part in schema] if isinstance(schema, list) else schema


def test_image_operations_are_those_of_their_own_schema() -> None:
    path = Path(__file__).parents[3] / "schemas" / "steps" / "image.schema.json"
    own = json.loads(path.read_text(encoding="utf-8"))["items"]["anyOf"]
    here = pipeline_schema()["definitions"]["operation"]["anyOf"]
    assert without_words(here[0]) == without_words(own[0])
    assert list(here[1]["properties"]) == list(own[1]["properties"])
    for name, operation in own[1]["properties"].items():
        assert without_words(here[1]["properties"][name]) == without_words(operation), name


def test_one_wrong_step_among_many_is_found_at_its_place() -> None:
    lines = [f"  s{i}: {{workflow: w}}" for i in range(500)]
    lines[321] = "  s321: {workflow: w, timeot: 3m}"
    text = "apiVersion: speedpix-pipe/v1\nname: x\nlimits: {rate: 3}\nsteps:\n" + "\n".join(lines)
    _, root, _ = load_source(text.encode(), "a.yaml")
    assert root is not None
    assert sorted((p.line, p.column, p.code) for p in schema_problems(root)) == [
        (3, 16, "spec.type"),
        (326, 23, "spec.unknown-key"),
    ]
