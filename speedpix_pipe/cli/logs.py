"""Where bugs are written down: a file with traceback and versions, made only when there is something to write."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from speedpix_pipe import __version__
from speedpix_pipe.settings import load_settings

LOGGERS = ("speedpix_pipe", "asyncio")
PACKAGES = ("aiohttp", "httptools", "httpx", "jinja2", "jsonschema-rs", "pillow", "pyyaml", "rich", "watchdog")


def write_log(error: BaseException) -> Path:
    """The traceback of an error nobody expected. Returns where it is."""
    log = LogFile(None)
    log.write("".join(traceback.format_exception(error)))
    log.close()
    assert log.path is not None
    return log.path


class LogFile(logging.Handler):
    """Takes what the house logs (bugs that a run survived) while it is entered. No file without a record."""

    def __init__(self, state_folder: Path | None) -> None:
        super().__init__(logging.WARNING)
        self.path: Path | None = None
        self._folder = state_folder
        self._propagated: dict[str, bool] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.write(self.format(record) + "\n")

    def write(self, text: str) -> None:
        if self.path is None:
            self.path = _new_file(self._folder)
            text = f"{versions()}\n\n{text}"
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(text)

    def __enter__(self) -> Self:
        for name in LOGGERS:
            logger = logging.getLogger(name)
            self._propagated[name] = logger.propagate
            logger.propagate = False  # nothing of this on the terminal
            logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in LOGGERS:
            logger = logging.getLogger(name)
            logger.propagate = self._propagated[name]
            logger.removeHandler(self)


def versions() -> str:
    """What a bug report needs to say about this machine, and no more."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    lines = [f"speedpix-pipe {__version__}", f"Python {sys.version.split()[0]} on {platform.platform()}"]
    for package in PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package} is not installed")
    return "\n".join(lines)


def _new_file(state_folder: Path | None) -> Path:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    folder = state_folder or load_settings().nearest_state_folder(Path.cwd())
    if folder is not None and folder.is_dir():
        try:
            (folder / "logs").mkdir(mode=0o700, exist_ok=True)
            return folder / "logs" / name
        except OSError:
            pass  # a full or read-only disk: the temporary folder will do
    import tempfile

    return Path(tempfile.mkdtemp(prefix="speedpix-pipe-")) / name
