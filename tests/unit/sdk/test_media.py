import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedpix_pipe.sdk import _media, detect_mime_type_from_buffer, get_content_type

CASES = [
    (b"\xff\xd8\xff\xe0", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF89a", "image/gif"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
    (b"BM\x36\0\0\0", "image/bmp"),
    (b"\0\0\0\x18ftypmp42", "video/mp4"),
    (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
    (b"\0\0\0\x14ftypavif", "image/avif"),
    (b"%PDF-1.7", "application/pdf"),
    (b"PK\x03\x04....", "application/zip"),
    (b"PK\x05\x06....", "application/zip"),
    (b"PK\x07\x08....", "application/zip"),
    (b"<svg xmlns='x'>", "image/svg+xml"),
    (b"<?xml version='1.0'?><svg/>", "image/svg+xml"),
    (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- c --> <svg>", "image/svg+xml"),
    (b"<?xml version='1.0'?><a/>", "application/xml"),
    ("智能工坊 hello".encode(), "text/plain"),
    (("长" * 400).encode()[:1024], "text/plain"),
    (b"hello\0there", "application/octet-stream"),
    (b"\x01\x02\x03\x04", "application/octet-stream"),
    (b"data ftypmp42 later", "text/plain"),
    (b"", "application/octet-stream"),
]


@pytest.mark.parametrize(("data", "kind"), CASES, ids=lambda value: repr(value)[:24])
def test_content_is_recognised(data, kind):
    assert detect_mime_type_from_buffer(data) == kind
    assert detect_mime_type_from_buffer(bytearray(data)) == kind
    assert detect_mime_type_from_buffer(memoryview(data)) == kind


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.JPG", None, "image/jpeg"),
        ("a.jpeg", None, "image/jpeg"),
        ("a.mov", None, "video/quicktime"),
        ("noextension", None, "application/octet-stream"),
        (None, None, "application/octet-stream"),
        ("a.jpg", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("a.json", b'{"a": 1}', "application/json"),
        ("a.bin", b"plain words", "text/plain"),
        ("a.jpg", b"\x01\x02", "image/jpeg"),
        (None, b"GIF89a", "image/gif"),
    ],
)
def test_name_and_content_together(name, data, kind):
    assert get_content_type(name, data) == kind


@given(st.binary(max_size=2048))
def test_any_bytes_have_a_type(data):
    assert "/" in detect_mime_type_from_buffer(data)


def test_types_have_their_usual_extension():
    assert _media.extension_of("image/jpeg") == ".jpg"
    assert _media.extension_of("IMAGE/PNG; q=1") == ".png"
    assert _media.extension_of("x/y") == ""
