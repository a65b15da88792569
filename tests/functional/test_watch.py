"""Hot folders, end to end: real files, real inotify, the emulator as the service."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from speedpix_pipe.app import watch as watch_module
from speedpix_pipe.emulator import EmulatorThread, Fault
from speedpix_pipe.errors import AccessError, SpecError, StoreError, UsageError
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
    entry = "  - {{folder: {}, param: photos, settle: 300ms}}\n"
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


def test_pipes_links_sockets_and_folders_are_left_where_they_are(desk: Desk) -> None:
    os.mkfifo(desk.inbox / "pipe.dat")
    (desk.folder / "elsewhere.dat").write_bytes(b"x")
    (desk.inbox / "link.dat").symlink_to(desk.folder / "elsewhere.dat")
    (desk.inbox / "folder.dat").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(desk.inbox / "s.dat"))
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


# --- verdicts ---


def test_a_failed_file_moves_with_its_reason_and_comes_back_when_dragged(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("task-failed", "poll"))
    desk.drop("shoe.jpg", jpeg(1))
    assert desk.once().exit_code == 1
    note = desk.note("shoe.jpg")
    assert note["step"] == "work@inbox/shoe.jpg"
    assert note["run_id"] == desk.runs[0].run_id
    assert "shoe.jpg could not be finished" in note["message"]

    (desk.failed / "shoe.jpg").rename(desk.inbox / "shoe.jpg")
    assert desk.once().exit_code == 0
    assert desk.names(desk.failed) == []
    assert desk.names(desk.done) == ["shoe.jpg"]


def test_a_second_file_of_a_name_never_covers_the_first(desk: Desk) -> None:
    for number in range(3):
        desk.drop("shoe.jpg", jpeg(number))
        assert desk.once().done == 1
    assert desk.names(desk.done) == ["shoe-1.jpg", "shoe-2.jpg", "shoe.jpg"]
    assert (desk.done / "shoe.jpg").read_bytes() == jpeg(0)


def test_an_unknown_submission_fails_its_file_only(desk: Desk, service: EmulatorThread) -> None:
    service.add_fault(Fault("reset-after", "submit", match="b.dat"))
    desk.drop("a.dat")
    desk.drop("b.dat")
    outcome = desk.once()
    assert (outcome.done, outcome.failed) == (1, 1)
    assert desk.names(desk.failed) == ["b.dat", "b.dat.error.json"]


GATHER = SPEC.replace(
    "watch:",
    """  sheet:
    workflow: sheet
    input: {all: "${{ steps.work.outputs | map(attribute='v') }}"}
watch:""",
)


def test_a_gather_that_fails_fails_its_whole_batch(tmp_path: Path) -> None:
    from speedpix_pipe.emulator import WorkflowError
    from tests.functional.watching import answer

    def broken(_: object) -> object:
        raise WorkflowError("no paper")

    with emulator(workflows={"work": answer, "sheet": broken}) as service:
        desk = Desk(tmp_path, service, GATHER)
        desk.drop("a.dat")
        desk.drop("b.dat")
        assert desk.once().failed == 2
        assert "no paper" in desk.note("a.dat")["message"]
        assert desk.predictions == 3


def test_a_gather_skipped_because_of_one_file_blames_only_that_file(tmp_path: Path) -> None:
    from tests.functional.watching import answer

    with emulator(workflows={"work": answer, "sheet": lambda _: {"v": 1}}) as service:
        desk = Desk(tmp_path, service, GATHER)
        service.add_fault(Fault("task-failed", "submit", match="b.dat"))
        desk.drop("a.dat")
        desk.drop("b.dat")
        outcome = desk.once()
        assert (outcome.done, outcome.failed) == (1, 1)
        assert desk.names(desk.done) == ["a.dat"]


def test_files_that_meet_in_a_step_wait_for_each_other(tmp_path: Path) -> None:
    from tests.functional.watching import answer

    with emulator(workflows={"work": answer, "sheet": lambda inputs: {"v": len(inputs["all"])}}) as service:
        desk = Desk(tmp_path, service, GATHER.replace("settle: 100ms", "settle: 300ms"))

        async def work() -> None:
            async with desk.watching():
                for number in range(4):
                    desk.drop(f"{number}.dat")
                    await asyncio.sleep(0.1)
                await until(lambda: len(desk.names(desk.done)) == 4)

        asyncio.run(work())
        assert [run.total for run in desk.runs] == [5]


def test_a_failure_that_no_file_caused_still_leaves_no_file_without_a_reason(tmp_path: Path) -> None:
    from speedpix_pipe.emulator import WorkflowError
    from tests.functional.watching import answer

    def broken(_: object) -> object:
        raise WorkflowError("no colour today")

    spec = SPEC.replace("steps:\n", "steps:\n  paint: {workflow: paint, input: {of: wall}}\n").replace(
        "input: {image", 'input: {ground: "${{ steps.paint.output.v }}", image'
    )
    with emulator(workflows={"work": answer, "paint": broken}) as service:
        desk = Desk(tmp_path, service, spec)
        desk.drop("a.dat")
        assert desk.once().failed == 1
        assert "no colour today" in desk.note("a.dat")["message"]


# --- stopping and starting ---


def test_a_watcher_that_is_stopped_leaves_its_claims_and_the_next_start_joins(tmp_path: Path) -> None:
    with emulator(latency=1.5) as service:
        desk = Desk(tmp_path, service)

        async def first() -> None:
            async with desk.watching(grace_seconds=0.1):
                desk.drop("a.dat")
                desk.drop("b.dat")
                await until(lambda: desk.predictions == 2)

        asyncio.run(first())
        assert desk.outcome is not None
        assert desk.outcome.exit_code == 130
        assert len(desk.claims) == 2

        assert desk.once().done == 2
        assert desk.predictions == 2
        assert desk.claims == []


def test_claims_stop_while_the_engine_is_full_and_the_rest_waits_in_place(tmp_path: Path) -> None:
    with emulator(latency=1.0) as service:
        desk = Desk(tmp_path, service, SPEC.replace("settle: 100ms", "settle: 50ms\n  batch: {max_files: 5}"))

        async def work() -> None:
            for number in range(80):
                desk.drop(f"{number}.dat")
            async with desk.watching(concurrency=1, grace_seconds=0.1):
                await until(lambda: desk.predictions >= 1)
                await asyncio.sleep(0.3)
                assert len(desk.claims) <= 40
                assert len([name for name in desk.names(desk.inbox) if name.endswith(".dat")]) >= 40

        asyncio.run(work())


def test_a_second_watcher_of_the_same_spec_is_refused(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            with pytest.raises(StoreError, match="is being run"):
                await desk.watch(once=True)

    asyncio.run(work())


def test_two_watchers_on_one_folder_share_its_files_without_doubling_any(
    tmp_path: Path, service: EmulatorThread
) -> None:
    desk = Desk(tmp_path, service)
    other = Desk(tmp_path, service)
    (tmp_path / "other.yaml").write_text(SPEC, encoding="utf-8")

    async def work() -> None:
        from dataclasses import replace

        from speedpix_pipe.app.watch import watch

        request = other.request(once=True)
        request = replace(request, run=replace(request.run, spec=replace(request.run.spec, spec=Path("other.yaml"))))
        for number in range(60):
            desk.drop(f"{number:02}.dat")
        first = desk.watch(once=True)
        second = watch(request, subscribe=lambda *_: [], tell=other.lines.append)
        outcomes = await asyncio.gather(first, second)
        assert sum(outcome.done for outcome in outcomes) == 60

    asyncio.run(work())
    assert desk.predictions == 60
    assert len(desk.names(desk.done)) == 60


def test_claims_of_another_watcher_are_adopted_only_when_asked(desk: Desk) -> None:
    claim = desk.inbox / ".speedpix-claims/other-1234/01HZZZZZZZZZZZZZZZZZZZZZZZ/shoe.dat"
    claim.parent.mkdir(parents=True)
    claim.write_bytes(b"left behind")
    assert desk.once().done == 0
    assert claim.exists()
    assert desk.once(take_over="other-1234").done == 1
    assert (desk.done / "shoe.dat").read_bytes() == b"left behind"
    with pytest.raises(UsageError, match="has claimed"):
        desk.once(take_over="nobody")


def test_wrong_credentials_end_the_watcher_and_no_file_is_blamed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.drop("shoe.dat")
    good = desk.environment
    monkeypatch.setattr(Desk, "environment", {**good, "SPEEDPIX_APP_SECRET": "wrong"})
    with pytest.raises(AccessError):
        desk.once()
    assert desk.names(desk.failed) == []
    assert len(desk.claims) == 1
    monkeypatch.setattr(Desk, "environment", good)
    assert desk.once().done == 1


def test_once_leaves_what_never_settles_and_ends_with_1(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "ONCE_PATIENCE_SECONDS", 0.5)
    path = desk.drop("growing.dat")

    async def work() -> None:
        async def grow() -> None:
            while True:
                with path.open("ab") as out:
                    out.write(b".")
                await asyncio.sleep(0.02)

        growing = asyncio.ensure_future(grow())
        outcome = await desk.watch(once=True)
        growing.cancel()
        assert (outcome.exit_code, outcome.left) == (1, 1)

    asyncio.run(work())
    assert path.exists()


# --- the folder itself ---


def test_a_root_that_is_not_there_is_waited_for_and_never_made(desk: Desk) -> None:
    desk.inbox.rmdir()

    async def work() -> None:
        async with desk.watching():
            await until(lambda: any("is not there" in line for line in desk.lines))
            await asyncio.sleep(0.3)
            assert not desk.inbox.exists()
            desk.inbox.mkdir()
            desk.drop("shoe.dat")
            await until((desk.done / "shoe.dat").exists)

    asyncio.run(work())


def test_a_root_that_disappears_and_returns_goes_on(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            desk.drop("one.dat")
            await until((desk.done / "one.dat").exists)
            desk.inbox.rename(desk.folder / "away")
            await until(lambda: any("is not there" in line for line in desk.lines))
            (desk.folder / "away/two.dat").write_bytes(b"2")
            (desk.folder / "away").rename(desk.inbox)
            await until((desk.done / "two.dat").exists)

    asyncio.run(work())


def test_another_folder_in_its_place_is_not_taken_for_the_root(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            desk.drop("one.dat")
            await until((desk.done / "one.dat").exists)
            desk.inbox.rename(desk.folder / "away")
            desk.inbox.mkdir()
            desk.drop("strange.dat")
            await until(lambda: any("another folder stands" in line for line in desk.lines))
            await asyncio.sleep(1.0)
            assert desk.names(desk.inbox) == ["strange.dat"]

    asyncio.run(work())


def test_once_refuses_a_root_that_is_not_there(desk: Desk) -> None:
    desk.inbox.rmdir()
    with pytest.raises(UsageError, match="is not there"):
        desk.once()


def test_a_destination_that_cannot_be_written_keeps_the_file_claimed_and_turns_red(desk: Desk) -> None:
    health = desk.folder / "health.json"
    desk.done.write_bytes(b"a file where the folder should be")

    async def work() -> None:
        async with desk.watching(health=health):
            desk.drop("shoe.dat")
            await until(lambda: health.exists() and json.loads(health.read_text())["status"] == "red")
            assert len(desk.claims) == 1
            desk.done.unlink()
            await until((desk.done / "shoe.dat").exists)
            await until(lambda: json.loads(health.read_text())["status"] == "green")

    asyncio.run(work())
    assert desk.predictions == 1
    last = json.loads(health.read_text())
    assert last["alive"] is False
    assert last["last_verdicts"][0]["file"] == "inbox/shoe.dat"


def test_a_result_that_would_start_itself_again_fails_before_submission(desk: Desk) -> None:
    desk.rewrite(SPEC.replace("out/${{ item.name }}.txt", "${{ item.dir }}/${{ item.stem }}-x.dat"))
    desk.drop("shoe.dat")
    outcome = desk.once()
    assert outcome.failed == 1
    assert desk.predictions == 0
    assert "watched folder" in desk.note("shoe.dat")["message"]


def test_a_result_led_into_the_root_by_a_link_fails_too(desk: Desk) -> None:
    (desk.folder / "out").symlink_to(desk.inbox)
    desk.drop("shoe.dat")
    assert desk.once().failed == 1
    assert desk.predictions == 0


# --- the spec, budgets, health ---


def test_an_edited_spec_counts_from_the_next_batch_and_a_broken_one_does_not(desk: Desk) -> None:
    async def work() -> None:
        async with desk.watching():
            desk.drop("a.dat")
            await until((desk.done / "a.dat").exists)
            desk.rewrite(SPEC.replace("steps:", "stepz:"))
            desk.drop("b.dat")
            await until((desk.done / "b.dat").exists)
            assert any("broken" in line for line in desk.lines)
            desk.rewrite(SPEC.replace('"${{ item.name }}"', '"new ${{ item.name }}"', 1))
            desk.drop("c.dat")
            await until((desk.done / "c.dat").exists)

    asyncio.run(work())
    names = [prediction["inputs"]["name"] for prediction in desk.emulator.predictions()]
    assert names == ["a.dat", "b.dat", "new c.dat"]


def test_the_budget_of_a_day_pauses_claims(desk: Desk) -> None:
    desk.rewrite(SPEC.replace("steps:", "limits: {per_day: 2}\nsteps:", 1))

    async def work() -> None:
        async with desk.watching():
            for number in range(5):
                desk.drop(f"{number}.dat")
            await until(lambda: len(desk.names(desk.done)) == 2)
            await until(lambda: any("per_day" in line for line in desk.lines))
            await asyncio.sleep(0.3)

    asyncio.run(work())
    assert desk.predictions == 2
    assert len([name for name in desk.names(desk.inbox) if name.endswith(".dat")]) == 3


def test_a_spec_without_watch_is_refused(desk: Desk) -> None:
    desk.rewrite(SPEC.partition("watch:")[0])
    with pytest.raises((UsageError, SpecError)):
        desk.once()


def test_files_lying_in_done_cost_nothing_to_have_there(desk: Desk) -> None:
    desk.done.mkdir()
    for number in range(2000):
        (desk.done / f"{number}.dat").touch()

    async def work() -> None:
        async with desk.watching():
            await asyncio.sleep(0.5)
            before = time.process_time()
            await asyncio.sleep(1.0)
            assert time.process_time() - before < 0.2

    asyncio.run(work())
    assert desk.predictions == 0


def test_a_failed_task_is_done_again_from_where_its_file_lies_now(desk: Desk, service: EmulatorThread) -> None:
    from speedpix_pipe.app.redo import RedoRequest, redo
    from speedpix_pipe.settings import load_settings

    service.add_fault(Fault("task-failed", "poll"))
    desk.drop("shoe.jpg", jpeg(1))
    assert desk.once().failed == 1
    request = RedoRequest(desk.folder / ".speedpix", load_settings(None, desk.environment), failed=True)
    outcome = asyncio.run(redo(request, lambda *_: []))
    assert outcome.exit_code == 0
    assert [file.key for file in outcome.summary.files] == ["inbox/shoe.jpg"]
    assert desk.predictions == 2
