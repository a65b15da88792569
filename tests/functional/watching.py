"""A hot folder in a temporary place: a spec, an emulator, a watcher in this process, and ways to wait for it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from PIL import Image

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.watch import WatchOutcome, WatchRequest, watch
from speedpix_pipe.clock import SystemClock
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread
from speedpix_pipe.settings import load_settings
from speedpix_pipe.store import Store
from speedpix_pipe.summary import RunSummary

SPEC = """
apiVersion: speedpix-pipe/v1
name: hot
params:
  photos: {type: files}
steps:
  work:
    workflow: work
    for_each: ${{ params.photos }}
    input: {image: "${{ item }}", name: "${{ item.name }}"}
    save: {v: "out/${{ item.name }}.txt"}
watch:
  folder: inbox
  patterns: ["*.jpg", "*.dat"]
  param: photos
  settle: 100ms
"""


HEAD, _, _ = SPEC.partition("watch:")  # all but what is watched


def answer(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"v": f"done {inputs.get('name')}"}


def jpeg(number: int = 0, *, size: int = 16) -> bytes:
    """A whole picture, its bytes different for every number."""
    target = io.BytesIO()
    Image.new("RGB", (size, size), (number % 256, number // 256 % 256, 77)).save(target, "JPEG", comment=str(number))
    return target.getvalue()


@dataclass
class Desk:
    """One folder with a spec in it."""

    folder: Path
    emulator: EmulatorThread
    spec: str = SPEC
    lines: list[str] = field(default_factory=list)
    runs: list[RunSummary] = field(default_factory=list)
    outcome: WatchOutcome | None = None

    def __post_init__(self) -> None:
        self.inbox.mkdir(exist_ok=True)
        self.rewrite(self.spec)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def done(self) -> Path:
        return self.inbox / "done"

    @property
    def failed(self) -> Path:
        return self.inbox / "failed"

    @property
    def environment(self) -> dict[str, str]:
        options = self.emulator.options
        return {
            "SPEEDPIX_APP_KEY": options.app_key,
            "SPEEDPIX_APP_SECRET": options.app_secret,
            "SPEEDPIX_ENDPOINT": self.emulator.url,
        }

    @property
    def predictions(self) -> int:
        return int(self.emulator.counters["predictions"])

    def rewrite(self, spec: str) -> None:
        (self.folder / "hot.yaml").write_text(spec, encoding="utf-8")

    def drop(self, name: str, data: bytes | None = None) -> Path:
        """A file that arrives in one go: written aside, then renamed into the folder."""
        target = self.inbox / name
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = self.folder / ".aside"
        aside.write_bytes(data if data is not None else name.encode(errors="surrogateescape"))
        aside.rename(target)
        return target

    def request(self, **changes: Any) -> WatchRequest:
        run = RunRequest(
            spec=SpecRequest(Path("hot.yaml"), self.folder, load_settings(None, self.environment)), grace_seconds=5.0
        )
        run_changes = {name: changes.pop(name) for name in list(changes) if hasattr(run, name)}
        return replace(WatchRequest(replace(run, **run_changes)), **changes)

    async def watch(self, **changes: Any) -> WatchOutcome:
        self.outcome = await watch(
            self.request(**changes), subscribe=lambda *_: [], tell=self.lines.append, on_run=self.runs.append
        )
        return self.outcome

    def once(self, **changes: Any) -> WatchOutcome:
        return asyncio.run(self.watch(once=True, **changes))

    @asynccontextmanager
    async def watching(self, **changes: Any) -> AsyncIterator[Desk]:
        """A watcher at work; stopped as a supervisor would stop it."""
        task = asyncio.ensure_future(self.watch(**changes))
        await until(lambda: task.done() or any(line.startswith("watching") for line in self.lines))
        if task.done():
            task.result()
        try:
            yield self
        finally:
            if not task.done():
                os.kill(os.getpid(), signal.SIGTERM)
            await task

    def note(self, name: str) -> Any:
        return json.loads((self.failed / f"{name}.error.json").read_text(encoding="utf-8"))

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    @property
    def claims(self) -> list[Path]:
        """All that is claimed now; folders may vanish while one looks."""
        found = os.walk(self.inbox / ".speedpix-claims")
        return sorted(Path(folder, name) for folder, _, names in found for name in names)


class Noon(SystemClock):
    """It is noon when it is made, so that no day ends during a test."""

    def __init__(self) -> None:
        self._ahead = until_noon()

    def now(self) -> datetime:
        return super().now() + self._ahead


def until_noon() -> timedelta:
    """From now to noon of today where this machine stands; negative in the afternoon."""
    here = datetime.now().astimezone()
    return here.replace(hour=12, minute=0, second=0, microsecond=0) - here


def arrivals(desk: Desk) -> list[Any]:
    """The rows of all arrivals, the oldest first."""
    with Store.open(desk.folder / ".speedpix", write=False) as store:
        return store.arrivals._read("1 = 1", ())


def ended(desk: Desk) -> int:
    """How many runs the journal knows that have come to an end, for now or for good."""
    with Store.open(desk.folder / ".speedpix", write=False) as store:
        return sum(row.finished_at is not None for row in store.journal.runs())


def created(desk: Desk) -> int:
    """Predictions whose id is on disk: who is killed before that has an unknown one."""
    path = desk.folder / ".speedpix/journal.db"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM submissions WHERE prediction_id IS NOT NULL").fetchone()
    except sqlite3.Error:  # it is being made
        return 0
    return int(count)


def sent(desk: Desk) -> list[str]:
    return sorted(prediction["inputs"]["name"] for prediction in desk.emulator.predictions())


@contextmanager
def typed(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; its output goes to `stdout` and `stderr` in the folder."""
    command = [sys.executable, "-m", "speedpix_pipe", "watch", *arguments]
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        places: dict[str, IO[str]] = {"stdout": out, "stderr": err}
        with subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, text=True, **places) as process:
            try:
                yield process
            finally:
                process.kill()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a fact of the outside world."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


def emulator(**options: Any) -> EmulatorThread:
    return EmulatorThread(EmulatorOptions(**{"workflows": {"work": answer}, **options}))
