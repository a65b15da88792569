"""The use case `ui`: the live page of a state folder, with what it may change."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.app.runs import cancel
from speedpix_pipe.errors import UsageError
from speedpix_pipe.settings import STATE_DIR, inherited
from speedpix_pipe.store import Store

if TYPE_CHECKING:
    from speedpix_pipe.ui.routes import Again
    from speedpix_pipe.ui.server import LivePage

REFUSED_WITHIN_SECONDS = 4.0  # who has not refused by then has begun


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
    with tempfile.TemporaryFile() as said:
        started = subprocess.Popen(
            command,
            env=inherited({STATE_DIR: str(folder)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = started.wait(REFUSED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            threading.Thread(target=started.wait, name="redo", daemon=True).start()  # so that it leaves no zombie
            return
        if code in {2, 3}:  # it never began
            said.seek(0)
            words = said.read(4000).decode("utf-8", "replace").strip().splitlines()
            raise UsageError((words or ["it did not begin"])[0].removeprefix("error: "), code="usage.redo")
