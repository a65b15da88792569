"""A folder with a pipeline, an emulator beside it, runs that are killed in it, and what has to be true after."""

from __future__ import annotations

import colorsys
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = 12
SPEC = """\
apiVersion: speedpix-pipe/v1
name: crash
params: {photos: {type: files, default: "in/*.png"}}
limits: {concurrency: 8, submitting: 4}
steps:
  stamp:
    workflow: stamp
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", name: "${{ item.stem }}"}
    save: out/stamp/${{ item.stem }}.${{ ext }}
  frame:
    workflow: frame
    for_each: ${{ steps.stamp }}
    input: {image: "${{ steps.stamp.output.images.url }}", name: "${{ item.stem }}"}
    save: out/frame/${{ item.stem }}.${{ ext }}
"""
TASKS = 2 * PHOTOS
# Every durable step of a task's way, from its intent to the record of its final file.
POINTS = [
    "store.call.committing",
    "store.call.committed",
    "upload.remember.committed",
    "ledger.intend.committing",
    "ledger.intend.committed",
    "ledger.created.committing",
    "ledger.created.committed",
    "blob.synced",
    "blob.renamed",
    "ledger.settle.committing",
    "ledger.settle.committed",
    "ledger.result.committing",
    "ledger.result.committed",
    "output.folder.committed",
    "output.synced",
    "output.renamed",
    "output.record.committing",
    "output.record.committed",
]


@contextmanager
def emulator(latency: float = 0.03) -> Iterator[str]:
    """The URL of an emulator in another process."""
    command = [sys.executable, str(Path(__file__).with_name("serve.py")), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment_for()) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def environment_for(url: str = "") -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    own = {"SPEEDPIX_APP_KEY": "local", "SPEEDPIX_APP_SECRET": "local", "SPEEDPIX_ENDPOINT": url} if url else {}
    return keep | own | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def colour_of(number: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(number / PHOTOS, 0.7, 0.8)
    return int(red * 255), int(green * 255), int(blue * 255)


@dataclass
class Scene:
    """One folder in which runs are killed."""

    folder: Path
    url: str
    kills: int = 0
    in_window: int = 0  # submissions that stood between intent and answer when somebody was killed
    most_in_window: int = 0
    died_at: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        (self.folder / "in").mkdir(parents=True)
        for number in range(PHOTOS):
            Image.new("RGB", (10, 10), colour_of(number)).save(self.folder / "in" / f"p{number:02}.png")
        (self.folder / "pipeline.yaml").write_text(SPEC, encoding="utf-8")
        self.reset()

    # --- the service ---

    def _call(self, method: str, what: str) -> Any:
        request = urllib.request.Request(f"{self.url}/_emulator/{what}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def reset(self) -> None:
        self._call("POST", "reset")

    def predictions(self) -> Counter[tuple[str, str]]:
        """How often each workflow was paid for each name."""
        made = self._call("GET", "predictions")
        return Counter((one["workflow"], one["inputs"]["name"]) for one in made)

    # --- processes ---

    def start(self, mode: str, *point: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).with_name("child.py")), mode, *point]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment_for(self.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, mode: str) -> dict[str, Any]:
        process = self.start(mode)
        out, err = process.communicate(timeout=100)
        assert out, err
        summary: dict[str, Any] = json.loads(out.splitlines()[-1])
        return summary

    def killed_at(self, mode: str, point: str, count: int) -> bool:
        """Whether it got as far as that point."""
        process = self.start(mode, point, str(count))
        _, err = process.communicate(timeout=100)
        assert process.returncode in (0, -signal.SIGKILL), err
        return self._note(process.returncode, point)

    def killed_after(self, mode: str, seconds: float) -> bool:
        """Whether it was still at work."""
        process = self.start(mode)
        time.sleep(seconds)
        process.kill()
        _, err = process.communicate(timeout=100)
        assert process.returncode in (0, -signal.SIGKILL), err
        return self._note(process.returncode, "any time")

    def _note(self, code: int, point: str) -> bool:
        if code == 0:
            return False
        self.kills += 1
        self.died_at[point] += 1
        now = self._requested()
        self.in_window += now
        self.most_in_window = max(self.most_in_window, now)
        return True

    def _rows(self, where: str) -> int:
        path = self.folder / ".speedpix" / "journal.db"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(path)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'submissions'").fetchone()
            if tables is None:
                return 0
            (count,) = connection.execute(f"SELECT count(*) FROM submissions WHERE {where}").fetchone()
            return int(count)

    def _requested(self) -> int:
        return self._rows("state = 'requested'")

    # --- what has to be true ---

    def check_resumed(self, summary: dict[str, Any]) -> None:
        """After the last resume: everything is done or listed as unknown, and nothing was paid for twice."""
        tasks = summary["tasks"]
        assert tasks["total"] == TASKS
        assert tasks["failed"] == tasks["cancelled"] == 0, summary["errors"]
        unknown = self._rows("state IN ('unknown', 'requested')")
        assert tasks["unknown"] == summary["predictions"]["unknown"] == unknown
        assert unknown <= self.in_window
        assert tasks["succeeded"] + tasks["cached"] + tasks["unknown"] + tasks["skipped"] == TASKS
        made = self.predictions()
        assert made.total() <= TASKS
        assert set(made.values()) <= {1}, f"paid twice: {[one for one, times in made.items() if times > 1]}"
        self.check_files()

    def check_files(self, *, everything: bool = False) -> None:
        """Every saved file is whole and comes from its own source; no half of one is left."""
        for step, inverted in (("stamp", False), ("frame", True)):
            found = sorted((self.folder / "out" / step).glob("*")) if (self.folder / "out" / step).exists() else []
            for path in found:
                number = int(path.stem.removeprefix("p"))
                wanted = colour_of(number)
                if inverted:
                    wanted = (255 - wanted[0], 255 - wanted[1], 255 - wanted[2])
                with Image.open(path) as picture:
                    assert picture.convert("RGB").getcolors() == [(picture.width * picture.height, wanted)], path
            if everything:
                assert len(found) == PHOTOS
        assert not list(self.folder.rglob("*.part"))

    def check_redone(self) -> None:
        """Unknown submissions are made again on request, and then everything is there."""
        before = self._rows("state IN ('unknown', 'requested')")
        rounds = 0
        while self._rows("state IN ('unknown', 'requested')"):
            self.finish("redo")
            rounds += 1
            assert rounds < 3
        summary = self.finish("run")
        assert summary["tasks"]["succeeded"] + summary["tasks"]["cached"] == TASKS, summary
        assert summary["exit"] == 0
        assert self.predictions().total() <= TASKS + before
        self.check_files(everything=True)


def some_kills(scene: Scene, choose: random.Random, kills: int) -> None:
    """Start, be killed, resume, be killed: half at a durable step, half at any time."""
    mode, idle = "run", 0
    wanted = scene.kills + kills
    while scene.kills < wanted and idle < 3:
        if choose.random() < 0.5:
            dead = scene.killed_at(mode, choose.choice(POINTS), choose.choice([1, 1, 2, 3, 5]))
        else:
            dead = scene.killed_after(mode, choose.uniform(0.25, 1.1))
        idle = 0 if dead else idle + 1
        mode = "resume"
