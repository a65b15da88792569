"""What the engine and its journal cost, measured on a step that does nothing.

    python tests/bench/noop.py [--tasks 10000] [--no-journal] [--again] [--cached]

`noop` is a kind of step that the benchmark registers in place of `workflow`: no service, no bytes, no price. With
`--no-journal` events and results go nowhere, so the difference is what the journal costs. `--again` runs a second
time over the results of the first: the no-op re-run of so many cached tasks. `--cached` saves a file for each task,
so that the re-run has to look at them, too.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from speedpix_pipe import steps
from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import run
from speedpix_pipe.model import KeptFile, Result, Step
from speedpix_pipe.settings import load_settings
from speedpix_pipe.spec.scope import Scope
from speedpix_pipe.steps.base import Job, Kit, Prepared

SPEC = """\
apiVersion: speedpix-pipe/v1
name: noop
params: {count: {type: integer, default: 10}}
limits: {concurrency: 256}
steps:
  noop:
    workflow: noop
    for_each: ${{ range(params.count) }}
    input: {number: "${{ item }}"}
"""


class NoopKind:
    """Answers at once. With files, each result is a small one."""

    service = "noop"
    files = False

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def prepare(self, step: Step, task: str, rendered: Mapping[str, Any], scope: Scope) -> Prepared:
        fingerprint = hashlib.sha256(f"{task}{rendered}".encode()).hexdigest()
        return Prepared(fingerprint, rendered, dict(rendered))

    async def run(self, job: Job) -> Result:
        if not self.files:
            return Result({"number": job.prepared.input["number"]})
        data = job.task.encode() * 20
        digest = hashlib.sha256(data).hexdigest()
        part = self._kit.keeper.work / digest
        part.write_bytes(data)
        await self._kit.keeper.adopt(part, digest, len(data))
        return Result({"file": digest}, (KeptFile("file", digest, len(data), "text/plain", "txt"),))

    def accept(self, job: Job) -> None: ...

    def broken(self, step: Step, result: Result) -> list[str]:
        return []

    async def faults(self, step: Step, prepared: Prepared, result: Result) -> list[str]:
        return []

    def leave(self) -> None: ...

    async def aclose(self) -> None: ...


def nowhere(store: Any) -> None:
    """Events and results are made, and thrown away."""

    async def done() -> None: ...

    store.journal.record = lambda event: None
    store.ledger.keep_result = lambda *_args, **_options: asyncio.ensure_future(done())


def measured(folder: Path, count: int, *, journal: bool) -> tuple[float, float]:
    from speedpix_pipe.app import run as running

    settings = load_settings(None, {"SPEEDPIX_APP_KEY": "k", "SPEEDPIX_APP_SECRET": "s"})
    request = RunRequest(SpecRequest(Path("pipeline.yaml"), folder, settings, params={"count": [str(count)]}))
    store_type = running.Store

    class Bare(store_type):  # type: ignore[misc,valid-type]
        @classmethod
        def open(cls, *args: Any, **options: Any) -> Any:
            store = super().open(*args, **options)
            nowhere(store)
            return store

    running.Store = store_type if journal else Bare  # type: ignore[misc]
    began, cpu = time.perf_counter(), _cpu()
    outcome = asyncio.run(run(request, lambda *_: []))
    took = time.perf_counter() - began, _cpu() - cpu
    running.Store = store_type  # type: ignore[misc]
    assert outcome.exit_code == 0, outcome.summary.failures[:3]
    assert outcome.summary.total == count
    return took


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--no-journal", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--cached", action="store_true")
    args = parser.parse_args()
    steps.KINDS["workflow"] = "__main__:NoopKind"
    NoopKind.files = args.cached
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = SPEC + ("    save: out/${{ item }}.txt\n" if args.cached else "")
        (folder / "pipeline.yaml").write_text(spec, encoding="utf-8")
        for what in ["first run", "again"] if args.again else ["first run"]:
            wall, cpu = measured(folder, args.tasks, journal=not args.no_journal)
            print(
                f"{what}: {args.tasks} tasks in {wall:.2f} s, CPU {cpu:.2f} s, "
                f"{cpu / args.tasks * 1e6:.0f} us CPU a task"
            )
        database = folder / ".speedpix" / "journal.db"
        print(f"journal: {database.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
