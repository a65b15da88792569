"""SIGKILL at every durable step and at random moments; two processes that want the same fingerprint."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from speedpix_pipe.model import SubmissionState
from speedpix_pipe.store import Store
from speedpix_pipe.store.store import check_ledger

CONTENT = b"picture" * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()

# One task as the engine carries it out, from its lookup to the file under its final name.
TASK = textwrap.dedent("""
    import asyncio, hashlib, os, signal, sys
    from pathlib import Path
    from speedpix_pipe.events import RunStarted
    from speedpix_pipe.model import KeptFile, Result, SubmissionState
    from speedpix_pipe.store import Store

    folder, target, run_id, point = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    CONTENT = b"picture" * 20_000
    SHA256 = hashlib.sha256(CONTENT).hexdigest()

    def hook(passed):
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def say(word):
        os.write(1, (word + "\\n").encode())

    async def submit(ledger):
        row = ledger.look("s|k", "f")
        if row is None:
            row = await ledger.intend(account="s|k", fingerprint="f", run_id=run_id, step="a", key="", price=1.0, event=None)
            say("POST")
            await ledger.created(row.id, "p-1")
        elif row.state is SubmissionState.REQUESTED:
            assert not ledger.owner_lives(row)
            say("UNKNOWN")
            return None
        return row

    async def main(store):
        await store.journal.begin_run(RunStarted(run_id=run_id, seq=1, pipeline="p", spec_path="/p", spec_digest="d",
            state_folder=str(folder), service="s", params={}, steps=("a",)))
        result = store.ledger.result("f")
        if result is None or not store.blobs.has(SHA256, len(CONTENT)):
            row = await submit(store.ledger)
            if row is None:
                return
            part = store.blobs.work_folder(run_id) / "part"
            part.write_bytes(CONTENT)
            await store.blobs.adopt(part, SHA256, len(CONTENT))
            file = KeptFile(place="", sha256=SHA256, size=len(CONTENT), media_type="", extension="png")
            await store.ledger.keep_result("f", "s", Result(output=1, files=(file,), prediction_id="p-1"), kind="workflow")
            await store.ledger.settle(row.id, SubmissionState.SUCCEEDED)
        await store.outputs.publish(store.blobs.path(SHA256), target, sha256=SHA256, run_id=run_id, size=len(CONTENT))
        say("DONE")

    with Store.open(folder, hook=hook) as store:
        asyncio.run(main(store))
""")
POINTS = [
    "store.call.committing",
    "store.call.committed",
    "ledger.intend.committing",
    "ledger.intend.committed",
    "ledger.created.committing",
    "ledger.created.committed",
    "blob.synced",
    "blob.renamed",
    "ledger.result.committing",
    "ledger.result.committed",
    "ledger.settle.committing",
    "ledger.settle.committed",
    "output.folder.committing",
    "output.folder.committed",
    "output.synced",
    "output.renamed",
    "output.record.committing",
    "output.record.committed",
]


def python(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_after_a_kill_at_any_step_the_next_run_finishes_and_pays_once(tmp_path: Path, point: str) -> None:
    folder, target = tmp_path / ".speedpix", tmp_path / "out" / "a.png"
    killed = python(TASK, folder, target, "run-1", point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not target.exists() or target.read_bytes() == CONTENT
    blob = folder / "blobs" / SHA256
    assert not blob.exists() or blob.read_bytes() == CONTENT

    again = python(TASK, folder, target, "run-2", "none")
    assert again.returncode == 0, again.stderr
    said = (killed.stdout + again.stdout).split()
    assert said.count("POST") <= 1
    if "UNKNOWN" in said:  # requested, and nobody was left to hear the answer
        assert point in {"ledger.intend.committed", "ledger.created.committing"}
        assert "DONE" not in said
        with Store.open(folder) as store:
            assert [row.fingerprint for row in store.ledger.unknown()] == ["f"]
        return
    assert said[-1] == "DONE"
    assert target.read_bytes() == CONTENT
    assert [entry.name for entry in target.parent.iterdir()] == ["a.png"]
    assert list((folder / "work").glob("run-*/*")) == []


CROWD = textwrap.dedent("""
    import asyncio, os, sys
    from pathlib import Path
    from speedpix_pipe.model import SubmissionState
    from speedpix_pipe.store import Store

    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    async def worker(store, numbers):
        for number in numbers:
            row = await store.ledger.intend(account="s|k", fingerprint=f"f{number}", run_id="r", step="a", key=str(number),
                                            price=1.0, event=None)
            say("POST", number)
            await store.ledger.created(row.id, f"p{number}")
            say("CREATED", number)
            await store.ledger.settle(row.id, SubmissionState.SUCCEEDED)
            say("SETTLED", number)

    async def main(store):
        numbers = iter(range(100_000))
        await asyncio.gather(*(worker(store, numbers) for _ in range(32)))

    with Store.open(Path(sys.argv[1])) as store:
        asyncio.run(main(store))
""")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_whatever_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / ".speedpix"
    lines = random.Random(seed).randrange(1, 3000)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", CROWD, folder], env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        said += child.stdout.read().splitlines(keepends=True)
    words = [line.split() for line in said if line.endswith(b"\n")]
    with Store.open(folder) as store:
        assert store._writer is not None
        check_ledger(store._writer._connection, folder, thorough=True)
        for word, number in words:
            (row,) = store.ledger.rows(f"f{int(number)}")
            if word != b"POST":
                assert row.prediction_id == f"p{int(number)}"
            if word == b"SETTLED":
                assert row.state is SubmissionState.SUCCEEDED
        posted = sum(word == b"POST" for word, _ in words)
        assert posted <= store.ledger.spent("r")[0] <= posted + 32


RACE = textwrap.dedent("""
    import asyncio, os, sys
    from pathlib import Path
    from speedpix_pipe.store import AlreadyOpenError, Store

    async def main(store):
        won = 0
        for number in range(100):
            try:
                await store.ledger.intend(account="s|k", fingerprint=f"f{number}", run_id=sys.argv[2], step="a", key="",
                                          price=1.0, event=None)
                won += 1
            except AlreadyOpenError as error:
                assert error.row.fingerprint == f"f{number}"
        print(won)

    with Store.open(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        input()
        asyncio.run(main(store))
""")


@pytest.mark.slow
def test_of_two_processes_that_want_the_same_exactly_one_gets_each(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, tmp_path / ".speedpix", name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("run-1", "run-2")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    won = [int(child.communicate()[0]) for child in children]
    assert sum(won) == 100
    with Store.open(tmp_path / ".speedpix") as store:
        assert store.ledger.spent("run-1")[0] + store.ledger.spent("run-2")[0] == 100
