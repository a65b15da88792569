"""Everything at once, in an order that chance chooses: files that come in all ways, and watchers that die all the time.

Each file has a number of its own in it. In the end every number is there exactly once, in done or in failed, and no
content was paid for twice. `CHAOS` makes it longer (steps; 120 in CI).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.emulator import Fault
from tests.functional.watching import Desk, emulator, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STEPS = int(os.environ.get("CHAOS", "120"))
SPEC = """
apiVersion: speedpix-pipe/v1
name: chaos
params: {photos: {type: files}, papers: {type: files}}
steps:
  work:
    workflow: work
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", name: "${{ item.sha256 }}"}
    save: {v: "out/${{ item.sha256 }}.txt"}
  read:
    workflow: work
    for_each: ${{ params.papers }}
    input: {image: "${{ item }}", name: "${{ item.sha256 }}"}
watch:
  - {folder: inbox, param: photos, patterns: ["**/*.dat"], settle: 150ms, batch: {max_files: 7}}
  - {folder: inbox, param: papers, patterns: ["**/*"], settle: 100ms, on_success: {move: read}, on_failure: {move: unread}}
"""


SLOWLY = """
import sys, time
with open(sys.argv[1], "xb", 0) as out:
    out.write(sys.argv[2].encode())
    print("open", flush=True)
    for part in sys.argv[3:]:
        time.sleep(0.25)
        out.write(part.encode())
"""


class Chaos:
    """One who drops files, and one who kills."""

    def __init__(self, desk: Desk, seed: int, watchers: int) -> None:
        self.desk = desk
        self.dice = random.Random(seed)
        self.count = 0
        self.writers: list[subprocess.Popen[bytes]] = []
        self.watchers: list[subprocess.Popen[bytes] | None] = [None] * watchers
        self.log = (desk.folder / "stderr").open("ab")
        for which in range(1, watchers):
            shutil.copy(desk.folder / "hot.yaml", desk.folder / f"hot{which}.yaml")

    # --- the watchers ---

    def start(self, which: int = 0) -> None:
        watcher = self.watchers[which]
        if watcher is None or watcher.poll() is not None:
            spec = f"hot{which}.yaml" if which else "hot.yaml"
            command = [sys.executable, "-m", "speedpix_pipe", "watch", spec, "--grace", "1s"]
            state = str(self.desk.folder / f".speedpix{which}")
            environment = {**os.environ, **self.desk.environment, "SPEEDPIX_STATE_DIR": state}
            self.watchers[which] = subprocess.Popen(command, cwd=self.desk.folder, env=environment, stderr=self.log)

    def end(self, number: signal.Signals, which: int | None = None) -> None:
        which = self.dice.randrange(len(self.watchers)) if which is None else which
        self.stop(number, which)
        self.start(which)

    def stop(self, number: signal.Signals, which: int) -> None:
        watcher = self.watchers[which]
        if watcher is not None:
            assert watcher.poll() is None, "it has ended by itself"
            watcher.send_signal(number)
            watcher.wait(60)

    # --- the files ---

    def content(self) -> bytes:
        self.count += 1
        return b"%d\n" % self.count

    def name(self) -> str:
        folder = self.dice.choice(["", "", "", "monday/", "monday/early/"])
        return f"{folder}{self.dice.choice('abcdef')}{self.dice.choice(['.dat', '.dat', '.txt'])}"

    def drop(self) -> None:
        """Whole at once, under a name that nobody has now."""
        aside = self.desk.folder / f".aside-{self.count}"
        data = self.content()
        aside.write_bytes(data)
        for _ in range(50):
            target = self.desk.inbox / self.name()
            with contextlib.suppress(OSError):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(aside, target)
                aside.unlink()
                return
        self.count -= 1
        aside.unlink()

    def write_slowly(self) -> None:
        """By another process, with pauses that may be longer than `settle`."""
        target = self.desk.inbox / f"slow-{self.count}.dat"
        parts = [self.content().decode(), "more", "and more"]
        writer = subprocess.Popen([sys.executable, "-c", SLOWLY, str(target), *parts], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.read(4) == b"open"
        self.writers.append(writer)

    def rename(self) -> None:
        """A file or a folder, while perhaps it is being claimed."""
        mine = []
        for folder, folders, names in os.walk(self.desk.inbox):
            folders[:] = [name for name in folders if name not in {".speedpix-claims", "done", "failed"}]
            mine += [Path(folder, name) for name in [*folders, *names]]
        if mine:
            path = self.dice.choice(mine)
            target = path.with_name(f"{self.dice.choice('ghij')}{self.dice.randrange(100)}{path.suffix}")
            with contextlib.suppress(OSError):
                if path.is_dir():
                    if not target.exists():
                        path.rename(target)
                else:
                    os.link(path, target)  # never over another
                    path.unlink()

    def root_goes(self) -> None:
        away = self.desk.folder / "away"
        self.desk.inbox.rename(away)
        time.sleep(self.dice.random() / 3)
        assert not self.desk.inbox.exists(), "it was made anew"
        away.rename(self.desk.inbox)

    def step(self) -> None:
        self.dice.choices(
            [
                *(self.drop, self.write_slowly, self.rename, self.root_goes, self.start),
                *(lambda: self.end(signal.SIGKILL), lambda: self.end(signal.SIGTERM)),
                lambda: time.sleep(self.dice.random() / 2),
            ],
            [30, 4, 8, 3, 1, 6, 1, 10],
        )[0]()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with emulator(latency=0.2) as service:
        service.add_fault(Fault("task-failed", "poll", times=3, after=9))
        yield Desk(tmp_path, service, SPEC)


def numbers(*folders: Path) -> Counter[int]:
    """What stands in each file there. An empty one holds a name for a file that is about to come."""
    found: Counter[int] = Counter()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.name.startswith(".") or path.name.endswith(".error.json") or not path.is_file():
                continue
            if data := path.read_bytes():
                found[int(data.split(b"\n")[0])] += 1
    return found


@pytest.mark.parametrize(("seed", "watchers"), [(1, 1), (2, 1), (3, 2), (4, 2)])
def test_in_the_end_every_file_is_there_once_and_was_paid_for_once(desk: Desk, seed: int, watchers: int) -> None:
    chaos = Chaos(desk, seed, watchers)
    for which in range(watchers):
        chaos.start(which)
    try:
        for _ in range(STEPS):
            chaos.step()
        for writer in chaos.writers:
            writer.communicate(timeout=30)
            assert writer.returncode == 0
        for which in range(watchers):
            chaos.end(signal.SIGKILL, which)
        placed = (desk.done, desk.failed, desk.folder / "read", desk.folder / "unread")
        asyncio.run(until(lambda: numbers(*placed).total() >= chaos.count and not desk.claims, 120))
        time.sleep(1)  # one more would show
    finally:
        for which in range(watchers):
            chaos.stop(signal.SIGTERM, which)
        chaos.log.close()
    said = (desk.folder / "stderr").read_text(errors="replace")
    assert "Traceback" not in said, said
    assert numbers(*placed) == Counter(range(1, chaos.count + 1))
    left = [path for path in desk.inbox.rglob("*") if path.is_file() and not {"done", "failed"} & set(path.parts)]
    assert left == []
    files = [path for folder in placed for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if path.name.startswith(".") or not path.stat().st_size] == []
    notes = {path.name for path in files if path.name.endswith(".error.json")}
    bad = {
        path.name for folder in (desk.failed, desk.folder / "unread") for path in folder.rglob("*") if path.is_file()
    }
    assert notes <= {f"{name}.error.json" for name in bad - notes}, "a note goes with the next of its name that is done"
    # One that failed at the service is tried again by the run that takes up a killed one before its verdict.
    sent = Counter(
        prediction["inputs"]["name"] for prediction in desk.emulator.predictions() if prediction["status"] != "failed"
    )
    failed = numbers(desk.failed, desk.folder / "unread").total()
    assert sent.total() - len(sent) <= failed, "paid twice"
    assert desk.emulator.counters["predictions"] >= chaos.count - failed
