"""A real Dask cluster on loopback: a scheduler and workers, each a process that can be killed. Workers know no key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 30.0


class Cluster:
    def __init__(
        self,
        folder: Path,
        *,
        talkative: bool = True,
        allowed_failures: int = 3,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._environment = environment or {}
        self._allowed_failures = str(allowed_failures)
        self._level = "debug" if talkative else "warning"
        self._file = folder / "scheduler.json"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self._count = 0

    def start(self, workers: int, threads: int = 1) -> None:
        arguments = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = self._process("scheduler", *arguments, "--scheduler-file", str(self._file))
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._written():
            assert time.monotonic() < until, self.logs()
            time.sleep(0.02)
        for _ in range(workers):
            self.add_worker(threads)

    def _written(self) -> bool:
        try:
            return bool(json.loads(self._file.read_text()))
        except (OSError, ValueError):
            return False

    @property
    def address(self) -> str:
        return str(json.loads(self._file.read_text())["address"])

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{json.loads(self._file.read_text())['services']['dashboard']}"

    def add_worker(self, threads: int = 1) -> subprocess.Popen[bytes]:
        arguments = ["--host", "127.0.0.1", "--nthreads", str(threads), "--no-nanny", "--no-dashboard"]
        worker = self._process("worker", self.address, *arguments, "--local-directory", str(self.folder))
        self.workers.append(worker)
        return worker

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL: nothing is said, nothing is put in order."""
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process in self.workers:
            self.workers.remove(process)

    def _process(self, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        self._count += 1
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPEEDPIX_")}
        environment |= {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": self._allowed_failures}
        environment |= {"DASK_LOGGING__DISTRIBUTED": self._level, "PYTHONPATH": str(Path(__file__).parent.parent)}
        environment |= self._environment
        with (self.folder / f"{self._count}-{kind}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.folder,
            )

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        processes = [*self.workers, *([self.scheduler] if self.scheduler else [])]
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


@contextmanager
def cluster(
    folder: Path,
    workers: int = 3,
    threads: int = 1,
    *,
    talkative: bool = True,
    allowed_failures: int = 3,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """`talkative`: logs at their most, for tests that look for what must not be in them."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Cluster(folder, talkative=talkative, allowed_failures=allowed_failures, environment=environment)
    try:
        running.start(workers, threads)
        yield running
    finally:
        running.stop()
