"""Places of watched folders, and whose a file is where they overlap."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.specs import require
from speedpix_pipe.model import Pipeline
from speedpix_pipe.settings import load_settings
from speedpix_pipe.triggers.places import Places, matched, problems_of, trees_of

HEAD = """
apiVersion: speedpix-pipe/v1
name: hot
params: {photos: {type: files, default: "x/*", allow_empty: true}, tables: {type: files, default: "x/*", allow_empty: true}}
steps:
  work: {workflow: work, for_each: "${{ params.photos }}", input: {image: "${{ item }}"}}
  read: {workflow: work, for_each: "${{ params.tables }}", input: {image: "${{ item }}"}}
watch:
"""


def pipeline(folder: Path, *entries: str) -> Pipeline:
    (folder / "hot.yaml").write_text(HEAD + "".join(f"  - {{{entry}}}\n" for entry in entries))
    return require(SpecRequest(Path("hot.yaml"), folder, load_settings(None, {})), skip_watched=True).pipeline


def found(folder: Path, *entries: str) -> list[list[str]]:
    return [sorted(tree.scan().files) for tree in trees_of(pipeline(folder, *entries))]


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_places_that_are_not_given_lie_in_the_folder(tmp_path: Path) -> None:
    (watch,) = pipeline(tmp_path, "folder: inbox, param: photos").watch
    places = Places.of(watch, tmp_path)
    assert (places.done, places.failed) == (tmp_path / "inbox/done", tmp_path / "inbox/failed")


def test_given_places_are_relative_to_the_spec(tmp_path: Path) -> None:
    entry = "folder: ./inbox/, param: photos, on_success: {move: ../good}, on_failure: {move: /bad}"
    (watch,) = pipeline(tmp_path, entry).watch
    places = Places.of(watch, tmp_path)
    assert (places.root, places.done, places.failed) == (tmp_path / "inbox", tmp_path.parent / "good", Path("/bad"))


def test_nobody_takes_what_another_entry_has_finished(tmp_path: Path) -> None:
    make(tmp_path, "inbox/a.jpg", "inbox/from-scans/b.jpg", "inbox/failed/c.jpg", "scans/d.jpg")
    assert found(
        tmp_path,
        'folder: inbox, param: photos, patterns: ["**/*.jpg"]',
        'folder: scans, param: photos, patterns: ["**/*.jpg"], on_success: {move: inbox/from-scans}',
    ) == [["a.jpg"], ["d.jpg"]]


def test_a_folder_below_has_its_own_entry_and_is_not_entered_from_above(tmp_path: Path) -> None:
    make(tmp_path, "inbox/a.jpg", "inbox/raw/b.jpg", "inbox/raw/deep/c.jpg")
    assert found(
        tmp_path,
        'folder: inbox, param: photos, patterns: ["**/*.jpg"]',
        'folder: inbox/raw, param: photos, patterns: ["*.jpg"]',
    ) == [["a.jpg"], ["b.jpg"]]


def test_of_entries_for_one_folder_the_first_that_wants_a_file_has_it(tmp_path: Path) -> None:
    make(tmp_path, "inbox/a.jpg", "inbox/draft-b.jpg", "inbox/c.csv", "inbox/d.txt")
    (tmp_path / "also").symlink_to(tmp_path / "inbox")
    assert found(
        tmp_path,
        'folder: inbox, param: photos, patterns: ["*.jpg"], ignore: ["draft-*"]',
        'folder: also, param: tables, patterns: ["*.jpg", "*.csv"]',
        'folder: inbox, param: tables, patterns: ["*"]',
    ) == [["a.jpg"], ["c.csv", "draft-b.jpg"], ["d.txt"]]


def test_the_spec_itself_is_nobodys_arrival(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "state/journal.db", "params.json")
    specs = pipeline(tmp_path, 'folder: ".", param: photos, patterns: ["**/*"]')
    (tree,) = trees_of(specs, [tmp_path / "state", tmp_path / "params.json"])
    assert sorted(tree.scan().files) == ["a.jpg"]


def test_what_is_finished_is_known_by_what_it_is_and_not_by_its_name(tmp_path: Path) -> None:
    make(tmp_path, "disk/a.jpg", "disk/finished/b.jpg")
    (tmp_path / "inbox").symlink_to(tmp_path / "disk")
    entry = f'folder: inbox, param: photos, patterns: ["**/*.jpg"], on_success: {{move: {tmp_path}/disk/finished}}'
    assert found(tmp_path, entry) == [["a.jpg"]]


@pytest.mark.parametrize(
    ("entries", "codes"),
    [
        (["folder: a, param: photos, on_success: {move: a}"], ["watch.same-folder"]),
        (["folder: a, param: photos, on_failure: {move: ./b/../a/}"], ["watch.same-folder"]),
        (["folder: a, param: photos, on_success: {move: b}", "folder: b, param: photos"], ["watch.chain"]),
        (['folder: a, param: photos, patterns: ["../*"]'], ["watch.pattern"]),
        (['folder: a, param: photos, patterns: ["/tmp/*"]'], ["watch.pattern"]),
        (["folder: a, param: photos", "folder: a, param: tables"], []),
        (["folder: a, param: photos, on_success: {move: a/x}, on_failure: {move: a/x}"], []),
    ],
)
def test_folders_that_would_feed_each_other_are_pointed_at(
    tmp_path: Path, entries: list[str], codes: list[str]
) -> None:
    problems = list(problems_of(pipeline(tmp_path, *entries)))
    assert [problem.code for problem in problems] == codes
    assert all(problem.line == 9 for problem in problems)


def test_entries_are_known_again_by_folder_and_param(tmp_path: Path) -> None:
    old = pipeline(tmp_path, "folder: a, param: photos", "folder: a, param: tables", "folder: b, param: photos").watch
    new = pipeline(tmp_path, "folder: b, param: tables", "folder: a, param: tables", "folder: a, param: photos").watch
    assert matched(old, new) == [2, 1, 0]
    assert matched(old, new[:1]) == [None, None, 0]
