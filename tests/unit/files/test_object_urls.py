from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import ObjectUrl, address_of, names_object, pattern_covers, safe_save_path, shown_address
from speedpix_pipe.files.storage import covered, object_url, secret_in


@pytest.mark.parametrize(
    "text", ["s3://shop/a.jpg", "oss://shop/a.jpg", "S3://shop/a", "ftp://x/y", "file:///etc/passwd"]
)
def test_a_scheme_makes_an_object(text):
    assert names_object(text)


@pytest.mark.parametrize(
    "text", ["a.jpg", "/a/b", "http://x/a.jpg", "HTTPS://x", "data:,x", "C:/x", "a b://x", "inbox/x://y"]
)
def test_paths_and_urls_of_the_service_are_none(text):
    assert not names_object(text)


def test_the_parts_of_a_url():
    url = object_url("S3://shop/in/阿 里?#%20/a.b.jpg")
    assert url.text == "s3://shop/in/阿 里?#%20/a.b.jpg"
    assert (url.scheme, url.bucket, url.key, url.name) == ("s3", "shop", "in/阿 里?#%20/a.b.jpg", "a.b.jpg")
    assert url.with_name("x.png").text == "s3://shop/in/阿 里?#%20/x.png"
    assert str(url) == url.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s3://", "names no bucket"),
        ("s3:///a", "names no bucket"),
        ("s3://shop", "names no object"),
        ("s3://shop/", "names no object"),
        ("s3://sh*p/a", "a bucket that is no plain name"),
        ("s3://shop/in/", "names a folder"),
        ("s3://shop//a", "an empty part"),
        ("s3://shop/a/../b", "a part `.` or `..`"),
        ("s3://shop/./b", "a part `.` or `..`"),
        ("s3://shop/" + "x" * 1001, "is too long"),
        ("s3://shop/a\0b", "NUL"),
        ("file:///etc/passwd", "no storage known here"),
        ("s3://key:word@shop/a", "a user or a password"),
        ("s3://shop/a?X-Amz-Signature=word", "a query"),
        ("oss://shop/a?OSSAccessKeyId=word&Signature=word", "a query"),
    ],
)
def test_what_is_no_address_is_refused(text, words):
    with pytest.raises(ExpressionError, match=words) as caught:
        object_url(text)
    assert "word@" not in caught.value.message
    assert "=word" not in caught.value.message


def test_a_pattern_may_hold_wildcards_and_end_in_a_slash():
    assert object_url("s3://shop/in/**/*.{jpg,png}", pattern=True).key == "in/**/*.{jpg,png}"
    assert object_url("s3://shop/img?.jpg", pattern=True).key == "img?.jpg"


WORDS = st.text("abcXYZ019-_.~+", min_size=1, max_size=30)


@given(before=st.sampled_from(["", "  photos: ", "see "]), user=WORDS, word=WORDS, key=WORDS)
def test_a_secret_is_covered_and_everything_else_keeps_its_place(before, user, word, key):
    secret = f"zZ{word}Zz"
    for url in (f"s3://{user}:{secret}@shop/{key}", f"oss://shop/{key}?Signature={secret}"):
        line = f"{before}{url} # the end"
        hidden = covered(line)
        assert secret_in(line) is not None
        assert secret not in hidden
        assert len(hidden) == len(line)
        assert hidden.startswith(before)
        assert hidden.endswith(" # the end")


@given(st.text(max_size=60))
def test_a_text_without_an_objects_secret_is_left_as_it_is(text):
    if secret_in(text) is None:
        assert covered(text) == text


def test_signed_addresses_of_the_service_are_not_ours_to_judge():
    url = "https://bucket.example/a.png?Signature=x"
    assert secret_in(url) is None
    assert covered(url) == url


def test_an_address_is_a_path_or_a_url():
    folder = Path("/specs")
    assert address_of("out/a.png", folder) == Path("/specs/out/a.png")
    assert address_of("s3://shop/a.png", folder) == ObjectUrl("s3://shop/a.png")
    assert shown_address(Path("/specs/out/a.png"), folder) == "out/a.png"
    assert shown_address(ObjectUrl("s3://shop/a.png"), folder) == "s3://shop/a.png"


def test_a_target_keeps_its_bucket_and_cleans_what_values_give():
    assert safe_save_path("s3://shop/out/", "a:b.png") == "s3://shop/out/a_b.png"
    assert safe_save_path("s3://shop/out/a.png", "") == "s3://shop/out/a.png"
    assert safe_save_path("s3://shop/", "deep/er.png") == "s3://shop/deep/er.png"
    for trusted, rest in (
        ("s3://", "shop/a"),
        ("s3://shop-", "x/a"),
        ("s3://shop/", "../a"),
        ("s3://shop/", "a//b"),
        ("", "s3://shop/a"),
    ):
        with pytest.raises(ExpressionError):
            safe_save_path(trusted, rest)


def test_patterns_of_paths_and_of_objects_do_not_cover_each_other():
    assert pattern_covers("s3://shop/in/*.jpg", "s3://shop/in/a.JPG")
    assert not pattern_covers("s3://shop/in/*.jpg", "s3://other/in/a.jpg")
    assert not pattern_covers("**/*.jpg", "s3://shop/in/a.jpg")
    assert not pattern_covers("s3://shop/**", "shop/in/a.jpg")
