"""YAML as 1.2 core has it, with the place of every value and of every character of a text."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest

from speedpix_pipe.errors import Problem, Severity
from speedpix_pipe.spec.load import MAX_BYTES, MAX_PROBLEMS, load_source
from speedpix_pipe.spec.places import Node


def read(text: str) -> Node:
    _, root, problems = load_source(text.encode(), "a.yaml")
    assert problems == []
    assert root is not None
    return root


def wrong(text: str | bytes) -> list[Problem]:
    return load_source(text if isinstance(text, bytes) else text.encode(), "a.yaml")[2]


def codes(text: str | bytes) -> list[tuple[str, int, int]]:
    return [(p.code, p.line, p.column) for p in wrong(text)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("NO", "NO"),
        ("12:30", "12:30"),
        ("2001-01-01", "2001-01-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("0o17", 15),
        ("0xff", 255),
        ("-3", -3),
        ("+3", 3),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1.2.3", "1.2.3"),
        ("-", None),
        ("=", "="),
        (".inf.jpg", ".inf.jpg"),
        ("12345678901234567890123", 12345678901234567890123),
    ],
)
def test_scalars_are_those_of_yaml_core(written: str, value: Any) -> None:
    if written == "-":
        assert read("a:\n  -\n").value == {"a": [None]}
        return
    found = read(f"a: {written}\n").value["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("written", ["017", "-08", "+09", "00"])
def test_a_leading_zero_is_decimal_and_warned_of(written: str) -> None:
    _, root, problems = load_source(f"a: {written}".encode(), "a.yaml")
    assert root is not None
    assert root.value == {"a": int(written)}
    assert [(p.code, p.severity) for p in problems] == [("yaml.leading-zero", Severity.WARNING)]


@pytest.mark.parametrize("written", [".inf", "-.Inf", ".NAN", "1e999", "9" * 5000])
def test_numbers_that_are_none_are_refused(written: str) -> None:
    assert codes(f"a: {written}") == [("yaml.not-finite", 1, 4)]


def test_merge_is_shallow_and_own_keys_come_first() -> None:
    root = read("x-a: &a {one: {deep: 1}, two: 2}\nx-b: &b {two: 3, three: 3}\nc: {one: {own: 1}, <<: [*a, *b]}\n")
    assert root.value["c"] == {"one": {"own": 1}, "two": 2, "three": 3}
    assert list(root.value["c"]) == ["one", "two", "three"]


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert read('a: {"<<": 1}').value == {"a": {"<<": 1}}


def test_an_alias_shares_the_value_of_its_anchor() -> None:
    root = read("a: &x [1, 2]\nb: *x\n")
    assert root.value == {"a": [1, 2], "b": [1, 2]}
    assert root.members["b"].mark.line == 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: &x 017\n", (1, 7)),
        ("a: &x   # a comment\n  017\n", (2, 3)),
        ("a: [&x 017, *x]\n", (1, 8)),
        ("a: {b: &x-1 017}\n", (1, 13)),
    ],
)
def test_a_value_with_an_anchor_begins_behind_it(text: str, place: tuple[int, int]) -> None:
    assert [(p.code, (p.line, p.column)) for p in wrong(text)] == [("yaml.leading-zero", place)]


def test_a_text_with_an_anchor_knows_its_characters() -> None:
    root = read('a: &x "b ${{ c }}"\nd: &y plain ${{ e }}\nf: &z |\n  g ${{ h }}\n')
    places = [root.members[name].locator()(root.members[name].value.index("$")) for name in "adf"]
    assert [(place.line, place.column) for place in places] == [(1, 10), (2, 13), (4, 5)]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    _, root, problems = load_source(b"\xef\xbb\xbfa: 1\n", "a.yaml")
    assert problems == []
    assert root is not None
    assert root.keys["a"].mark.column == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(end: str) -> None:
    root = read(end.join(["a: 1", "b:", "  c: 2", ""]))
    assert (root.members["b"].members["c"].mark.line, root.members["b"].members["c"].mark.column) == (3, 6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: {b: ${{ c }}}", [("yaml.unquoted-expression", 1, 8)]),
        ("a: [${{ c }}]", [("yaml.unquoted-expression", 1, 5)]),
        ("a: ${{ {'b': 1} if c else d: e }}", [("yaml.unquoted-expression", 1, 4)]),
        ("a: *.jpg", [("yaml.unquoted-star", 1, 4)]),
        ("a: **/*.jpg", [("yaml.unquoted-star", 1, 4)]),
        ("a: > 3", [("yaml.block-header", 1, 4)]),
        ("a: | x", [("yaml.block-header", 1, 4)]),
        ("a:\n\tb: 1", [("yaml.tab", 2, 1)]),
        ("a: b\nc\nd: e", [("yaml.missing-colon", 2, 1)]),
        ("a:b\nc: d", [("yaml.colon-space", 1, 1)]),
        ("a: b: c", [("yaml.colon", 1, 5)]),
        ("a: `b`", [("yaml.reserved", 1, 4)]),
        ("a: 'it's'", [("yaml.after-quote", 1, 8)]),
        ('a: "b', [("yaml.quote", 1, 4)]),
        ('a: "\\q"', [("yaml.escape", 1, 5)]),
        ("a: [1", [("yaml.flow", 1, 4)]),
        ("a: {b: 1\nc: 2", [("yaml.flow", 1, 4)]),
        ("a:\n   b: 1\n  c: 2", [("yaml.indentation", 3, 3)]),
        ("a: 1\n---\nb: 1", [("yaml.documents", 2, 1)]),
        ("a: !x 1", [("yaml.tag", 1, 4)]),
        ("a: !!map {}", [("yaml.tag", 1, 4)]),
        ("1: a", [("yaml.key-not-text", 1, 1)]),
        ("[a]: b", [("yaml.key-not-text", 1, 1)]),
        ("a: 1\na: 2\na: 3", [("yaml.duplicate-key", 2, 1), ("yaml.duplicate-key", 3, 1)]),
        ("a: &a {b: *a}", [("yaml.endless-alias", 1, 11)]),
        ("a: *b", [("yaml.unknown-alias", 1, 4)]),
        ("a: {<<: b}", [("yaml.merge", 1, 9)]),
        ("a: b\x00", [("yaml.control-character", 1, 5)]),
        ("a: \x1b[0m", [("yaml.control-character", 1, 4)]),
        (b"a: 1\nb: \xff", [("yaml.not-utf8", 2, 4)]),
        (b"\xff\xfea\x00", [("yaml.not-utf8", 1, 1)]),
    ],
)
def test_what_yaml_cannot_read_is_said_once_and_at_its_place(
    text: str | bytes, expected: list[tuple[str, int, int]]
) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("block", "offset_of"),
    [
        ("plain $X here", "X"),
        ("'it''s ''quoted'' $X'", "X"),
        (r'"tab\t and é\u963f\U0001f600 \"$X\""', "X"),
        ('"over \\\n    lines $X"', "X"),
        ('"folded\n\n    lines $X"', "X"),
        ("plain\n    over lines\n\n    to $X", "X"),
        ("|\n    one\n      two\n    $X\n", "X"),
        (">-\n    one\n    two\n\n      indented $X\n    three\n", "X"),
        ("|+ # comment\n    one $X\n\n\n", "X"),
        (">2\n      kept blank $X\n", "X"),
        ("'over\n\n    lines ''$X'", "X"),
        ('"$X', "X"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_character_of_a_text_knows_its_place(block: str, offset_of: str, end: str) -> None:
    if block == '"$X':
        block = '"\\n\\n  $X"'
    text = f"a:\n  b: {block}\nc: 1\n".replace("\n", end)
    node = read(text).members["a"].members["b"]
    mark = node.locator()(node.value.index(offset_of))
    line = text.replace("\r\n", "\n").split("\n")[mark.line - 1]
    assert line[mark.column - 1] == offset_of
    assert node.locator()(len(node.value)).line >= mark.line


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 60)]
    began = time.process_time()
    assert [p.code for p in wrong("\n".join(lines))] == ["yaml.alias-bomb"]
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 100_000, "- " * 100_000, "? " * 100_000])
def test_deep_nesting_ends_in_a_problem(text: str) -> None:
    assert [p.code for p in wrong(text)] == ["yaml.too-deep"]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("a: {b: ${{ c }}}", '"${{ c }}"'),
        ("a: {b: out/${{ c }}-x.png, d: e}", '"out/${{ c }}-x.png"'),
        ("a: [x ${{ c }} and ${{ d }}, ${{ e }}]", '"x ${{ c }} and ${{ d }}"'),
        ("a: {b: out/${{ c }}, d: ${{ e }}}", '"out/${{ c }}"'),
        ("a: x ${{ {'b': 1} }} y # z", "\"x ${{ {'b': 1} }} y\""),
    ],
)
def test_the_whole_value_is_written_out_in_quotes(text: str, advice: str) -> None:
    (problem,) = wrong(text)
    assert (problem.code, problem.hint) == ("yaml.unquoted-expression", f"write {advice}")


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: [\n", (1, 4)), ("a: {\n", (1, 4)), ("a: [[1, 2]\nb: {}\n", (1, 4)), ("a:\n  - {b: [1, 2}\n", (2, 14))],
)
def test_a_bracket_that_is_never_closed_is_pointed_at(text: str, place: tuple[int, int]) -> None:
    (problem,) = wrong(text)
    assert (problem.code, (problem.line, problem.column)) == ("yaml.flow", place)
    assert "[" in problem.message or "{" in problem.message


@pytest.mark.parametrize(("opening", "levels"), [("[", 102), ("[", 100_000), ("{", 100_000), ("[ ", 600)])
def test_the_first_value_that_is_too_deep_is_pointed_at_and_nothing_before_it_is_forgotten(
    opening: str, levels: int
) -> None:
    """The newer libyaml stops at a depth of its own, far behind the place, before it has told of any value."""
    text = f"a: 1\na: 2\nb:\n  - {opening * levels}"
    column = 5 + len(opening) * 98  # the mapping and the list are two of the hundred
    assert codes(text) == [("yaml.duplicate-key", 2, 1), ("yaml.too-deep", 4, column)]


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    assert [p.code for p in wrong(b"a" * (MAX_BYTES + 1))] == ["yaml.too-large"]


def test_a_file_that_is_wrong_all_over_ends_early() -> None:
    assert len(wrong("a: 1\n" * 100_000)) == MAX_PROBLEMS


def test_the_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    read("a: 1")
    assert gc.isenabled()


def test_a_problem_shows_its_line_with_a_caret_of_the_right_width() -> None:
    (problem,) = wrong("a:\n  b: *nothing\n")
    assert problem.snippet == "  b: *nothing"
    assert (problem.column, problem.width) == (6, 8)
    assert str(problem) == "a.yaml:2:6: no anchor &nothing before this place"
