from __future__ import annotations

import hashlib
import io
import wave
import zipfile

import pytest
from PIL import Image

from speedpix_pipe.files import image_size, sha256_file, sniff


def picture(kind: str, size=(4, 3), **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind, **options)
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a", "b")
    return out.getvalue()


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type", "extension"),
    [
        (picture("JPEG"), "image/jpeg", "jpg"),
        (picture("PNG"), "image/png", "png"),
        (picture("GIF"), "image/gif", "gif"),
        (picture("WEBP"), "image/webp", "webp"),
        (picture("BMP"), "image/bmp", "bmp"),
        (picture("TIFF"), "image/tiff", "tiff"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video/mp4", "mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime", "mov"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81", "video/webm", "webm"),
        (b"ID3\x04\0\0", "audio/mpeg", "mp3"),
        (b"\xff\xfb\x90\x00", "audio/mpeg", "mp3"),
        (sound(), "audio/wav", "wav"),
        (b"%PDF-1.7\n", "application/pdf", "pdf"),
        (archive(), "application/zip", "zip"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "image/svg+xml", "svg"),
        (b"\xef\xbb\xbf<svg/>", "image/svg+xml", "svg"),
        (b'{"a": 1}', "application/json", "json"),
        (b"{a} b", "text/plain", "txt"),
        ("grüß dich".encode(), "text/plain", "txt"),
        (b"", "text/plain", "txt"),
        (b"\x00\x01\x02", "application/octet-stream", "bin"),
        (b"\x80abc", "application/octet-stream", "bin"),
        (("é" * 3000).encode(), "text/plain", "txt"),
        (b"a" + ("é" * 3000).encode(), "text/plain", "txt"),
    ],
)
def test_content_is_known_by_its_bytes(tmp_path, data, media_type, extension):
    assert sniff(data) == (media_type, extension)
    file = tmp_path / "misleading.exe"
    file.write_bytes(data)
    assert sniff(file) == (media_type, extension)


def test_image_size_is_that_of_the_turned_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(picture("JPEG", exif=exif.tobytes()))
    (tmp_path / "b.png").write_bytes(picture("PNG"))
    (tmp_path / "c.txt").write_text("no picture")
    assert image_size(tmp_path / "a.jpg") == (3, 4, "jpeg")
    assert image_size(tmp_path / "b.png") == (4, 3, "png")
    assert image_size(tmp_path / "c.txt") is None


def test_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
