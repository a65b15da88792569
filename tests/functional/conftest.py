"""What tests of hot folders start from; a file may have its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from speedpix_pipe.emulator import EmulatorThread
from tests.functional.watching import Desk, emulator


@pytest.fixture
def service() -> Iterator[EmulatorThread]:
    with emulator() as thread:
        yield thread


@pytest.fixture
def desk(tmp_path: Path, service: EmulatorThread) -> Desk:
    return Desk(tmp_path, service)
