import base64
import hashlib
import io
import os
import threading

import pytest

from speedpix_pipe.sdk import DownloadError, InputError, url_expiry
from speedpix_pipe.sdk._bytes import BLOCK, Sink, decode_data_uri, open_source, storage_words


class Unseekable(io.RawIOBase):
    def __init__(self, data):
        self._inner = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._inner.read(size)


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK])
@pytest.mark.parametrize("how", ["path", "bytes", "stream", "unseekable"])
def test_sources_of_all_kinds_give_their_bytes_and_digest_twice(tmp_path, size, how):
    data = os.urandom(size)
    (tmp_path / "a.bin").write_bytes(data)
    made = {"path": tmp_path / "a.bin", "bytes": data, "stream": io.BytesIO(data), "unseekable": Unseekable(data)}[how]
    source = open_source(made)
    for _ in range(2):
        source.rewind()
        assert b"".join(iter(source.read, b"")) == data
        assert source.digest() == hashlib.sha256(data).hexdigest()
    assert source.size == size
    source.close()


def test_a_stream_is_taken_from_where_it_stands():
    stream = io.BytesIO(b"headbody")
    stream.seek(4)
    source = open_source(stream).load()
    assert source.content == b"body"
    assert not stream.closed


@pytest.mark.parametrize("size", [10, 2 * BLOCK])
def test_a_stream_stands_where_it_stood_afterwards(size):
    stream = io.BytesIO(b"head" + bytes(size))
    stream.seek(4)
    for _ in range(2):
        source = open_source(stream).load()
        source.measure()
        source.close()
        assert (source.size, stream.tell()) == (size, 4)


def test_a_stream_that_its_owner_closes_meanwhile_is_left(tmp_path):
    stream = io.BytesIO(bytes(2 * BLOCK))
    source = open_source(stream)
    stream.close()
    source.close()
    assert source.closed


def test_a_file_that_shrinks_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(bytes(2 * BLOCK))
    source = open_source(tmp_path / "a")
    source.read()
    os.truncate(tmp_path / "a", 10)
    with pytest.raises(InputError, match="shrank"):
        source.read()
    source.close()


def test_a_file_that_grows_is_read_to_its_announced_end(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10))
    source = open_source(tmp_path / "a")
    (tmp_path / "a").write_bytes(bytes(20))
    assert len(b"".join(iter(source.read, b""))) == 10
    source.close()


def test_folders_missing_files_and_text_streams_are_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        open_source(tmp_path / "nowhere")

    class Texts(Unseekable):
        def read(self, size=-1):
            return "text"

    with pytest.raises(InputError, match="open it as binary"):
        open_source(Texts(b""))


def test_a_discarded_sink_leaves_nothing(tmp_path):
    sink = Sink(tmp_path / "a")
    sink.take(b"abc")
    sink.flush()
    assert (tmp_path / "a").exists()
    sink.discard()
    sink.flush()
    assert list(tmp_path.iterdir()) == []


def test_a_final_sink_shows_itself_when_it_is_whole(tmp_path):
    sink = Sink(tmp_path / "deep" / "a", final=True)
    sink.take(b"abc")
    sink.flush()
    assert not (tmp_path / "deep" / "a").exists()
    assert sink.finish() == hashlib.sha256(b"abc").hexdigest()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]


class Aside:
    """Work in a thread of its own, held up at a system call until it may go on."""

    def __init__(self, patch, call):
        self.came, self.go_on, self.failure = threading.Event(), threading.Event(), None
        self._real, self._call = getattr(os, call), call
        patch.setattr(os, call, self._held)

    def begin(self, work):
        self._thread = threading.Thread(target=self._noted, args=(work,))
        self._thread.start()
        assert self.came.wait(10)

    def end(self):
        self.go_on.set()
        self._thread.join()

    def _noted(self, work):
        try:
            work()
        except OSError as error:
            self.failure = error

    def _held(self, *arguments, **options):
        if threading.current_thread() is not self._thread:
            return self._real(*arguments, **options)
        made = self._real(*arguments, **options) if self._call == "open" else None
        self.came.set()
        assert self.go_on.wait(10)
        return self._real(*arguments, **options) if made is None else made


def open_files(folder):
    found = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return [path for path in found if path.startswith(str(folder))]


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize(
    ("call", "work"),
    [("open", "flush"), ("write", "flush"), ("open", "finish"), ("write", "finish"), ("close", "finish")],
)
def test_what_is_discarded_while_a_thread_is_at_it_is_left_to_that_thread(tmp_path, monkeypatch, final, call, work):
    sink, aside = Sink(tmp_path / "a", final=final), Aside(monkeypatch, call)
    sink.take(b"abc")
    aside.begin(getattr(sink, work))
    sink.discard()  # waits for nobody
    still_open = len(open_files(tmp_path))
    sink.discard()
    aside.end()
    assert (still_open, aside.failure) == (1, None)  # its number is no other file's while that thread may write to it
    assert (list(tmp_path.iterdir()), open_files(tmp_path)) == ([], [])


def test_a_part_that_cannot_get_its_name_is_removed(tmp_path):
    (tmp_path / "a" / "full").mkdir(parents=True)
    sink = Sink(tmp_path / "a", final=True)
    with pytest.raises(OSError, match="directory"):
        sink.finish()
    sink.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_discarded_sink_may_begin_anew(tmp_path):
    sink = Sink(tmp_path / "a", final=True)
    sink.take(b"abc")
    sink.flush()
    sink.discard()
    sink.restart()
    sink.take(b"abcd")
    sink.finish()
    assert (tmp_path / "a").read_bytes() == b"abcd"


def test_an_empty_file_is_a_file(tmp_path):
    Sink(tmp_path / "a").finish()
    assert (tmp_path / "a").read_bytes() == b""


@pytest.mark.parametrize(
    ("url", "iso"),
    [
        ("https://b/o?Expires=1735689600&Signature=x", "2025-01-01T00:00:00+00:00"),
        ("https://b/o?x-oss-date=20250101T000000Z&x-oss-expires=3600", "2025-01-01T01:00:00+00:00"),
        ("https://b/o?X-Amz-Date=20250101T000000Z&X-Amz-Expires=60", "2025-01-01T00:01:00+00:00"),
        ("https://b/o?Expires=1735689600000", None),
        ("https://b/o?Expires=soon", None),
        ("https://b/o?x-oss-date=bad&x-oss-expires=60", None),
        ("https://b/o", None),
        ("http://[broken", None),
    ],
)
def test_expiry_is_read_from_the_url(url, iso):
    found = url_expiry(url)
    assert (found.isoformat() if found else None) == iso


def test_storage_says_why():
    words = storage_words(b"<?xml?><Error><Code>AccessDenied</Code><Message>Request has expired.</Message></Error>")
    assert (words.code, words.message) == ("AccessDenied", "Request has expired.")
    assert storage_words(b"<html>").code is None


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("size", [0, 254, 255, 256])
def test_a_data_uri_may_use_either_alphabet_and_leave_its_padding_out(encode, size):
    data = bytes(range(256))[:size]
    text = encode(data).decode()
    for written in (text, text.rstrip("="), text.replace("+", "%2B").replace("=", "%3D")):
        assert decode_data_uri(f"data:image/png;base64,{written}") == (data, "image/png")


@pytest.mark.parametrize("text", ["a", "abcde", "ab!d", "ab=cdefg", "图图图图"])
def test_a_data_uri_that_holds_no_base64_is_refused(text):
    with pytest.raises(DownloadError, match="holds no base64"):
        decode_data_uri(f"data:image/png;base64,{text}")
