"""The live page on a port of 127.0.0.1, in a thread of its own: beside a run, or for as long as `ui` is left on."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from speedpix_pipe.clock import SystemClock
from speedpix_pipe.errors import UsageError
from speedpix_pipe.ui.desk import Desk
from speedpix_pipe.ui.routes import Acts, Site

PATIENCE_SECONDS = 10.0


class LivePage:
    """`with LivePage(folder, acts) as page: page.url`. The link with the token is for the one who started us."""

    def __init__(self, folder: Path, acts: Acts, *, port: int = 0, language: str = "en") -> None:
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(24)
        self._desk = Desk(folder, language)
        self._site = Site(self._desk, acts, port=self.port, token=self.token, language=language, clock=SystemClock())
        config = uvicorn.Config(
            self._site.app(), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())  # nothing of it may reach a run's terminal
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="live-page", daemon=True)

    @property
    def url(self) -> str:
        """To look."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def link(self) -> str:
        """To look and to change."""
        return f"{self.url}?token={self.token}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._site.closing = True
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
        self._socket.close()
        self._desk.close()


def _listen(port: int) -> socket.socket:
    """Bound before anything is told, so that the address is known and taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UsageError(f"port {port} cannot be used: {error.strerror or error}", code="usage.port") from error
    return listening
