"""Between an intent and its POST stands a sync. SIGKILL cannot show that: only the system calls can."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.scene import Scene, emulator, environment_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
CALLS = "fsync,fdatasync,pwrite64,write,sendto,sendmsg,openat"


def _traced(scene: Scene, log: Path) -> list[str]:
    child = [sys.executable, str(Path(__file__).with_name("child.py")), "run"]
    command = ["strace", "-f", "-y", "-s", "300", "-e", f"trace={CALLS}", "-o", str(log), *child]
    done = subprocess.run(
        command,
        cwd=scene.folder,
        env=environment_for(scene.url),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    if done.returncode != 0 and "ptrace" in done.stderr.lower():
        pytest.skip(f"processes cannot be traced here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return log.read_text(errors="replace").splitlines()


def test_every_submission_leaves_only_after_its_intent_was_synced(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    with emulator(0.0) as url:
        scene = Scene(tmp_path / "scene", url)
        for path in sorted((scene.folder / "in").glob("*"))[1:]:
            path.unlink()  # one photo: two submissions, one after the other
        lines = _traced(scene, tmp_path / "calls")
        assert scene.predictions().total() == 2
    posts = [n for n, line in enumerate(lines) if re.search(r"(sendto|sendmsg|write)\(.*POST /scc/comfy_prompt", line)]
    syncs = [n for n, line in enumerate(lines) if re.search(r"f(data)?sync\(\d+<[^>]*journal\.db-wal>", line)]
    writes = [n for n, line in enumerate(lines) if re.search(r"pwrite64\(\d+<[^>]*journal\.db-wal>", line)]
    assert len(posts) == 2
    before = 0
    for post in posts:
        written = [n for n in writes if before < n < post]
        assert written, "nothing was written to the log before this submission"
        assert any(written[-1] < n < post for n in syncs), "the last write before a submission was not synced"
        before = post


def test_the_journal_is_in_full_sync(tmp_path: Path) -> None:
    from speedpix_pipe.store import Store

    with Store.open(tmp_path) as store:
        (mode,) = store._writer._connection.execute("PRAGMA synchronous").fetchone()
        (journal,) = store._writer._connection.execute("PRAGMA journal_mode").fetchone()
    assert (mode, journal) == (2, "wal")
