"""What a hot folder must not lose when folders go away, writers misbehave or rights are missing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.app import watch as watch_module
from speedpix_pipe.emulator import EmulatorThread, Fault
from speedpix_pipe.store import ArrivalState, Store, Verdict
from tests.functional.watching import HEAD, SPEC, Desk, Noon, arrivals, emulator, ended, jpeg, sent, typed, until

pytestmark = pytest.mark.slow


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


def test_a_name_that_was_reserved_when_the_root_went_is_given_back_on_return(tmp_path: Path) -> None:
    with emulator() as service:
        desk = Desk(tmp_path, service)
        service.add_fault(Fault("task-failed", "poll"))
        away = desk.folder / "away"

        def step(name: str) -> None:
            if name == "move.reserved" and not went:
                went.append(name)
                desk.inbox.rename(away)

        went: list[str] = []

        async def work() -> None:
            async with desk.watching(step=step):
                desk.drop("shoe.dat")
                await until(lambda: bool(went))
                await asyncio.sleep(0.7)
                away.rename(desk.inbox)
                await until(lambda: arrivals(desk)[0].state is ArrivalState.PLACED)

        asyncio.run(work())
        placed = [path for path in desk.failed.iterdir() if path.name.endswith(".dat")]
        assert [path.read_bytes() for path in placed] == [b"shoe.dat"]
        assert desk.names(desk.failed) == sorted([placed[0].name, f"{placed[0].name}.error.json"])


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
                await until(lambda: ended(desk) == 1)
                (desk.folder / "away").rename(desk.inbox)
                await until((desk.done / "shoe.dat").exists)

        asyncio.run(work())
        assert [run.total for run in desk.runs] == [2], "one run, told of once, at its end"
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
        outcome = asyncio.run(asyncio.wait_for(desk.watch(once=True, clock=Noon()), 60))
        assert outcome.exit_code == 1
        assert any("has lost 1 file" in line for line in desk.lines)
        assert (desk.inbox / "b.dat").exists()


def test_once_ends_when_the_budget_of_the_day_is_spent(desk: Desk) -> None:
    desk.rewrite(SPEC.replace("steps:", "limits: {per_day: 2}\nsteps:", 1))
    for number in range(5):
        desk.drop(f"{number}.dat")
    outcome = asyncio.run(asyncio.wait_for(desk.watch(once=True, clock=Noon()), 60))
    assert (outcome.exit_code, outcome.done, outcome.left) == (1, 2, 3)
    assert any("per_day" in line for line in desk.lines)


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


NOBODY = 65534
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]


def without_power(desk: Desk, *arguments: str) -> subprocess.Popen[str]:
    """The program as a user who may not do everything: root without any of its capabilities."""
    return subprocess.Popen(
        [*POWERLESS, sys.executable, "-m", "speedpix_pipe", *arguments],
        cwd=desk.folder,
        env={**os.environ, **desk.environment},
        stderr=subprocess.PIPE,
        text=True,
    )


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to make files of other users"
)


@needs_root
def test_a_file_that_may_not_be_moved_keeps_no_other_waiting(desk: Desk) -> None:
    """A folder like /tmp: everybody writes, and only owners move."""
    desk.rewrite(
        SPEC.replace("photos: {type: files}", "photos: {type: file}")
        .replace("    for_each: ${{ params.photos }}\n", "")
        .replace("item", "params.photos")
    )
    os.chown(desk.inbox, NOBODY, NOBODY)
    desk.inbox.chmod(0o1777)
    os.chown(desk.drop("aaa.dat", b"of somebody else"), NOBODY, NOBODY)
    for number in range(3):
        desk.drop(f"{number}.dat")
    with without_power(desk, "watch", "hot.yaml") as watcher:
        asyncio.run(until(lambda: len(desk.names(desk.done)) == 3, 60))
        watcher.terminate()
        _, said = watcher.communicate(timeout=30)
    assert "aaa.dat in inbox cannot be claimed: Operation not permitted" in said
    assert (desk.inbox / "aaa.dat").read_bytes() == b"of somebody else"
    assert desk.claims == []


@needs_root
def test_a_file_that_may_not_be_read_fails_with_a_sentence_and_costs_nothing(desk: Desk) -> None:
    for name in ("secret.dat", "secret.jpg"):
        desk.drop(name, jpeg(1)).chmod(0)
    desk.drop("open.jpg", jpeg(2))
    with without_power(desk, "watch", "hot.yaml", "--once") as watcher:
        _, said = watcher.communicate(timeout=60)
    assert (watcher.returncode, desk.names(desk.done)) == (1, ["open.jpg"]), said
    assert "may not be read" in desk.note("secret.jpg")["message"]
    assert "may not read" in desk.note("secret.dat")["message"]
    assert desk.predictions == 1


@needs_root
def test_a_folder_that_may_not_be_listed_is_refused_with_a_sentence(desk: Desk) -> None:
    desk.inbox.chmod(0o300)
    with without_power(desk, "watch", "hot.yaml") as watcher:
        _, said = watcher.communicate(timeout=60)
    assert watcher.returncode == 2
    assert "the watched folder inbox cannot be read: Permission denied" in said


def test_a_root_that_goes_while_its_claims_are_taken_up_is_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speedpix_pipe.triggers.claims import ClaimsFolder

    left = ClaimsFolder.left
    times = 0

    def going(self: ClaimsFolder, *root: Any) -> Any:
        nonlocal times
        times += 1
        if times <= 2:
            raise FileNotFoundError(2, "No such file or directory")
        return left(self, *root)

    monkeypatch.setattr(ClaimsFolder, "left", going)

    async def work() -> None:
        async with desk.watching():
            desk.drop("a.dat")
            await until((desk.done / "a.dat").exists)

    asyncio.run(work())
    assert any("cannot be taken up: No such file or directory" in line for line in desk.lines)


def test_a_claim_that_the_journal_takes_for_placed_where_it_lies_is_never_removed(desk: Desk) -> None:
    """As a root that went while its claims were taken up had once left it: judged, and said to be where it was."""
    desk.drop("a.dat")
    with typed(desk.folder, "hot.yaml", "--grace", "0s", **desk.environment) as watcher:
        asyncio.run(until(lambda: bool(desk.claims) or (desk.done / "a.dat").exists(), 60))
        watcher.kill()
    if (desk.done / "a.dat").exists():
        pytest.skip("it was too quick to be caught")
    (claim,) = desk.claims
    identity = claim.relative_to(desk.inbox).parts[2]

    async def spoil() -> None:
        with Store.open(desk.folder / ".speedpix") as store:
            row = {"watcher": claim.relative_to(desk.inbox).parts[1], "path": desk.inbox / "a.dat", "bytes_path": claim}
            await store.arrivals.claimed(identity, sha256="", size=5, **row)
            await store.arrivals.judged(identity, Verdict.FAILED, reason="it was taken out of the claims folder")
            await store.arrivals.placed(identity)

    asyncio.run(spoil())
    desk.once()
    desk.once()
    assert [path.read_bytes() for path in desk.done.iterdir()] == [b"a.dat"]


# --- what is no arrival ---


def test_the_watchers_own_files_are_no_arrivals_where_the_folder_of_the_spec_is_watched(
    tmp_path: Path, service: EmulatorThread
) -> None:
    spec = HEAD.replace("steps:", "  word: {type: string}\nsteps:", 1).replace(
        '"${{ item.name }}"', '"${{ params.word }} ${{ item.name }}"', 1
    )
    spec = spec.replace('save: {v: "out/${{ item.name }}.txt"}', "cache: true")
    spec += """watch: {folder: ".", param: photos, patterns: ["**/*"], settle: 50ms}\n"""
    desk = Desk(tmp_path, service, spec)
    (tmp_path / "params.yaml").write_text("word: the")
    (tmp_path / "a.dat").write_bytes(b"a")

    async def work() -> None:
        request = desk.request(health=tmp_path / "health.json")
        run = replace(request.run, spec=replace(request.run.spec, params_file=tmp_path / "params.yaml"))
        task = asyncio.ensure_future(
            watch_module.watch(replace(request, run=run), subscribe=lambda *_: [], tell=desk.lines.append)
        )
        await until((tmp_path / "done/a.dat").exists)
        await asyncio.sleep(2.5)  # some beats of the health file
        os.kill(os.getpid(), signal.SIGTERM)
        await task

    asyncio.run(work())
    assert sent(desk) == ["the a.dat"]
    assert {"hot.yaml", "params.yaml", "health.json"} <= set(desk.names(tmp_path))
    assert desk.names(tmp_path / "done") == ["a.dat"]


def test_a_state_folder_within_the_watched_one_is_left_alone(
    tmp_path: Path, service: EmulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, service, SPEC.replace('"*.jpg", "*.dat"', '"**/*"'))
    monkeypatch.setattr(Desk, "environment", {**desk.environment, "SPEEDPIX_STATE_DIR": str(desk.inbox / "state")})
    desk.drop("a.dat")
    for _ in range(2):
        assert desk.once().failed == 0
    assert sent(desk) == ["a.dat"]
    assert (desk.inbox / "state/journal.db").is_file()
