"""What the commands about runs share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from speedpix_pipe.settings import load_settings

if TYPE_CHECKING:
    from speedpix_pipe.store import Store


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN", nargs="?", help="a run's id or its beginning (default: the latest)")


def past(*, write: bool = False) -> Store:
    """The state folder of here, opened."""
    from speedpix_pipe.app.runs import open_past

    return open_past(load_settings(), Path.cwd(), write=write)
