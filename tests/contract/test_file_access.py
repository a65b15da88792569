"""What `glob`, `file` and `read` promise, on every kind of place that files lie in: a folder, S3, and plain fsspec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files import FolderFiles, sha256_file
from speedpix_pipe.files.storage import STORAGES, close_storages

pytestmark = pytest.mark.slow

TREE = ("in/a.jpg", "in/B.JPG", "in/c.png", "in/.hidden.jpg", "in/.trash/x.jpg", "in/deep/d.jpg", "in/deep/er/e.jpg",
        "in/2024/01.jpg", "In2/f.jpg", "other/g.jpg", "in/odd [1].jpg", "in/阿里云.jpg", "in/notes.txt")  # fmt: skip


@dataclass(frozen=True)
class Place:
    files: FolderFiles
    start: str  # before every path
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]

    def found(self, pattern: str, **more: bool) -> list[str]:
        return [value.path.removeprefix(self.start) for value in self.files.glob(self.start + pattern, **more)]


@pytest.fixture(params=["folder", "s3", "oss", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    files = FolderFiles(tmp_path)
    if request.param == "folder":

        def put(name: str, data: bytes) -> None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)

        yield Place(files, "", put, lambda name: (tmp_path / name).unlink())
    elif request.param == "s3":
        bucket = request.getfixturevalue("bucket")
        yield Place(files, "s3://shop/", bucket.put, bucket.delete)
    elif request.param == "oss":
        server = request.getfixturevalue("oss")
        yield Place(files, "oss://shop/", server.put, server.delete)
    else:
        import fsspec

        monkeypatch.setitem(STORAGES, "memory", "tests.objects:memory_storage")
        close_storages()
        memory = fsspec.filesystem("memory")
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]
        yield Place(
            files,
            "memory://shop/",
            lambda name, data: memory.pipe(f"/shop/{name}", data),
            lambda name: memory.rm(f"/shop/{name}"),
        )
        memory.store.clear()
        close_storages()


@pytest.fixture
def tree(place: Place) -> Place:
    for name in TREE:
        place.put(name, name.encode())
    return place


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.jpg", ["in/B.JPG", "in/a.jpg", "in/odd [1].jpg", "in/阿里云.jpg"]),
        ("in/*.{jpg,png}", ["in/B.JPG", "in/a.jpg", "in/c.png", "in/odd [1].jpg", "in/阿里云.jpg"]),
        ("in/**/*.jpg", ["in/2024/01.jpg", "in/B.JPG", "in/a.jpg", "in/deep/d.jpg", "in/deep/er/e.jpg", "in/odd [1].jpg", "in/阿里云.jpg"]),
        ("in/**/e.jpg", ["in/deep/er/e.jpg"]),
        ("in/*/*.jpg", ["in/2024/01.jpg", "in/deep/d.jpg"]),
        ("in/20??/*", ["in/2024/01.jpg"]),
        ("in/.*.jpg", ["in/.hidden.jpg"]),
        ("in/.trash/*", ["in/.trash/x.jpg"]),
        ("IN/A.*", ["in/a.jpg"]),
        ("in/DEEP/D.jpg", ["in/deep/d.jpg"]),
        ("in/{deep,2024}/*.jpg", ["in/2024/01.jpg", "in/deep/d.jpg"]),
        ("in/a.jpg", ["in/a.jpg"]),
        ("in/odd [[]1].jpg", ["in/odd [1].jpg"]),
        ("i*/notes.txt", ["in/notes.txt"]),
        ("**/g.jpg", ["other/g.jpg"]),
        ("in/阿*.jpg", ["in/阿里云.jpg"]),
    ],
)  # fmt: skip
def test_a_pattern_finds_the_same_everywhere(tree, pattern, expected):
    assert tree.found(pattern) == expected


@pytest.mark.parametrize("pattern", ["in/*.gif", "nowhere/*", "in/deep", "in/d*"])
def test_a_pattern_that_finds_nothing_is_an_error_unless_that_is_allowed(tree, pattern):
    assert tree.found(pattern, allow_empty=True) == []
    with pytest.raises(ExpressionError) as caught:
        tree.found(pattern)
    assert caught.value.code == "files.no-match"


def test_a_file_has_the_same_facts_everywhere(tree):
    (found,) = tree.files.glob(f"{tree.start}in/**/e.jpg")
    assert (found.path, found.name, found.stem, found.suffix) == (f"{tree.start}in/deep/er/e.jpg", "e.jpg", "e", ".jpg")
    assert (found.rel, found.dir) == ("deep/er/e.jpg", f"{tree.start}in/deep/er")
    assert found.size == len("in/deep/er/e.jpg")
    assert found.mtime > 1_700_000_000
    assert found.width is None
    alone = tree.files.file(f"{tree.start}in/deep/er/e.jpg")
    assert alone == found
    assert hash(alone) == hash(found)
    assert alone.rel == "e.jpg"


def test_a_digest_is_that_of_the_bytes(tree, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(b"in/a.jpg")
    assert tree.files.file(f"{tree.start}in/a.jpg").sha256 == sha256_file(copy)
    place = tree.files.file(f"{tree.start}in/a.jpg")
    tree.put("in/a.jpg", b"other bytes")
    copy.write_bytes(b"other bytes")
    place.forget()
    assert place.sha256 == sha256_file(copy)


def test_a_picture_has_width_height_and_format(place, photo):
    place.put("in/photo.jpg", photo("a"))
    found = place.files.file(f"{place.start}in/photo.jpg")
    assert (found.width, found.height, found.format) == (48, 32, "jpeg")
    assert found.media_type == "image/jpeg"


def test_tables_are_read(place):
    place.put("list.csv", b"name,price\ncup,3\n")
    place.put("note.txt", "阿里云".encode())
    assert place.files.read(f"{place.start}list.csv") == [{"name": "cup", "price": "3"}]
    assert place.files.read(place.files.file(f"{place.start}list.csv")) == [{"name": "cup", "price": "3"}]
    assert place.files.read(f"{place.start}note.txt") == "阿里云"
    with pytest.raises(FileNotFoundError):
        place.files.read(f"{place.start}none.csv")


def test_what_is_not_there_is_said_with_its_name(tree):
    for name in ("in/none.jpg", "in/deep"):
        with pytest.raises(ExpressionError, match=name) as caught:
            tree.files.file(f"{tree.start}{name}")
        assert caught.value.code == "files.missing"


def test_an_empty_file_has_a_digest(place):
    place.put("in/empty.txt", b"")
    found = place.files.file(f"{place.start}in/empty.txt")
    assert found.size == 0
    assert found.sha256.startswith("e3b0c44298fc1c14")
