"""Claims: won if the file lies in the own folder, whatever rename said."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from speedpix_pipe.errors import UsageError
from speedpix_pipe.triggers.claims import Claim, ClaimsFolder, check_root, new_ulid


def test_ulids_sort_by_time_and_hold_26_letters() -> None:
    early, late = new_ulid(1_000, b"\xff" * 10), new_ulid(1_001, b"\0" * 10)
    assert early < late
    assert (len(early), len(late)) == (26, 26)
    assert new_ulid(1_469_918_176_385, b"\0" * 10).startswith("01ARYZ6S41")


def test_a_claim_keeps_name_and_sub_folders(tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()
    (tmp_path / "monday/shoe.jpg").write_bytes(b"1")
    claims = ClaimsFolder(tmp_path, "me")
    claim = claims.claim("monday/shoe.jpg", "01A")
    assert claim is not None
    assert claim.path == tmp_path / ".speedpix-claims/me/01A/monday/shoe.jpg"
    assert claim.path.read_bytes() == b"1"
    assert [left.name for left in claims.left()] == ["monday/shoe.jpg"]


def test_a_file_that_is_gone_is_not_won_and_leaves_no_folder(tmp_path: Path) -> None:
    claims = ClaimsFolder(tmp_path, "me")
    assert claims.claim("shoe.jpg", "01A") is None
    assert list(claims.folder.iterdir()) == []


def test_a_rename_that_reports_a_failure_and_worked_has_won(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS does when the answer is lost and the call is repeated."""
    (tmp_path / "shoe.jpg").write_bytes(b"1")
    rename = Path.rename

    def lying(self: Path, target: Path) -> Path:
        rename(self, target)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "rename", lying)
    assert ClaimsFolder(tmp_path, "me").claim("shoe.jpg", "01A") is not None


@pytest.mark.slow
def test_two_watchers_never_cover_what_the_other_got(tmp_path: Path) -> None:
    """Writers put a new file under the same name as soon as it is free; every one of them is won exactly once."""
    claims = [ClaimsFolder(tmp_path, name) for name in ("one", "two")]
    won: list[bytes] = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(300):
            (tmp_path / "shoe.jpg").write_bytes(b"%d" % number)
            took = list(pool.map(lambda folder: folder.claim("shoe.jpg", new_ulid(number, os.urandom(10))), claims))  # noqa: B023
            won += [claim.path.read_bytes() for claim in took if claim is not None]
    assert won == [b"%d" % number for number in range(300)]


def claimed(root: Path, name: str = "shoe.jpg") -> tuple[ClaimsFolder, Claim]:
    (root / name).write_bytes(b"old")
    claims = ClaimsFolder(root, "me")
    claim = claims.claim(name, "01A")
    assert claim is not None
    return claims, claim


def test_put_back_beside_what_lies_there_now(tmp_path: Path) -> None:
    claims, claim = claimed(tmp_path)
    (tmp_path / "shoe.jpg").write_bytes(b"new")
    assert claims.put_back(claim).name == "shoe-1.jpg"
    assert (tmp_path / "shoe.jpg").read_bytes() == b"new"
    assert (tmp_path / "shoe-1.jpg").read_bytes() == b"old"
    assert list(claims.folder.iterdir()) == []


def test_put_back_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    claims, claim = claimed(tmp_path)
    (tmp_path / "shoe.jpg").write_bytes(b"new")
    assert claims.put_back(claim).name == "shoe-1.jpg"
    assert (tmp_path / "shoe.jpg").read_bytes() == b"new"
    assert (tmp_path / "shoe-1.jpg").read_bytes() == b"old"
    assert list(claims.folder.iterdir()) == []


@pytest.mark.parametrize("step", ["back.marked", "back.given", "back.taken"])
def test_putting_back_that_dies_anywhere_leaves_one_file_and_is_finished_by_the_next_life(
    tmp_path: Path, step: str
) -> None:
    (tmp_path / "shoe.jpg").write_bytes(b"old")

    def dies(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    claims = ClaimsFolder(tmp_path, "me", step=dies)
    claim = claims.claim("shoe.jpg", "01A")
    assert claim is not None
    (tmp_path / "shoe.jpg").write_bytes(b"new")
    with pytest.raises(KeyboardInterrupt):
        claims.put_back(claim)
    after = ClaimsFolder(tmp_path, "me")
    for left in after.left():
        assert left.returning
        after.put_back(left)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.glob("*.jpg")) == [
        ("shoe-1.jpg", b"old"),
        ("shoe.jpg", b"new"),
    ]
    assert list(after.folder.iterdir()) == []


def test_a_root_that_is_gone_is_never_made_again(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    claims, claim = claimed(root)
    root.rename(tmp_path / "away")
    for attempt in (claims.prepare, lambda: claims.claim("a.jpg", "01B"), lambda: claims.put_back(claim)):
        with pytest.raises(FileNotFoundError):
            attempt()
    assert not root.exists()


def test_claims_of_others_are_seen_and_taken_over_only_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    ClaimsFolder(tmp_path, "gone").claim("a.jpg", "01A")
    mine = ClaimsFolder(tmp_path, "me")
    mine.prepare()
    assert list(mine.others()) == ["gone"]
    assert mine.take_over("nobody") == 0
    assert mine.take_over("../..") == 0
    assert mine.take_over("gone") == 1
    assert [claim.name for claim in mine.left()] == ["a.jpg"]
    assert mine.others() == {}


def test_a_root_whose_claims_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".speedpix-claims").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be written"):
        check_root(tmp_path, ClaimsFolder(tmp_path, "me"))


def test_claims_of_others_that_end_while_one_looks_are_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    ClaimsFolder(tmp_path, "busy").claim("a.jpg", "01A")
    iterdir = Path.iterdir

    def ending(self: Path) -> object:
        if self.name == "01A":
            shutil.rmtree(self)
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", ending)
    mine = ClaimsFolder(tmp_path, "me")
    mine.prepare()
    assert mine.others() == {}
    assert mine.take_over("busy") == 0


def test_a_root_that_goes_and_comes_back_while_one_looks_hides_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    claims = ClaimsFolder(root, "me")
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (root / name).write_bytes(b"1")
        claims.claim(name, f"01{name[0]}")
    status = root.stat()
    listed = os.listdir

    def going(folder: object) -> list[str]:
        found = listed(folder)  # type: ignore[call-overload]
        root.rename(tmp_path / "away")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", going)
        assert [claim.name for claim in claims.left((status.st_dev, status.st_ino))] == ["a.jpg", "b.jpg", "c.jpg"]
    with pytest.raises(FileNotFoundError):
        claims.left((status.st_dev, status.st_ino))
    (root / ".speedpix-claims/me").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="another folder"):
        claims.left((status.st_dev, status.st_ino))
