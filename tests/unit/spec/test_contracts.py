"""Values against what a workflow takes and gives, without changing them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.files import FileValue
from speedpix_pipe.model import Field, Mark, Workflow
from speedpix_pipe.spec.contracts import BadSchemaError, check_for, check_input, check_output

MARK = Mark("a.yaml", 1, 1)


def field(name: str, kind: str | None, *, required: bool = False, **schema: Any) -> Field:
    return Field(name, kind, schema, MARK, required=required)


def workflow(**fields: Field) -> Workflow:
    return Workflow("white", "wf-white", MARK, input=fields, output=fields)


@pytest.fixture
def photo(tmp_path: Path) -> FileValue:
    (tmp_path / "cup.jpg").write_bytes(b"x")
    return FileValue.local(tmp_path / "cup.jpg", tmp_path)


WHITE = workflow(
    image=field("image", "file", required=True),
    text=field("text", "string", maxLength=5),
    size=field("size", "integer", minimum=1, maximum=9),
    looks=field("looks", "array", items={"type": "string"}, minItems=1),
    masks=field("masks", "files", maxItems=2),
    free=field("free", None),
)


def test_a_good_input_has_nothing_wrong(photo: FileValue) -> None:
    given = {"image": photo, "text": "阿里云", "size": 9, "looks": ["sun"], "masks": [photo], "free": {"a": photo}}
    assert check_input(WHITE, given) == []


@pytest.mark.parametrize(
    "value",
    ["https://example.test/a.png", "http://example.test/a", "data:image/png;base64,AAAA", {"url": "https://a/b"}],
)
def test_a_file_may_be_a_url(value: Any) -> None:
    assert check_input(WHITE, {"image": value}) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("image", "cup.jpg", 'image must be a file or the URL of one, not the text "cup.jpg"'),
        ("image", ["https://a/b"], "image must be a file or the URL of one, not a list of 1"),
        ("text", "too long", "text has 8 characters; at most 5 are allowed"),
        ("text", 5, "text must be a text, not the number 5"),
        ("size", "5", 'size must be a whole number, not the text "5"'),
        ("size", True, "size must be a whole number, not true"),
        ("size", 0, "size must be at least 1, not 0"),
        ("size", 10, "size must be at most 9, not 10"),
        ("looks", [], "looks has 0 elements; at least 1 are needed"),
        ("looks", ["sun", 1], "looks[1] must be a text, not the number 1"),
        ("masks", "https://a/b", 'masks must be a list of files, not the text "https://a/b"'),
        ("masks", ["https://a/b", 1], "masks[1] must be a file or the URL of one, not the number 1"),
        ("masks", ["https://a/b"] * 3, "masks has 3 elements; at most 2 are allowed"),
        ("imag", 1, 'white has no input imag; did you mean "image"?'),
    ],
)
def test_what_breaks_the_contract_is_said_in_words(name: str, value: Any, said: str) -> None:
    assert check_input(WHITE, {"image": "https://a/b", name: value}) == [said]


def test_a_file_is_no_text_and_stands_in_no_plain_list(photo: FileValue) -> None:
    assert check_input(WHITE, {"image": photo, "text": photo}) == ["text must be a text, not the file cup.jpg"]
    assert check_input(WHITE, {"image": photo, "looks": [photo]}) == [
        "looks holds a file, which only a field of type file or files may"
    ]


def test_null_is_not_sent_and_so_a_required_field_is_missing() -> None:
    assert check_input(WHITE, {"image": None, "text": None}) == ["image is missing; white needs it"]


def test_without_a_contract_everything_is_fine() -> None:
    assert check_input(Workflow("w", "w", MARK), {"a": object()}) == []
    assert check_output(Workflow("w", "w", MARK), "text") == []


def test_an_output_may_have_more_than_the_contract_lists() -> None:
    assert check_output(WHITE, {"image": {"url": "https://a/b"}, "more": 1}) == []
    assert check_output(WHITE, {"size": "3"}) == [
        "image is missing in the output; white promises it",
        'size must be a whole number, not the text "3"',
    ]
    assert check_output(WHITE, ["x"]) == ["the output must be a mapping, not a list of 1"]


def test_whole_floats_are_whole_numbers_and_the_value_stays() -> None:
    given = {"image": "https://a/b", "size": 3.0}
    assert check_input(WHITE, given) == []
    assert type(given["size"]) is float


@pytest.mark.parametrize("schema", [{"minimum": "x"}, {"pattern": "("}, {"items": {"type": "file"}}, {"enum": 3}])
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(BadSchemaError):
        check_for("array", schema)


@pytest.mark.parametrize("target", ["https://example.test/s.json", "file:///etc/passwd", "other.json"])
def test_a_schema_never_reads_another_file(target: str) -> None:
    with pytest.raises(BadSchemaError):
        check_for("object", {"properties": {"a": {"$ref": target}}})


def test_two_workflows_with_the_same_name_keep_their_own_contracts() -> None:
    for kind, value in [("string", "x"), ("integer", 1)] * 3:
        assert check_input(workflow(a=field("a", kind)), {"a": value}) == []
