"""Stand-ins for workflows that nobody wrote."""

import functools

import jsonschema_rs
import pytest

from speedpix_pipe.emulator.contracts import answer, picture
from speedpix_pipe.emulator.workflows.base import Artifact, DefaultImages

OUTPUTS = {
    "images": {"type": "file"},
    "more": {"type": "files", "minItems": 3},
    "text": {"type": "string", "maxLength": 6},
    "score": {"type": "number", "minimum": 0.75},
    "count": {"type": "integer"},
    "good": {"type": "boolean"},
    "kind": {"type": "string", "enum": ["a", "b"]},
    "tags": {"type": "array", "items": {"type": "string"}},
    "box": {"type": "object", "properties": {"x": {"type": "integer", "minimum": 4}}},
}


def test_every_declared_field_is_answered_in_its_type():
    made = answer("mystery", OUTPUTS, {"a": 1})
    assert isinstance(made["images"], Artifact)
    assert len({one.content for one in made["more"]}) == 3
    assert {name: made[name] for name in ("text", "score", "count", "good", "kind", "tags", "box")} == {
        "text": "text o",
        "score": 0.75,
        "count": 1,
        "good": True,
        "kind": "a",
        "tags": ["tags of mystery"],
        "box": {"x": 4},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "maximum": 0},
        {"type": "integer", "minimum": 5, "multipleOf": 4},
        {"type": "integer", "exclusiveMinimum": 3},
        {"type": "number", "maximum": 0.25},
        {"type": "number", "exclusiveMinimum": 0.5, "maximum": 1},
        {"type": "number", "minimum": -3, "exclusiveMaximum": 0},
        {"type": "array", "minItems": 2},
        {"type": "array"},
        {"type": "object", "required": ["a"]},
        {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer"}}},
        {"type": "string", "minLength": 40},
    ],
)
def test_an_answer_keeps_what_the_schema_asks(schema):
    value = answer("m", {"v": schema}, {})["v"]
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(value), value


def test_a_contract_without_outputs_gives_one_picture_as_such_workflows_do():
    one, other = (picture("m", {"a": n}) for n in (1, 2))
    assert isinstance(one, DefaultImages)
    assert [image.kind for image in one.images] == ["image"]
    assert one != other


def test_inputs_decide_the_picture():
    one, same, other = (answer("m", {"images": {"type": "file"}}, {"a": n})["images"].content for n in (1, 1, 2))
    assert one == same
    assert one != other


def test_it_serves_as_a_fallback(start):
    contracts = {"mystery": OUTPUTS}
    wire = start(
        fallback=lambda name, inputs: (
            functools.partial(answer, name, contracts[name])(inputs) if name in contracts else None
        )
    )
    made = wire.run("mystery", {"a": 1})
    assert wire.send("GET", made["images"]["url"]).picture.size == (768, 512)
