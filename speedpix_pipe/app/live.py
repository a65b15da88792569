"""The use case `ui`: the live page of a state folder, with what it may change."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.app.runs import cancel
from speedpix_pipe.errors import UsageError
from speedpix_pipe.settings import STATE_DIR, inherited
from speedpix_pipe.store import Store

if TYPE_CHECKING:
    from speedpix_pipe.ui.routes import Again
    from speedpix_pipe.ui.server import LivePage

BEGINS_WITHIN_SECONDS = 120.0  # who has neither begun nor refused by then prepares something large
REFUSED_WITHIN_SECONDS = 4.0  # what has begun ends by then, if the service refuses the account
LOOK_SECONDS = 0.1


def live_page(folder: Path, *, port: int = 0, language: str = "en") -> LivePage:
    """Ready to be entered. UsageError where the packages of the extra `ui` are missing."""
    try:
        from speedpix_pipe.ui.routes import Acts
        from speedpix_pipe.ui.server import LivePage
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"starlette", "uvicorn"}:
            raise
        raise UsageError(
            f"the live page needs {error.name}",
            code="usage.extra",
            hint="pip install 'speedpix-pipe[ui]'",
        ) from error

    def stop(run_id: str) -> None:
        """As `runs cancel` does it, with a writer that lives no longer than that."""
        with Store.open(folder) as store:
            cancel(store, store.journal.run(run_id))

    def again(run_id: str, wanted: Again) -> None:
        start_redo(folder, run_id, wanted.tasks, failed=wanted.failed, new_seed=wanted.new_seed)

    return LivePage(folder, Acts(cancel=stop, redo=again), port=port, language=language)


def start_redo(
    folder: Path, run_id: str, tasks: Sequence[str], *, failed: bool = False, new_seed: bool = False
) -> None:
    """`runs redo` in a process of its own, which outlives the page. UsageError where it would not begin.

    The click is the answer to the question before paying; the spec's limits hold all the same.
    """
    if any("@" not in task for task in tasks):
        raise UsageError("tasks are written STEP@KEY", code="usage.redo")
    asked = ["--failed"] * failed + ["--new-seed"] * new_seed
    command = [sys.executable, "-m", "speedpix_pipe", "runs", "redo", "--yes", *asked, "--", run_id, *tasks]
    with tempfile.TemporaryFile() as said, Store.open(folder, write=False) as past:
        known = max((row.number for row in past.journal.runs(limit=1)), default=0)
        started = subprocess.Popen(
            command,
            env=inherited({STATE_DIR: str(folder)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )

        def has_begun() -> bool:
            rows = past.journal.runs(limit=20)
            return any(row.number > known and row.pid == started.pid for row in rows)

        code = _exit_code(started, has_begun)
        if code is None:
            threading.Thread(target=started.wait, name="redo", daemon=True).start()  # so that it leaves no zombie
        elif code in {2, 3}:  # it never began
            said.seek(0)
            words = said.read(4000).decode("utf-8", "replace").strip().splitlines()
            raise UsageError((words or ["it did not begin"])[0].removeprefix("error: "), code="usage.redo")


def _exit_code(started: subprocess.Popen[bytes], has_begun: Callable[[], bool]) -> int | None:
    """None while it is at work: its run stands in the journal, and it does not end at once."""
    patience = time.monotonic() + BEGINS_WITHIN_SECONDS
    while not has_begun() and time.monotonic() < patience:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return started.wait(LOOK_SECONDS)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return started.wait(REFUSED_WITHIN_SECONDS)
    return None
