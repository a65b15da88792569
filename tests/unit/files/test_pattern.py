from __future__ import annotations

import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import find_files, pattern_covers


def make(folder, *paths):
    for path in paths:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x")


def paths(pattern, folder, **options):
    return [file.path for file in find_files(pattern, folder, **options)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("inbox/*.jpg", ["inbox/B.JPG", "inbox/a.jpg"]),
        ("inbox/*.{jpg,png}", ["inbox/B.JPG", "inbox/a.jpg", "inbox/c.png"]),
        ("{inbox,more}/*.png", ["inbox/c.png", "more/sub/../m.png".replace("sub/../", "")]),
        ("**/*.png", ["inbox/c.png", "inbox/deep/er/e.png", "more/m.png", "top.png"]),
        ("inbox/**", ["inbox/B.JPG", "inbox/a.jpg", "inbox/c.png", "inbox/deep/d.jpg", "inbox/deep/er/e.png"]),
        ("inbox/**/e.png", ["inbox/deep/er/e.png"]),
        ("inbox/*/*.jpg", ["inbox/deep/d.jpg"]),
        ("inbox/?.jpg", ["inbox/B.JPG", "inbox/a.jpg"]),
        ("inbox/[!a].jpg", ["inbox/B.JPG"]),
        ("INBOX/A.*", ["inbox/a.jpg"]),
        ("./inbox/a.jpg", ["inbox/a.jpg"]),
        ("inbox/a.{jpg}", ["inbox/a.{jpg}"]),
    ],
)
def test_a_pattern_finds_its_files_in_the_order_of_paths(tmp_path, pattern, expected):
    make(tmp_path, "inbox/a.jpg", "inbox/B.JPG", "inbox/c.png", "inbox/deep/d.jpg", "inbox/deep/er/e.png")
    make(tmp_path, "more/m.png", "top.png", "inbox/.hidden.jpg", ".git/x.png")
    if expected == ["inbox/a.{jpg}"]:
        make(tmp_path, "inbox/a.{jpg}")
    assert paths(pattern, tmp_path) == expected


def test_dot_names_are_found_only_by_name(tmp_path):
    make(tmp_path, ".cache/a.jpg", "b/.c.jpg")
    assert paths("**/*.jpg", tmp_path, allow_empty=True) == []
    assert paths(".cache/*.jpg", tmp_path) == [".cache/a.jpg"]
    assert paths("b/.*.jpg", tmp_path) == ["b/.c.jpg"]


def test_folder_links_are_not_followed_and_file_links_are_files(tmp_path):
    make(tmp_path, "in/a.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "b.jpg").symlink_to(tmp_path / "in" / "a.jpg")
    assert paths("in/**/*.jpg", tmp_path) == ["in/a.jpg", "in/b.jpg"]


def test_rel_is_below_the_fixed_folder(tmp_path):
    make(tmp_path, "in/x/a.jpg", "in/b.jpg")
    assert [file.rel for file in find_files("in/**/*.jpg", tmp_path)] == ["b.jpg", "x/a.jpg"]
    assert [file.rel for file in find_files("in/x/a.jpg", tmp_path)] == ["a.jpg"]
    assert [file.rel for file in find_files("**/*.jpg", tmp_path)] == ["in/b.jpg", "in/x/a.jpg"]


def test_a_file_outside_the_folder_shows_its_absolute_path(tmp_path):
    make(tmp_path, "spec/p.yaml", "photos/a.jpg")
    (file,) = find_files("../photos/*.jpg", tmp_path / "spec")
    assert file.path == f"{tmp_path}/photos/a.jpg"
    assert (file.rel, file.absolute) == ("a.jpg", tmp_path / "photos" / "a.jpg")


def test_nothing_found_is_an_error_unless_allowed(tmp_path):
    with pytest.raises(ExpressionError, match="matches no file") as caught:
        find_files("no/*.jpg", tmp_path)
    assert caught.value.code == "files.no-match"
    assert find_files("no/*.jpg", tmp_path, allow_empty=True) == []


def test_dots_after_a_wildcard_and_floods_of_alternatives_are_refused(tmp_path):
    with pytest.raises(ExpressionError, match="after a wildcard"):
        find_files("*/../x.jpg", tmp_path)
    with pytest.raises(ExpressionError, match="alternatives"):
        find_files("{a,b}" * 20, tmp_path)


def test_names_are_matched_without_regard_to_composition(tmp_path):
    make(tmp_path, "cafe\u0301.jpg")
    assert paths("caf\u00e9.*", tmp_path) == ["cafe\u0301.jpg"]


def test_a_name_that_is_not_utf8_is_named(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "w"):
        pass
    with pytest.raises(ExpressionError, match="not UTF-8"):
        find_files("*.jpg", tmp_path)


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("inbox/*.jpg", "inbox/A.JPG", True),
        ("inbox/*.jpg", "inbox/deep/a.jpg", False),
        ("./inbox/**/*.jpg", "inbox/deep/a.jpg", True),
        ("**/*.{jpg,png}", "out/a.png", True),
        ("inbox/*", "out/a.png", False),
        ("../in/*", "../in/a", True),
        ("out/**", "out/a/b.png", True),
        ("out/a.png", "OUT/a.png", True),
        ("inbox/*", "inbox", False),
    ],
)
def test_pattern_covers(pattern, path, covered):
    assert pattern_covers(pattern, path) is covered


names = st.sampled_from(["a", "b", "ab", "a.b", "A", ".a", "c.jpg"])
trees = st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8)
segments = st.sampled_from(["*", "**", "a", "b*", "?", "*.jpg", "[ab]", "{a,b}", "{a,c.j*g}", "*b"])
patterns = st.lists(segments, min_size=1, max_size=3).map("/".join)


def naive(pattern: str) -> re.Pattern[str]:
    """The whole pattern as one expression, the slow and plain way."""
    rows = [pattern]
    while any("{" in row for row in rows):
        rows = (
            [
                row[: row.index("{")] + choice + row[row.index("}") + 1 :]
                for row in rows
                for choice in (row[row.index("{") + 1 : row.index("}")].split(",") if "{" in row else [""])
            ]
            if all("{" in row for row in rows)
            else rows
        )
    made = []
    for row in rows:
        parts = row.split("/")
        if parts[-1] == "**":
            parts.append("*")
        text = ""
        for at, part in enumerate(parts):
            if part == "**":
                text += r"(?:(?!\.)[^/]+/)*"
                continue
            one = re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]").replace(r"\[ab\]", "[ab]")
            text += r"(?!\.)" + one + ("/" if at < len(parts) - 1 else "")
        made.append(text)
    return re.compile("|".join(f"(?:{one})" for one in made), re.IGNORECASE)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tree=trees, pattern=patterns)
def test_patterns_find_what_a_plain_reading_finds(tmp_path_factory, tree, pattern):
    folder = tmp_path_factory.mktemp("tree")
    for path in tree:
        place = folder / path
        if not place.exists() and not any(parent.is_file() for parent in place.parents):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    existing = sorted(place.relative_to(folder).as_posix() for place in folder.rglob("*") if place.is_file())
    expected = [path for path in existing if naive(pattern).fullmatch(path)]
    if pattern in existing:
        expected = [pattern]  # a plain path means that very file
        assert paths(pattern, folder) == expected
        return
    assert paths(pattern, folder, allow_empty=True) == expected
    assert [path for path in existing if pattern_covers(pattern, path)] == expected
