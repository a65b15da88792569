"""Hot folders end to end: watchers that stop and start, several of them, and what becomes of their folders."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from pathlib import Path

import pytest

from speedpix_pipe.app import watch as watch_module
from speedpix_pipe.emulator import EmulatorThread
from speedpix_pipe.errors import AccessError, StoreError, UsageError
from tests.functional.watching import SPEC, Desk, arrivals, emulator, until

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize(("name", "ends"), [("a.dat", (0, 1, 0)), (os.fsdecode(b"caf\xe9.dat"), (1, 0, 1))])
def test_a_verdict_of_a_life_before_counts_where_its_file_is_placed(
    desk: Desk, name: str, ends: tuple[int, int, int]
) -> None:
    def die(step: str) -> None:
        if step == "move.journaled":
            raise StoreError("a bug", code="store.full")

    desk.drop(name)
    with pytest.raises(StoreError, match="a bug"):
        desk.once(step=die)
    assert len(desk.claims) == 1
    outcome = desk.once()
    assert (outcome.exit_code, outcome.done, outcome.failed) == ends
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


def test_claims_of_one_name_that_are_taken_over_are_worked_on_one_after_the_other(desk: Desk) -> None:
    """As of two watchers of which the second took over what the first had left; here there are three."""
    contents = [b"first", b"second", b"third"]
    for number, content in enumerate(contents):
        claim = desk.inbox / ".speedpix-claims/other-1234" / f"01ARZ3NDEKTSV4RRFFQ69G5FA{number}"
        claim.mkdir(parents=True)
        (claim / "shoe.dat").write_bytes(content)
    assert desk.once(take_over="other-1234").done == 3
    assert sorted(path.read_bytes() for path in desk.done.iterdir()) == contents
    assert desk.names(desk.done) == ["shoe-1.dat", "shoe-2.dat", "shoe.dat"]
    assert len(desk.runs) == desk.predictions == 3
    rows = arrivals(desk)
    assert all(before.judged_at <= after.judged_at for before, after in itertools.pairwise(rows))


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


def test_a_trouble_with_a_name_that_is_no_utf_8_is_shown_and_ends_nobody(desk: Desk) -> None:
    desk.rewrite(SPEC.replace('"*.dat"', '"**/*.dat"'))
    health, odd = desk.folder / "health.json", os.fsdecode(b"caf\xe9")
    desk.failed.mkdir()
    (desk.failed / odd).write_bytes(b"a file where the folder should be")

    async def work() -> None:
        async with desk.watching(health=health):
            desk.drop(f"{odd}/shoe.dat")
            await until(lambda: health.exists() and json.loads(health.read_text())["status"] == "red")
            (desk.failed / odd).unlink()
            await until((desk.failed / odd / "shoe.dat").exists)
            await until(lambda: json.loads(health.read_text())["status"] == "green")

    asyncio.run(work())
    assert any("cannot be moved to" in line and line.encode() and "caf\\xe9" in line for line in desk.lines)


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
