"""Ways to lose, double, strand or wrongly blame a file, each tried against a real watcher."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.app import watch as watch_module
from speedpix_pipe.emulator import EmulatorThread, Fault
from speedpix_pipe.errors import UsageError
from speedpix_pipe.store import ArrivalState, Store, Verdict
from tests.functional.watching import SPEC, Desk, answer, emulator, jpeg, until

pytestmark = pytest.mark.slow

HEAD, _, _ = SPEC.partition("watch:")


@pytest.fixture
def service() -> Iterator[EmulatorThread]:
    with emulator() as thread:
        yield thread


@pytest.fixture
def desk(tmp_path: Path, service: EmulatorThread) -> Desk:
    return Desk(tmp_path, service)


def arrivals(desk: Desk) -> list[Any]:
    """The rows of all arrivals, the oldest first."""
    with Store.open(desk.folder / ".speedpix", write=False) as store:
        return store.arrivals._read("1 = 1", ())


def sent(desk: Desk) -> list[str]:
    return sorted(prediction["inputs"]["name"] for prediction in desk.emulator.predictions())


# --- the root goes while a file is being worked on ---


def test_a_root_that_goes_while_a_file_is_at_work_is_not_made_again_and_the_file_is_placed_on_return(
    tmp_path: Path,
) -> None:
    with emulator(latency=0.6) as service:
        desk = Desk(tmp_path, service)

        async def work() -> None:
            async with desk.watching():
                desk.drop("shoe.dat")
                await until(lambda: desk.predictions == 1)
                desk.inbox.rename(desk.folder / "away")
                await until(lambda: len(desk.runs) == 1)
                await asyncio.sleep(1.2)
                assert not desk.inbox.exists()
                (desk.folder / "away").rename(desk.inbox)
                await until((desk.done / "shoe.dat").exists)

        asyncio.run(work())
        assert desk.predictions == 1
        assert [(row.state, row.verdict) for row in arrivals(desk)] == [(ArrivalState.PLACED, Verdict.DONE)]
        assert (desk.done / "shoe.dat").read_bytes() == b"shoe.dat"


def test_a_file_that_fails_while_its_root_is_away_gets_its_note_on_return(tmp_path: Path) -> None:
    with emulator(latency=0.6) as service:
        desk = Desk(tmp_path, service)
        service.add_fault(Fault("task-failed", "poll"))

        async def work() -> None:
            async with desk.watching():
                desk.drop("shoe.dat")
                await until(lambda: desk.predictions == 1)
                desk.inbox.rename(desk.folder / "away")
                await until(lambda: len(desk.runs) == 1)
                (desk.folder / "away").rename(desk.inbox)
                await until((desk.failed / "shoe.dat").exists)

        asyncio.run(work())
        assert desk.note("shoe.dat")["run_id"] == desk.runs[0].run_id
        assert desk.names(desk.failed) == ["shoe.dat", "shoe.dat.error.json"]


def test_a_file_that_cannot_be_read_because_its_root_is_away_is_not_to_blame(tmp_path: Path) -> None:
    """Two steps, so that the second one uploads the file while its root is away."""
    steps = SPEC.replace(
        "watch:",
        """  again:
    workflow: work
    for_each: ${{ steps.work }}
    input: {image: "${{ item }}", name: "again ${{ item.name }}"}
watch:""",
    ).replace('{image: "${{ item }}", name: "${{ item.name }}"}', '{name: "${{ item.name }}"}', 1)
    with emulator(latency=0.6) as service:
        desk = Desk(tmp_path, service, steps)

        async def work() -> None:
            async with desk.watching():
                desk.drop("shoe.dat")
                await until(lambda: desk.predictions == 1)
                desk.inbox.rename(desk.folder / "away")
                await until(lambda: len(desk.runs) == 1)
                (desk.folder / "away").rename(desk.inbox)
                await until((desk.done / "shoe.dat").exists)

        asyncio.run(work())
        assert sent(desk) == ["again shoe.dat", "shoe.dat"]
        assert desk.names(desk.inbox) == ["done"]


# --- once ---


def test_once_ends_where_the_claims_of_a_life_before_are_lost(tmp_path: Path) -> None:
    with emulator(latency=5.0) as service:
        desk = Desk(tmp_path, service)

        async def first() -> None:
            async with desk.watching(grace_seconds=0.1):
                desk.drop("a.dat")
                await until(lambda: desk.predictions == 1)

        asyncio.run(first())
        shutil.move(desk.inbox / ".speedpix-claims", desk.folder / "kept")
        desk.drop("b.dat")
        outcome = asyncio.run(asyncio.wait_for(desk.watch(once=True), 20))
        assert outcome.exit_code == 1
        assert any("has lost 1 file" in line for line in desk.lines)
        assert (desk.inbox / "b.dat").exists()


def test_once_ends_when_the_budget_of_the_day_is_spent(desk: Desk) -> None:
    desk.rewrite(SPEC.replace("steps:", "limits: {per_day: 2}\nsteps:", 1))
    for number in range(5):
        desk.drop(f"{number}.dat")
    outcome = asyncio.run(asyncio.wait_for(desk.watch(once=True), 20))
    assert (outcome.exit_code, outcome.done, outcome.left) == (1, 2, 3)
    assert any("per_day" in line for line in desk.lines)


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


# --- writers and other programs ---


def test_a_file_under_somebodys_write_lease_is_being_written(desk: Desk) -> None:
    """As file servers hold one for a client that writes through them."""
    path = desk.inbox / "leased.dat"
    path.write_bytes(b"half")
    command = [sys.executable, "-c", LEASE, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline().strip() != "held":
            holder.communicate()
            pytest.skip("no leases on this file system")

        async def work() -> None:
            async with desk.watching():
                await asyncio.sleep(1.5)  # 15 times settle: more patience than for what cannot be read at all
                assert path.exists()
                holder.communicate()
                await until((desk.done / "leased.dat").exists)

        asyncio.run(work())
    assert desk.names(desk.failed) == []


LEASE = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
descriptor = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
except OSError:
    print("none", flush=True)
else:
    print("held", flush=True)
    sys.stdin.readline()
"""


def as_nobody(desk: Desk, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The program as a user who may not do everything; skipped where we are not root ourselves."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, to be somebody else")
    for path in (desk.folder, *desk.folder.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    home = desk.folder
    while home != home.parent:  # pytest's folders are closed to others
        home = home.parent
        if home.stat().st_uid == 0 and not home.stat().st_mode & 0o001:
            pytest.skip(f"{home} is closed to other users")
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "speedpix_pipe"]
    return subprocess.run(
        [*command, *arguments],
        cwd=desk.folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **desk.environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **more,
    )
