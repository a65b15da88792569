"""The use case `ui`: the live page of a state folder, with what it may change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.app.runs import cancel
from speedpix_pipe.errors import UsageError
from speedpix_pipe.store import Store

if TYPE_CHECKING:
    from speedpix_pipe.ui.server import LivePage


def live_page(folder: Path, *, port: int = 0, language: str = "en") -> LivePage:
    """Ready to be entered. UsageError where the packages of the extra `ui` are missing."""
    try:
        from speedpix_pipe.ui.routes import Acts
        from speedpix_pipe.ui.server import LivePage
    except ModuleNotFoundError as error:
        if error.name not in {"starlette", "uvicorn"}:
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

    return LivePage(folder, Acts(cancel=stop), port=port, language=language)
