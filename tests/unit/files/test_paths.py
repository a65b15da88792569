from __future__ import annotations

import posixpath
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import collision_key, resolve, safe_file_name, safe_join, safe_save_path, shown_path


def test_a_relative_path_starts_at_its_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert resolve("a/../b.jpg", Path("/spec")) == Path("/spec/b.jpg")
    assert resolve("../x", Path("/a/b")) == Path("/a/x")
    assert resolve("/x", Path("/a")) == Path("/x")
    assert resolve("~/x", Path("/a")) == Path("/home/me/x")


def test_shown_paths_are_relative_inside_and_absolute_outside():
    assert shown_path(Path("/spec/in/a.jpg"), Path("/spec")) == "in/a.jpg"
    assert shown_path(Path("/specs/a.jpg"), Path("/spec")) == "/specs/a.jpg"
    assert shown_path(Path("/a"), Path("/")) == "a"
    assert shown_path(Path("/spec"), Path("/spec")) == "."


@pytest.mark.parametrize(
    ("trusted", "rest", "path"),
    [
        ("out/white/", "cup.png", "out/white/cup.png"),
        ("out/", "a/b.png", "out/a/b.png"),
        ("../other/w-", "cup.png", "../other/w-cup.png"),
        ("/abs/", "cup.png", "/abs/cup.png"),
        ("~/out/", "cup.png", "~/out/cup.png"),
        ("", "cup.png", "cup.png"),
        ("", "a/~b~", "a/~b~"),
        ("out/", "~/cup.png", "out/~/cup.png"),
        ("~/", "~x", "~/~x"),
        ("out/", 'a<b>:"c|d?*e\\f\x01.png', "out/a_b___c_d__e_f_.png"),
        ("out/", "name. ", "out/name__"),
        ("out/", "CON.png", "out/_CON.png"),
        ("out/", "lpt1", "out/_lpt1"),
        ("out/co", "n", "out/_con"),
        ("out/console", ".png", "out/console.png"),
        ("out/", "./a.png", "out/a.png"),
        ("out/fixed.png", "", "out/fixed.png"),
        ("out/", ".../x", "out/___/x"),
    ],
)
def test_a_save_path_keeps_what_the_author_wrote_and_cleans_what_was_rendered(trusted, rest, path):
    assert safe_save_path(trusted, rest) == path


@pytest.mark.parametrize(
    ("trusted", "rest", "why"),
    [
        ("out/", "../a.png", r"part `\.\.`"),
        ("out/", "a/../../b", r"part `\.\.`"),
        ("", "/etc/passwd", "is absolute"),
        ("out/", "/etc/passwd", "empty part"),
        ("out/", "a//b", "empty part"),
        ("out/", "a/", "empty part"),
        ("out/.", "./a", r"part `\.\.`"),
        ("out/", "a/.", "names no file"),
        ("out/", "x" * 300, "300 bytes"),
        ("out/", "\ud800", "not valid Unicode"),
        ("", "~/a.png", "begins with `~`"),
        ("", "./~/a.png", "begins with `~`"),
        ("", "~", "begins with `~`"),
        ("", "~root/a.png", "begins with `~`"),
        ("~", "root/a.png", "begins with `~`"),
        ("out/", "", "names no file"),
        ("", "a/" * 2500 + "b", "too long"),
    ],
)
def test_a_save_path_that_leads_astray_is_refused(trusted, rest, why):
    with pytest.raises(ExpressionError, match=why):
        safe_save_path(trusted, rest)


@pytest.mark.parametrize(
    ("fixed", "rest"),
    [
        ("./in/", "cup.jpg"),
        ("./in/", "a/b.jpg"),
        ("./in/", "./a..b.jpg"),
        ("./in/", "/cup.jpg"),
        ("../in/cup-", "1.jpg"),
        ("/data/", "cup.jpg"),
        ("~/", "~cup.jpg"),
        ("", "in/cup.jpg"),
        ("s3://shop/in/", "a/cup.jpg"),
    ],
)
def test_values_may_choose_among_the_files_below_what_the_author_wrote(fixed, rest):
    assert safe_file_name(fixed, rest) == fixed + rest


@pytest.mark.parametrize(
    ("fixed", "rest", "why"),
    [
        ("./in/", "../../secret.txt", r"part `\.\.`"),
        ("./in/.", "./secret.txt", r"part `\.\.`"),
        ("", "../secret.txt", r"part `\.\.`"),
        ("", "/etc/hostname", "is absolute"),
        ("", "~/.ssh/id", "begins with `~`"),
        ("~", "root/.ssh/id", "begins with `~`"),
        ("", "s3://shop/a.jpg", "bucket"),
        ("s3://", "shop/a.jpg", "bucket"),
        ("s3://shop", "-two/a.jpg", "bucket"),
    ],
)
def test_values_never_name_a_file_elsewhere(fixed, rest, why):
    with pytest.raises(ExpressionError, match=why):
        safe_file_name(fixed, rest)


nasty = st.text(st.sampled_from("./\\:~ aé\0\n*") | st.characters())


@given(st.sampled_from(["out/", "out/w-", "", "a/b/", "out/."]), nasty)
def test_no_rendered_value_leaves_the_trusted_folder(trusted, rest):
    try:
        path = safe_save_path(trusted, rest)
    except ExpressionError:
        return
    folder = trusted.rpartition("/")[0]
    assert not posixpath.isabs(path)
    assert posixpath.normpath(path) == path
    assert posixpath.normpath(path).startswith(folder)
    assert not path.startswith("~")
    assert ".." not in path.split("/")
    if rest:
        assert not set(path) & set('<>:"|?*\\\0\n')


def test_safe_join_follows_neither_dots_nor_links_out(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "door").symlink_to(outside)
    assert safe_join(inside, "a/b.png") == inside / "a" / "b.png"
    assert safe_join(inside, "a/../b.png") == inside / "b.png"
    for bad in ("../x", "/etc/passwd", "door/x", "a/../../x", "a\0b"):
        with pytest.raises(ExpressionError, match=r"out of its folder|NUL"):
            safe_join(inside, bad)


def same(one: str, other: str, *folders: str) -> bool:
    first, second = folders or ("/spec", "/spec")
    return collision_key(one, Path(first)) == collision_key(other, Path(second))


def test_collision_keys_ignore_case_and_composition():
    assert same("Out/CAF\u00c9.png", "out/cafe\u0301.PNG")
    assert same("out/./a.png", "out/a.png")
    assert not same("out/a.png", "out/b.png")


def test_collision_keys_are_those_of_whole_addresses(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert not same("out/a.png", "out/a.png", "/spec", "/spec/parts")
    assert same("out/a.png", "../out/a.png", "/spec", "/spec/parts")
    assert same("/out/a.png", "/out/a.png", "/spec", "/spec/parts")
    assert same("~/a.png", "/home/me/a.png")
    assert same("s3://shop/a.png", "s3://shop/A.png", "/spec", "/spec/parts")


@given(st.text())
def test_collision_keys_are_the_same_for_all_spellings(name):
    keys = {
        collision_key("x/" + form, Path("/spec"))
        for form in (name, unicodedata.normalize("NFD", name), unicodedata.normalize("NFC", name))
    }
    assert len(keys) == 1
