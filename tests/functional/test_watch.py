"""Hot folders end to end: what arrives, how it is written, and what is no ordinary file."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from speedpix_pipe.emulator import EmulatorThread
from speedpix_pipe.store import Store
from tests.functional.watching import SPEC, Desk, emulator, jpeg, until

pytestmark = pytest.mark.slow


# --- the plain way ---


def test_files_that_arrive_are_processed_and_move_to_done(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            for number in range(12):
                desk.drop(f"p{number}.jpg", jpeg(number))
            await until(lambda: len(desk.names(desk.done)) == 12)

    asyncio.run(work())
    assert desk.predictions == 12
    assert desk.names(desk.inbox) == ["done"]
    assert sorted(desk.names(desk.folder / "out")) == sorted(f"p{number}.jpg.txt" for number in range(12))
    assert desk.outcome is not None
    assert (desk.outcome.exit_code, desk.outcome.done, desk.outcome.failed) == (130, 12, 0)


def test_batch_after_batch_leaves_no_threads_behind(desk: Desk) -> None:
    async def work() -> list[int]:
        counts = []
        async with desk.watching():
            for number in range(8):
                desk.drop(f"p{number}.dat")
                await until(lambda: len(desk.names(desk.done)) == number + 1)  # noqa: B023 - waited for here
                counts.append(threading.active_count())
        return counts

    counts = asyncio.run(work())
    assert len(desk.runs) == 8
    assert counts[-1] <= counts[1] + 2, counts


def test_batch_after_batch_leaves_nothing_but_its_results_and_its_history(desk: Desk) -> None:
    desk.rewrite(f"{SPEC}  batch: {{max_files: 1}}\n")
    state = desk.folder / ".speedpix"

    async def work() -> None:
        async with desk.watching():
            for number in range(5):
                desk.drop(f"{number}.dat")
            await until(lambda: len(desk.runs) == 5)
            assert [path.name for path in (state / "work").iterdir() if not path.name.startswith("shared-")] == []
            with Store.open(state, write=False) as store:
                assert store._reader.all("SELECT * FROM output_folders") == []

    asyncio.run(work())


def test_once_drains_what_is_there_in_one_run_and_ends_with_0(desk: Desk) -> None:
    for number in range(3):
        desk.drop(f"p{number}.jpg", jpeg(number))
    outcome = desk.once()
    assert (outcome.exit_code, outcome.done, outcome.left) == (0, 3, 0)
    assert [run.total for run in desk.runs] == [3]
    assert not (desk.inbox / ".speedpix-claims").exists()


def test_an_empty_folder_ends_once_at_once(desk: Desk) -> None:
    assert desk.once().exit_code == 0
    assert desk.predictions == 0


def test_equal_content_costs_nothing_and_still_gets_its_own_result(desk: Desk) -> None:
    desk.rewrite(SPEC.replace(', name: "${{ item.name }}"', ""))
    desk.drop("a.jpg", jpeg(1))
    desk.drop("b.jpg", jpeg(1))
    assert desk.once().done == 2
    assert desk.predictions == 1
    assert desk.names(desk.folder / "out") == ["a.jpg.txt", "b.jpg.txt"]


def test_sub_folders_are_watched_by_two_stars_and_kept_by_the_move(desk: Desk) -> None:
    desk.rewrite(SPEC.replace('"*.jpg", "*.dat"', '"**/*.dat"').replace("${{ item.name }}.txt", "${{ item.rel }}.txt"))
    desk.drop("top.dat")
    desk.drop("monday/early/shoe.dat")
    assert desk.once().done == 2
    assert (desk.done / "monday/early/shoe.dat").is_file()
    assert (desk.folder / "out/monday/early/shoe.dat.txt").is_file()


def test_without_two_stars_sub_folders_are_left_alone(desk: Desk) -> None:
    desk.drop("sub/shoe.dat")
    assert desk.once().done == 0
    assert (desk.inbox / "sub/shoe.dat").is_file()


def test_several_folders_fill_several_params(tmp_path: Path, service: EmulatorThread) -> None:
    head, _, _ = SPEC.partition("watch:")
    second = head.replace("photos: {type: files}", "photos: {type: files}\n  scans: {type: files}")
    spec = f"""{second}
  scan:
    workflow: work
    for_each: ${{{{ params.scans }}}}
    input: {{image: "${{{{ item }}}}", name: "scan ${{{{ item.name }}}}"}}
watch:
  - {{folder: inbox, param: photos, settle: 50ms}}
  - {{folder: scans, param: scans, settle: 50ms, on_success: {{move: finished}}}}
"""
    desk = Desk(tmp_path, service, spec)
    (tmp_path / "scans").mkdir()
    desk.drop("a.dat")
    (tmp_path / "scans/b.dat").write_bytes(b"b")
    assert desk.once().done == 2
    assert sorted(p["inputs"]["name"] for p in service.predictions()) == ["a.dat", "scan b.dat"]
    assert (tmp_path / "finished/b.dat").is_file()


def test_a_param_of_type_file_gets_a_run_for_each_file(desk: Desk) -> None:
    desk.rewrite(
        SPEC.replace("photos: {type: files}", "photos: {type: file}")
        .replace("    for_each: ${{ params.photos }}\n", "")
        .replace("item", "params.photos")
    )
    desk.drop("a.dat")
    desk.drop("b.dat")
    assert desk.once().done == 2
    assert len(desk.runs) == 2


# --- writers ---


def test_a_slow_writer_is_waited_for(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            with (desk.inbox / "slow.dat").open("wb") as out:
                for number in range(30):
                    out.write(b"%d\n" % number)
                    out.flush()
                    await asyncio.sleep(0.03)
            await until((desk.done / "slow.dat").exists)

    asyncio.run(work())
    assert desk.predictions == 1
    assert (desk.done / "slow.dat").read_bytes().endswith(b"29\n")


def test_a_copier_that_allocates_first_is_waited_for(desk: Desk) -> None:
    picture = jpeg(5, size=400)

    async def work() -> None:
        async with desk.watching():
            descriptor = os.open(desk.inbox / "big.jpg", os.O_CREAT | os.O_WRONLY)
            os.ftruncate(descriptor, len(picture))
            for start in range(0, len(picture), 500):
                os.pwrite(descriptor, picture[start : start + 500], start)
                await asyncio.sleep(0.06)
            os.close(descriptor)
            await until((desk.done / "big.jpg").exists)

    asyncio.run(work())
    assert desk.predictions == 1
    assert (desk.done / "big.jpg").read_bytes() == picture


def test_an_open_writer_that_pauses_is_seen_by_the_lease(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            with (desk.inbox / "pausing.dat").open("wb") as out:
                out.write(b"first half, ")
                out.flush()
                await asyncio.sleep(0.6)  # six times `settle`
                assert (desk.inbox / "pausing.dat").exists()
                out.write(b"second half")
            await until((desk.done / "pausing.dat").exists)

    asyncio.run(work())
    assert desk.predictions == 1


def test_temporary_names_are_never_taken(desk: Desk) -> None:
    names = ["a.dat.part", "b.crdownload", ".c.dat.x7Fq", "~$d.dat", "e.tmp", "f.filepart", "g.dat.error.json"]
    desk.rewrite(SPEC.replace('"*.jpg", "*.dat"', '"*"'))
    for name in names:
        desk.drop(name)
    assert desk.once().done == 0
    assert desk.names(desk.inbox) == sorted(names)
    (desk.inbox / "a.dat.part").rename(desk.inbox / "a.dat")  # as rsync and browsers finish
    assert desk.once().done == 1


def test_a_file_deleted_before_it_settled_is_no_arrival(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            desk.drop("fleeting.dat").unlink()
            desk.drop("lasting.dat")
            await until((desk.done / "lasting.dat").exists)

    asyncio.run(work())
    assert desk.predictions == 1


def test_the_same_name_written_again_while_it_runs_is_a_second_arrival(tmp_path: Path) -> None:
    with emulator(latency=0.5) as service:
        desk = Desk(tmp_path, service)

        async def work() -> None:
            async with desk.watching():
                desk.drop("shoe.jpg", jpeg(1))
                await until(lambda: desk.predictions == 1)
                desk.drop("shoe.jpg", jpeg(2))
                await until((desk.done / "shoe-1.jpg").exists)

        asyncio.run(work())
        assert desk.predictions == 2
        assert (desk.done / "shoe.jpg").read_bytes() == jpeg(1)
        assert (desk.done / "shoe-1.jpg").read_bytes() == jpeg(2)


def test_a_file_that_changes_after_its_claim_is_taken_again_with_a_warning(tmp_path: Path) -> None:
    with emulator(latency=0.6) as service:
        desk = Desk(tmp_path, service)

        async def work() -> None:
            async with desk.watching():
                desk.drop("shoe.dat", b"first")
                await until(lambda: desk.predictions == 1)
                with desk.claims[0].open("ab") as late:
                    late.write(b" and more")
                await until((desk.done / "shoe.dat").exists)

        asyncio.run(work())
        assert desk.predictions == 2
        assert (desk.done / "shoe.dat").read_bytes() == b"first and more"
        assert any("settle" in line and "went on changing" in line for line in desk.lines)


def test_a_rename_between_watched_folders_is_one_arrival(tmp_path: Path, service: EmulatorThread) -> None:
    head, _, _ = SPEC.partition("watch:")
    entry = "  - {{folder: {}, param: photos, settle: 2s}}\n"
    desk = Desk(tmp_path, service, head + "watch:\n" + entry.format("inbox") + entry.format("other"))
    (tmp_path / "other").mkdir()

    async def work() -> None:
        async with desk.watching():
            path = desk.drop("shoe.dat")
            await asyncio.sleep(0.1)
            path.rename(tmp_path / "other/shoe.dat")
            await until((tmp_path / "other/done/shoe.dat").exists)

    asyncio.run(work())
    assert desk.predictions == 1
    assert desk.names(desk.done) == []


# --- what is no ordinary file ---


def test_pipes_links_sockets_and_folders_are_left_where_they_are(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(desk.inbox / "pipe.dat")
    (desk.folder / "elsewhere.dat").write_bytes(b"x")
    (desk.inbox / "link.dat").symlink_to(desk.folder / "elsewhere.dat")
    (desk.inbox / "folder.dat").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        with monkeypatch.context() as there:
            there.chdir(desk.inbox)
            server.bind("s.dat")  # a socket's path must be short, and a folder's may be long
        desk.drop("real.dat")
        assert desk.once().done == 1
    assert desk.names(desk.inbox) == ["done", "folder.dat", "link.dat", "pipe.dat", "s.dat"]


@pytest.mark.parametrize(
    "name",
    [
        "with space.dat",
        "line\nbreak.dat",
        "👟 运动鞋.dat",
        "n" * 251 + ".dat",
        os.fsdecode(b"caf\xe9.dat"),
        "-rf.dat",
        "%41.dat",
        "quote'\"$(x).dat",
    ],
    ids=["space", "newline", "emoji", "255-bytes", "not-utf-8", "dash", "percent", "shell"],
)
def test_any_name_a_file_can_have_ends_in_done_or_failed_with_a_reason(desk: Desk, name: str) -> None:
    desk.drop(name, b"bytes")
    desk.once()
    assert desk.claims == []
    assert name not in desk.names(desk.inbox)
    if (desk.done / name).exists():
        assert (desk.done / name).read_bytes() == b"bytes"
    else:
        assert (desk.failed / name).read_bytes() == b"bytes"
        notes = list(desk.failed.glob("*.error.json"))
        assert len(notes) == 1
        assert json.loads(notes[0].read_text(encoding="utf-8"))["message"]


def test_names_that_differ_in_case_only_are_two_arrivals(desk: Desk) -> None:
    desk.drop("Shoe.dat", b"1")
    desk.drop("shoe.dat", b"2")
    desk.rewrite(SPEC.replace("${{ item.name }}.txt", "${{ item.sha256 }}.txt"))
    assert desk.once().done == 2
    assert desk.names(desk.done) == ["Shoe.dat", "shoe.dat"]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (jpeg(1, size=300)[:-400], "cut off"), (b"hello, I am text", "no picture")],
    ids=["empty", "truncated", "text"],
)
def test_a_picture_that_is_none_fails_with_a_sentence_and_costs_nothing(desk: Desk, data: bytes, said: str) -> None:
    desk.drop("bad.jpg", data)
    desk.drop("good.jpg", jpeg(1))
    outcome = desk.once()
    assert (outcome.exit_code, outcome.done, outcome.failed) == (1, 1, 1)
    assert (desk.failed / "bad.jpg").read_bytes() == data
    note = desk.note("bad.jpg")
    assert said in note["message"]
    assert "nothing was charged" in note["message"]
    assert desk.predictions == 1


def test_a_picture_that_becomes_whole_in_time_is_done(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            path = desk.drop("late.jpg", jpeg(3, size=300)[:-500])
            await asyncio.sleep(0.4)
            assert path.exists()
            path.write_bytes(jpeg(3, size=300))
            await until((desk.done / "late.jpg").exists)

    asyncio.run(work())


def test_an_input_that_breaks_its_contract_fails_alone_and_costs_nothing(desk: Desk) -> None:
    contract = (
        "workflows:\n  work: {id: work, input: {image: {type: file}, name: {type: string, maxLength: 9}}}\nsteps:"
    )
    desk.rewrite(SPEC.replace("steps:", contract, 1))
    desk.drop("much-too-long.dat")
    desk.drop("short.dat")
    assert desk.once().failed == 1
    assert desk.predictions == 1
    assert "name" in desk.note("much-too-long.dat")["message"]
