"""A killed run's pool children hold no lock: the next run starts at once, and they are gone soon after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crash.scene import environment_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
HOLDER = """
import asyncio, sys, time
from pathlib import Path
from PIL import Image
from speedpix_pipe.executors import open_executor
from speedpix_pipe.store import Store

async def main():
    folder = Path(sys.argv[1])
    Image.new("RGB", (3000, 3000)).save(folder / "big.png")
    with Store.open(folder / "state") as store, store.lock(folder / "pipeline.yaml", run_id="one"):
        executor = open_executor("local", workers=2)
        await asyncio.gather(*[executor.pixels("inspect", str(folder / "big.png")) for _ in range(4)])
        pids = list(executor._pool()._pool._processes)
        print(*pids, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_children_of_a_killed_run_hold_no_lock(tmp_path: Path) -> None:
    from speedpix_pipe.store import Store

    program = tmp_path / "holder.py"
    program.write_text(f"if __name__ == '__main__':\n    exec({HOLDER!r})\n")
    process = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment_for("")
    )
    with process:
        assert process.stdout is not None
        children = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)
    assert children
    with Store.open(tmp_path / "state") as store, store.lock(tmp_path / "pipeline.yaml", run_id="two"):
        assert not store._locks.lives("one")
    until = time.monotonic() + 20
    while any(_lives(pid) for pid in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in children if _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False
