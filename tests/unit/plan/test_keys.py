"""Keys and coordinates: how values become names and places."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.files import FileValue
from speedpix_pipe.plan.keys import coordinate, cut, join_axes, key_text, own_key_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("cup", "cup"),
        ("", ""),
        (1, "1"),
        (2.5, "2.5"),
        (1.0, "1.0"),
        (True, "true"),
        ({"name": "bowl", "x": 1}, "bowl"),
        ({"name": 3}, "3"),
        ({"title": "bowl"}, None),
        ({"name": {"name": "deep"}}, None),
        (None, None),
        ([1], None),
    ],
)
def test_an_item_is_named_by_its_text_or_its_name(value: Any, text: str | None) -> None:
    assert key_text(value) == text


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    assert key_text(FileValue.local(tmp_path / "in" / "a.png", tmp_path)) == "in/a.png"


def test_a_key_of_ones_own_is_never_an_object() -> None:
    assert own_key_text({"name": "bowl"}) is None
    assert own_key_text("bowl") == "bowl"


def test_axes_follow_in_alphabetical_order_and_empty_parts_bring_no_separator() -> None:
    assert join_axes("p1", [("size", "1"), ("look", "sun")]) == "p1,look=sun,size=1"
    assert join_axes("", [("look", "sun")]) == "look=sun"
    assert join_axes("p1", []) == "p1"


@pytest.mark.parametrize("length", [119, 120])
def test_a_key_of_up_to_120_characters_is_whole(length: int) -> None:
    assert cut("é" * length) == "é" * length


def test_a_longer_key_is_cut_and_told_apart_by_its_digest() -> None:
    whole = "é" * 121
    assert cut(whole) == "é" * 111 + "~" + hashlib.sha256(whole.encode()).hexdigest()[:8]
    assert cut(whole) != cut(whole + "é")


def test_coordinates_are_equal_where_values_are() -> None:
    assert coordinate(1) == coordinate(1.0)
    assert coordinate(1) != coordinate(True)
    assert coordinate("1") != coordinate(1)
    assert coordinate({"b": 1, "a": 2}) == coordinate({"a": 2, "b": 1})
    assert {coordinate([1, {"x": None}])}  # a place in a dict
