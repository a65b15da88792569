import io
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.sdk import File, InputError, _inputs
from speedpix_pipe.sdk._inputs import Collector, at_place, is_file_url, looks_like_path, wrap_urls

PATHS = ["/a/b.png", "./a.jpg", "../a.jpg", "~/a.jpg", "~me/a.b-c.webp", "C:\\x\\a.png", "d:/a.mp4", "/with space/a.png",
         "/阿里云/图.png", "./.hidden.png"]  # fmt: skip
WORDS = ["a.png", "", "/", "./", "~", "~20 cats.jpg", "a cat.", "/imagine a cat", "/etc/passwd", "//cdn/x.png", "a:b.png",
         "http://x/a.png", "data:image/png;base64,AA", "/line\nbreak.png", "/nul\0.png", "/" + "a" * 5000 + ".png",
         "./end.", "C:cat.png"]  # fmt: skip


@pytest.mark.parametrize("text", PATHS)
def test_this_looks_like_a_path(text):
    assert looks_like_path(text)


@pytest.mark.parametrize("text", WORDS, ids=lambda text: repr(text)[:30])
def test_this_does_not(text):
    assert not looks_like_path(text)


@given(st.text())
def test_looks_are_decided_for_any_text_and_prompts_are_safe(text):
    if looks_like_path(text):
        assert text[0] in "/.~" or text[1] == ":"
        assert "\n" not in text


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_plain_json_passes_unchanged(value):
    found = Collector({"v": value}, detect_paths=False)
    assert found.tree == {"v": value}
    assert found.files == []


def test_files_are_found_wherever_they_are():
    stream = io.BytesIO(b"x")
    file = File("http://u/f", "f", "image/png", 1, "00")
    found = Collector(
        {"a": Path("/x.png"), "b": [b"1", {"c": stream}], "d": "./y.png", "e": file, "f": ("t", bytearray(b"2"))},
        detect_paths=True,
    )
    assert [place for place, _ in found.files] == ["input.a", "input.b[0]", "input.b[1].c", "input.d", "input.f[1]"]
    assert found.fill(["1", "2", "3", "4", "5"]) == {
        "a": "1", "b": ["2", {"c": "3"}], "d": "4", "e": "http://u/f", "f": ["t", "5"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": object()}, "input.a is a object"),
        ({"a": {1, 2}}, "input.a is a set"),
        ({1: "a"}, "a key that is not a string"),
        ({"a": io.StringIO("x")}, "opened as text"),
        ({"a": (x for x in "ab")}, "generator"),
        ("not a mapping", "must be a mapping"),
        (None, "must be a mapping"),
    ],
)
def test_what_is_neither_json_nor_a_file_is_refused_by_name(value, said):
    with pytest.raises(InputError, match=said):
        Collector(value, detect_paths=True)


def test_path_objects_of_other_libraries_are_files():
    class Elsewhere:
        def __fspath__(self):
            return "/x.png"

    assert _inputs.as_local_file(Elsewhere()) == Path("/x.png")
    assert _inputs.as_local_file(PurePosixPath("/x.png")) == Path("/x.png")


@pytest.mark.parametrize(
    "url", ["http://x/a", "HTTPS://x/a?b=c", "data:image/png;base64,AAAA", "DATA:a/b;x=1;base64,AA=="]
)
def test_these_are_file_urls(url):
    assert is_file_url(url)


@pytest.mark.parametrize(
    "text", ["see http://x/a", "http://x/a b", "http://", "ftp://x/a", "data:text/plain,hello", "x"]
)
def test_these_are_not(text):
    assert not is_file_url(text)


def test_urls_are_wrapped_where_they_stand_and_found_again():
    value = {"a": [{"url": "http://x/1"}, "http://x/2", "text"], "n": 1}
    wrapped = wrap_urls(value, lambda url, place: (url, place))
    assert wrapped == {"a": [{"url": ("http://x/1", ("a", 0, "url"))}, ("http://x/2", ("a", 1)), "text"], "n": 1}
    assert at_place(value, ("a", 0, "url")) == "http://x/1"
    assert at_place(value, ("a", 7, "url")) is None
    assert at_place(value, ("n", "x")) is None
