"""Scanning: which files of a root count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speedpix_pipe.errors import UsageError
from speedpix_pipe.triggers.scan import Tree


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def scan(root: Path, *patterns: str, ignore: tuple[str, ...] = (), never: tuple[Path, ...] = ()) -> list[str]:
    return sorted(Tree(str(root), patterns, ignore, [str(folder) for folder in never]).scan().files)


def test_patterns_ignore_case_and_stay_in_the_root_without_two_stars(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "B.JPG", "c.png", "sub/d.jpg")
    assert scan(tmp_path, "*.jpg") == ["B.JPG", "a.jpg"]
    assert scan(tmp_path, "*.{jpg,png}") == ["B.JPG", "a.jpg", "c.png"]
    assert scan(tmp_path, "**/*.jpg") == ["B.JPG", "a.jpg", "sub/d.jpg"]
    assert scan(tmp_path, "sub/*.jpg") == ["sub/d.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.jpg", "~$a.docx", "a.tmp", "a.part", "a.crdownload", "a.filepart", "A.TMP", "shoe.jpg.error.json"),
        *(
            "Thumbs.db",
            "desktop.ini",
            "a.jpg~",
            ".a.jpg.swp",
            "x.aria2",
            "@eaDir/a.jpg",
            "#recycle/a.jpg",
            ".git/a.jpg",
        ),
    ],
)
def test_temporary_files_and_litter_are_never_taken(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    assert scan(tmp_path, "*", "**/*") == []


def test_ignore_names_files_anywhere_and_paths_where_they_say(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "draft-b.jpg", "sub/draft-c.jpg", "sub/d.jpg", "old/e.jpg")
    assert scan(tmp_path, "**/*", ignore=("draft-*", "old/*")) == ["a.jpg", "sub/d.jpg"]


def test_done_failed_and_claims_are_never_entered(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "done/b.jpg", "failed/c.jpg", ".speedpix-claims/w/1/d.jpg")
    assert scan(tmp_path, "**/*", never=(tmp_path / "done", tmp_path / "failed")) == ["a.jpg"]


def test_only_regular_files_count(tmp_path: Path) -> None:
    make(tmp_path, "real.dat")
    os.mkfifo(tmp_path / "pipe.dat")
    (tmp_path / "link.dat").symlink_to(tmp_path / "real.dat")
    (tmp_path / "folder.dat").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert scan(tmp_path, "**/*.dat") == ["real.dat"]


def test_names_of_any_bytes_are_seen(tmp_path: Path) -> None:
    names = [os.fsdecode(b"caf\xe9.dat"), "line\nbreak.dat", "👟.dat", "e\u0301.dat"]
    make(tmp_path, *names)
    assert scan(tmp_path, "*.dat") == sorted(names)


def test_a_pattern_that_leads_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leads out"):
        Tree(str(tmp_path), ["../*.jpg"], [])


def test_what_would_start_itself_again(tmp_path: Path) -> None:
    tree = Tree(str(tmp_path), ["*.jpg"], [], [str(tmp_path / "done")])
    assert tree.would_take(str(tmp_path / "a.jpg"))
    assert tree.would_take(str(tmp_path / "results/a.jpg"))
    assert not tree.would_take(str(tmp_path / "done/a.jpg"))
    assert not tree.would_take(str(tmp_path.parent / "a.jpg"))
