"""A spec that is edited while it is watched, and watched folders that overlap."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from speedpix_pipe.emulator import EmulatorThread
from speedpix_pipe.store import Verdict
from tests.functional.watching import HEAD, SPEC, Desk, arrivals, emulator, jpeg, sent, until

pytestmark = pytest.mark.slow


# --- the spec is edited while it is watched ---


def test_a_param_that_is_renamed_takes_the_files_on(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            desk.drop("a.dat")
            await until((desk.done / "a.dat").exists)
            desk.rewrite(SPEC.replace("photos", "pictures"))
            desk.drop("b.dat")
            await until((desk.done / "b.dat").exists)

    asyncio.run(work())
    assert sent(desk) == ["a.dat", "b.dat"]


def test_a_param_that_becomes_a_single_file_leaves_no_file_of_a_batch_out(desk: Desk) -> None:
    single = (
        SPEC.replace("photos: {type: files}", "photos: {type: file}")
        .replace("    for_each: ${{ params.photos }}\n", "")
        .replace("item", "params.photos")
    )

    async def work() -> None:
        async with desk.watching():
            desk.drop("a.dat")
            await until((desk.done / "a.dat").exists)
            desk.rewrite(single)
            for name in ("b.dat", "c.dat", "d.dat"):
                desk.drop(name)
            await until(lambda: len(desk.names(desk.done)) == 4)

    asyncio.run(work())
    assert sent(desk) == ["a.dat", "b.dat", "c.dat", "d.dat"]


def test_an_edit_that_watches_a_folder_no_longer_keeps_it_watched_as_before(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching(health=desk.folder / "health.json"):
            desk.drop("a.dat")
            await until((desk.done / "a.dat").exists)
            desk.rewrite(SPEC.replace("folder: inbox", "folder: elsewhere"))
            await until(lambda: any("restart" in line for line in desk.lines))
            desk.drop("b.dat")
            await until((desk.done / "b.dat").exists)
            await until(lambda: '"red"' in (desk.folder / "health.json").read_text())

    asyncio.run(work())
    assert sent(desk) == ["a.dat", "b.dat"]


def test_a_pattern_that_is_added_counts_without_any_other_arrival(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            desk.drop("a.txt")
            await asyncio.sleep(0.5)
            assert (desk.inbox / "a.txt").exists()
            desk.rewrite(SPEC.replace('"*.dat"', '"*.dat", "*.txt"'))
            await until((desk.done / "a.txt").exists)

    asyncio.run(work())


def test_an_edit_of_what_takes_a_restart_says_so(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            limits = "limits: {concurrency: 3, rate: 5/s, max_failures: 9}\nsteps:"
            desk.rewrite(SPEC.replace("steps:", limits, 1) + "  on_success: {move: good}\n")
            await until(lambda: any("was edited" in line for line in desk.lines))
            desk.drop("a.dat")
            await until((desk.folder / "good/a.dat").exists)

    asyncio.run(work())
    said = [line for line in desk.lines if "restart" in line]
    assert said == ["restart to have the new limits.concurrency count", "restart to have the new limits.rate count"]


def test_a_file_at_work_stays_with_its_entry_when_its_pattern_moves_to_another_and_the_root_goes(
    tmp_path: Path,
) -> None:
    def spec(first: str, second: str) -> str:
        return (
            HEAD.replace("photos: {type: files}", "photos: {type: files}\n  more: {type: files}").replace(
                "${{ params.photos }}", "${{ params.photos + params.more }}"
            )
            + f"""watch:
  - {{folder: inbox, param: photos, patterns: ["{first}"], settle: 50ms}}
  - {{folder: inbox, param: more, patterns: ["{second}"], settle: 50ms}}
"""
        )

    with emulator(latency=4.0) as service:
        desk = Desk(tmp_path, service, spec("*.dat", "*.jpg"))

        async def work() -> None:
            async with desk.watching():
                desk.drop("shoe.dat")
                await until(lambda: desk.predictions == 1)
                desk.rewrite(spec("*.txt", "*.dat"))
                await until(lambda: any("was edited" in line for line in desk.lines))
                desk.inbox.rename(tmp_path / "away")
                await until(lambda: sum("is not there" in line for line in desk.lines) == 2)
                (tmp_path / "away").rename(desk.inbox)
                await until((desk.done / "shoe.dat").exists)

        asyncio.run(work())
        assert len(desk.runs) == desk.predictions == 1
        assert [row.verdict for row in arrivals(desk)] == [Verdict.DONE]


# --- folders that overlap ---


def test_a_folder_within_a_folder_has_its_own_files_after_a_crash_too(tmp_path: Path) -> None:
    with emulator(latency=1.5) as service:
        spec = (
            HEAD
            + """watch:
  - {folder: inbox, param: photos, patterns: ["**/*.dat"], settle: 50ms}
  - {folder: inbox/raw, param: photos, patterns: ["*.dat"], settle: 50ms}
"""
        )
        desk = Desk(tmp_path, service, spec)
        (desk.inbox / "raw").mkdir()

        async def first() -> None:
            async with desk.watching(grace_seconds=0.1):
                desk.drop("top.dat")
                desk.drop("raw/low.dat")
                await until(lambda: desk.predictions == 2)

        asyncio.run(first())
        assert desk.once().exit_code == 0
        assert desk.predictions == 2
        assert (desk.done / "top.dat").is_file()
        assert (desk.inbox / "raw/done/low.dat").is_file()
        assert [row.verdict for row in arrivals(desk)] == [Verdict.DONE, Verdict.DONE]


def test_one_folder_may_fill_several_params_each_file_going_to_the_first_that_wants_it(tmp_path: Path) -> None:
    spec = (
        HEAD.replace("photos: {type: files}", "photos: {type: files}\n  tables: {type: files}")
        + """  read:
    workflow: work
    for_each: ${{ params.tables }}
    input: {name: "table ${{ item.name }}"}
watch:
  - {folder: inbox, param: photos, patterns: ["*.jpg"], settle: 50ms, on_success: {move: photos-done}}
  - {folder: inbox, param: tables, patterns: ["*.csv", "*.jpg"], settle: 50ms}
"""
    )
    with emulator(latency=1.0) as service:
        desk = Desk(tmp_path, service, spec)

        async def first() -> None:
            async with desk.watching(grace_seconds=0.1):
                desk.drop("a.jpg", jpeg(1))
                desk.drop("b.csv", b"1,2")
                await until(lambda: desk.predictions == 2)

        asyncio.run(first())
        assert len(desk.claims) == 2
        assert desk.once().done == 2
        assert sent(desk) == ["a.jpg", "table b.csv"]
        assert (tmp_path / "photos-done/a.jpg").is_file()
        assert (desk.done / "b.csv").is_file()


def test_what_is_finished_is_never_taken_again_however_its_folder_is_called(
    tmp_path: Path, service: EmulatorThread
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "inbox").symlink_to(tmp_path / "disk")
    spec = f"""{HEAD}watch:
  folder: inbox
  patterns: ["**/*.dat"]
  param: photos
  settle: 50ms
  on_success: {{move: {tmp_path}/disk/finished}}
"""
    desk = Desk(tmp_path, service, spec)

    async def work() -> None:
        async with desk.watching():
            desk.drop("a.dat")
            await until((tmp_path / "disk/finished/a.dat").exists)
            await asyncio.sleep(0.5)

    asyncio.run(work())
    assert len(desk.runs) == 1
    assert desk.names(tmp_path / "disk/finished") == ["a.dat"]


def test_the_same_folder_under_two_names_is_one_folder(tmp_path: Path, service: EmulatorThread) -> None:
    spec = (
        HEAD
        + """watch:
  - {folder: inbox, param: photos, patterns: ["*.dat"], settle: 50ms}
  - {folder: also, param: photos, patterns: ["*.dat"], settle: 50ms}
"""
    )
    desk = Desk(tmp_path, service, spec)
    (tmp_path / "also").symlink_to(desk.inbox)
    for number in range(20):
        desk.drop(f"{number}.dat")
    assert desk.once().done == 20
    assert desk.predictions == 20
    assert len(desk.names(desk.done)) == 20
