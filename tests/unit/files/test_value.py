from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image

from speedpix_pipe.files import FileValue
from speedpix_pipe.model import KeptFile


class Remembered:
    def __init__(self, known=None):
        self.known = known
        self.asked = []

    def digest(self, path):
        self.asked.append(path)
        return "remembered"

    def peek(self, path):
        return self.known


def test_a_local_file_answers_to_its_names(tmp_path):
    (tmp_path / "in" / "x").mkdir(parents=True)
    place = tmp_path / "in" / "x" / "a.b.jpg"
    Image.new("RGB", (5, 4)).save(place, "JPEG")
    file = FileValue.local(place, tmp_path, tmp_path / "in")
    assert (file.path, file.dir, file.rel, file.name, file.stem, file.suffix) == (
        "in/x/a.b.jpg",
        "in/x",
        "x/a.b.jpg",
        "a.b.jpg",
        "a.b",
        ".jpg",
    )
    assert (file.size, file.mtime) == (place.stat().st_size, place.stat().st_mtime)
    assert file.sha256 == hashlib.sha256(place.read_bytes()).hexdigest()
    assert (file.width, file.height, file.format, file.url, file.origin) == (5, 4, "jpeg", None, None)
    assert str(file) == "in/x/a.b.jpg"
    assert file.absolute == place


def test_a_file_in_the_folder_itself_has_the_dir_dot():
    assert FileValue.local(Path("/s/a.jpg"), Path("/s")).dir == "."
    assert FileValue.local(Path("/a.jpg"), Path("/s")).dir == "/"


def test_equal_files_are_equal_values():
    one, two = FileValue.local(Path("/s/a.jpg"), Path("/s")), FileValue.local(Path("/s/a.jpg"), Path("/t"))
    assert one == two
    assert hash(one) == hash(two)
    assert one != FileValue.local(Path("/s/b.jpg"), Path("/s"))
    assert one != "a.jpg"


def test_a_kept_file_has_the_name_it_was_saved_under_and_the_bytes_that_were_kept(tmp_path):
    blob = tmp_path / ".state" / "ab" / "abcd"
    kept = KeptFile(
        "images.url", "abcd", 9, "image/png", "png", name="result.png", url="https://r/x.png", width=7, height=6
    )
    saved = FileValue.kept(kept, blob, tmp_path / "out" / "cup.png", tmp_path)
    assert (saved.path, saved.name, saved.size, saved.sha256, saved.url) == (
        "out/cup.png",
        "cup.png",
        9,
        "abcd",
        "https://r/x.png",
    )
    assert (saved.width, saved.height, saved.absolute, saved.origin) == (7, 6, blob, kept)
    unsaved = FileValue.kept(kept, blob, None, tmp_path)
    assert (unsaved.path, unsaved.name, unsaved.stem) == (".state/ab/abcd", "result.png", "result")
    assert saved == unsaved


def test_digests_are_asked_once_for_each_value(tmp_path):
    digests = Remembered()
    file = FileValue.local(tmp_path / "a", tmp_path, digests=digests)
    assert not file.known
    assert [file.sha256, file.sha256] == ["remembered"] * 2
    assert digests.asked == [tmp_path / "a"]
    assert file.known


def test_a_remembered_digest_is_known_without_reading(tmp_path):
    digests = Remembered("abcd")
    file = FileValue.local(tmp_path / "a", tmp_path, digests=digests)
    assert file.known
    assert file.sha256 == "abcd"
    assert digests.asked == []


def test_a_forgotten_file_is_looked_at_anew(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    file = FileValue.local(tmp_path / "a", tmp_path)
    first = (file.size, file.sha256)
    (tmp_path / "a").write_bytes(b"abcd")
    assert (file.size, file.sha256) == first
    file.forget()
    assert file.size == 4
    assert file.sha256 != first[1]
