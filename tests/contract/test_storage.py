"""What every store of objects promises, asked of each kind: S3, OSS, plain fsspec, and the folder that stands in for them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.files import ObjectUrl
from speedpix_pipe.files.storage import (
    STORAGES,
    ChangedObjectError,
    Entry,
    Storage,
    TakenError,
    close_storages,
    open_storage,
    standing_in,
)
from speedpix_pipe.files.storage.bytes import BLOCK, ObjectReader, blocks_of, fetch_object, sha256_of_object
from speedpix_pipe.files.storage.folder import stand_in_path

pytestmark = pytest.mark.slow
LARGE = 20 * 1024 * 1024 + 5


@dataclass(frozen=True)
class Store:
    storage: Storage
    scheme: str
    put: Callable[[str, bytes], Any]
    get: Callable[[str], bytes]
    remove: Callable[[str], Any]

    def url(self, key: str) -> ObjectUrl:
        return ObjectUrl(f"{self.scheme}://shop/{key}")

    def seen(self, key: str) -> Entry:
        found = self.storage.look(self.url(key))
        assert found is not None
        return found

    def listed(self, key: str, *, deep: bool) -> list[str]:
        start = f"{self.scheme}://shop/"
        met = self.storage.list(self.url(key), deep=deep)
        return sorted((one.text if isinstance(one, ObjectUrl) else one.url).removeprefix(start) for one in met)

    def publish(self, folder: Path, data: bytes, key: str, over: Entry | None = None) -> Entry:
        source = folder / "made"
        source.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return self.storage.put(source, self.url(key), sha256=digest, media_type="image/png", over=over)


@pytest.fixture(params=["s3", "oss", "memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    match request.param:
        case "s3":
            bucket = request.getfixturevalue("bucket")
            yield Store(open_storage("s3"), "s3", bucket.put, bucket.get, bucket.delete)
        case "oss":
            server = request.getfixturevalue("oss")
            yield Store(open_storage("oss"), "oss", server.put, server.get, server.delete)
        case "memory":
            import fsspec

            monkeypatch.setitem(STORAGES, "memory", "tests.objects:memory_storage")
            close_storages()
            memory = fsspec.filesystem("memory")
            memory.store.clear()
            memory.pseudo_dirs[:] = [""]
            put = lambda key, data: memory.pipe(f"/shop/{key}", data)  # noqa: E731
            get = lambda key: memory.cat_file(f"/shop/{key}")  # noqa: E731
            yield Store(open_storage("memory"), "memory", put, get, lambda key: memory.rm(f"/shop/{key}"))
            memory.store.clear()
            close_storages()
        case _:
            root = tmp_path / "objects"

            def path_of(key: str) -> Path:
                path = stand_in_path(root, ObjectUrl(f"s3://shop/{key}"))
                path.parent.mkdir(parents=True, exist_ok=True)
                return path

            with standing_in(root):
                write = lambda key, data: path_of(key).write_bytes(data)  # noqa: E731
                read = lambda key: path_of(key).read_bytes()  # noqa: E731
                yield Store(open_storage("s3"), "s3", write, read, lambda key: path_of(key).unlink())


# --- looking ---


def test_a_look_tells_size_and_time_and_another_state_after_every_write(store):
    assert store.storage.look(store.url("a.txt")) is None
    store.put("a.txt", b"one")
    first = store.seen("a.txt")
    assert (first.url, first.size) == (store.url("a.txt").text, 3)
    assert first.modified > 1_700_000_000
    assert store.seen("a.txt").state == first.state
    store.put("a.txt", b"two")
    assert store.seen("a.txt").state != first.state
    store.remove("a.txt")
    assert store.storage.look(store.url("a.txt")) is None


def test_a_listing_says_of_an_object_what_a_look_says(store):
    store.put("in/a.txt", b"one")
    (listed,) = store.storage.list(store.url("in/"), deep=True)
    looked = store.seen("in/a.txt")
    assert isinstance(listed, Entry)
    assert (listed.place, listed.state, listed.size) == (looked.place, looked.state, looked.size)


def test_listings_are_deep_or_end_at_the_next_slash_and_go_over_all_pages(store):
    names = [f"in/{number:02}.txt" for number in range(10)]
    for name in [*names, "in/deep/a.txt", "in/deep/er/b.txt", "in/阿 + #1/c.txt", "inner/d.txt", "other.txt"]:
        store.put(name, b"x")
    assert store.listed("in/", deep=False) == sorted([*names, "in/deep/", "in/阿 + #1/"])
    assert store.listed("in/", deep=True) == sorted([*names, "in/deep/a.txt", "in/deep/er/b.txt", "in/阿 + #1/c.txt"])
    assert store.listed("nowhere/", deep=True) == []
    assert store.listed("", deep=False) == ["in/", "inner/", "other.txt"]


# --- reading ---


def test_parts_and_wholes_are_read(store):
    data = bytes(range(256)) * 100
    store.put("a.bin", data)
    entry = store.seen("a.bin")
    assert store.storage.read(entry, 0, len(data)) == data
    assert store.storage.read(entry, 100, 300) == data[100:300]
    assert store.storage.read(entry, len(data) - 1, len(data)) == data[-1:]


def test_a_large_object_is_read_in_blocks(store, tmp_path):
    data = bytes(range(256)) * (LARGE // 256 + 1)
    store.put("large.bin", data)
    entry = store.seen("large.bin")
    digest = hashlib.sha256(data).hexdigest()
    assert max(map(len, blocks_of(entry))) <= BLOCK
    assert sha256_of_object(entry) == digest
    assert fetch_object(entry, tmp_path / "copy") == digest
    assert (tmp_path / "copy").read_bytes() == data
    reader = ObjectReader(entry, 1000)
    reader.seek(-5, 2)
    assert reader.read() == data[-5:]
    reader.seek(10)
    assert reader.read(20) == data[10:30]


def test_an_empty_object_has_no_bytes(store, tmp_path):
    store.put("empty", b"")
    entry = store.seen("empty")
    assert list(blocks_of(entry)) == []
    assert ObjectReader(entry).read() == b""
    fetch_object(entry, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b""


@pytest.mark.parametrize("other", [b"two", b"another length"])
def test_an_object_that_was_written_to_is_not_read_as_the_one_that_was_seen(store, tmp_path, other):
    store.put("a.txt", b"one")
    entry = store.seen("a.txt")
    store.put("a.txt", other)
    for work in (
        sha256_of_object,
        lambda entry: fetch_object(entry, tmp_path / "copy"),
        lambda entry: ObjectReader(entry).read(),
    ):
        with pytest.raises(ChangedObjectError, match=r"a\.txt"):
            work(entry)
    assert not (tmp_path / "copy").exists()


def test_an_object_that_is_gone_is_not_read(store):
    store.put("a.txt", b"one")
    entry = store.seen("a.txt")
    store.remove("a.txt")
    with pytest.raises(ChangedObjectError):
        sha256_of_object(entry)


# --- writing ---


@pytest.mark.parametrize("size", [0, 3, LARGE])
def test_a_file_appears_whole_with_what_a_look_says_of_it(store, tmp_path, size):
    data = b"x" * size
    entry = store.publish(tmp_path, data, "out/阿里云 100% + #1.png")
    assert store.get("out/阿里云 100% + #1.png") == data
    assert entry == store.seen("out/阿里云 100% + #1.png")


def test_nothing_is_written_where_something_stands(store, tmp_path):
    store.put("out/a.png", b"foreign")
    with pytest.raises(TakenError, match=r"out/a\.png"):
        store.publish(tmp_path, b"ours", "out/a.png")
    with pytest.raises(TakenError):
        store.publish(tmp_path, b"x" * LARGE, "out/a.png")
    assert store.get("out/a.png") == b"foreign"


def test_only_what_was_seen_is_written_over(store, tmp_path):
    store.put("out/a.png", b"one")
    seen = store.seen("out/a.png")
    store.put("out/a.png", b"edited")
    with pytest.raises(TakenError):
        store.publish(tmp_path, b"ours", "out/a.png", over=seen)
    assert store.get("out/a.png") == b"edited"
    store.publish(tmp_path, b"ours", "out/a.png", over=store.seen("out/a.png"))
    assert store.get("out/a.png") == b"ours"
    seen = store.seen("out/a.png")
    store.remove("out/a.png")
    with pytest.raises((TakenError, FileNotFoundError)):
        store.publish(tmp_path, b"again", "out/a.png", over=seen)


def test_a_copy_has_the_same_bytes_and_takes_no_name(store):
    store.put("out/a.png", b"one")
    store.storage.copy(store.seen("out/a.png"), store.url("out/a.edited-1.png"))
    assert store.get("out/a.edited-1.png") == b"one"
    store.put("out/b.png", b"two")
    with pytest.raises(TakenError):
        store.storage.copy(store.seen("out/b.png"), store.url("out/a.edited-1.png"))
    assert store.get("out/a.edited-1.png") == b"one"


# --- what goes wrong ---


def test_a_bucket_that_is_not_there_is_said(store):
    if not hasattr(store.storage, "_fs"):  # folders and memory know no buckets: there is nothing in this one
        assert store.listed("../nobucket/in/", deep=True) == []
        return
    with pytest.raises(FileNotFoundError, match="no such bucket"):
        list(store.storage.list(ObjectUrl(f"{store.scheme}://nobucket/in/"), deep=True))


def test_errors_can_be_handed_on_by_dask(store):
    import pickle

    for error in (ChangedObjectError("s3://shop/a"), TakenError("s3://shop/a", "taken", "look")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.hint, again.filename) == (
            type(error),
            str(error),
            error.hint,
            error.filename,
        )
