"""What tests of hot folders start from; a file may have its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speedpix_pipe.emulator import EmulatorThread
from tests.functional.scripted import Came, carry_out
from tests.functional.watching import Desk, emulator


@pytest.fixture
def service() -> Iterator[EmulatorThread]:
    with emulator() as thread:
        yield thread


@pytest.fixture
def desk(tmp_path: Path, service: EmulatorThread) -> Desk:
    return Desk(tmp_path, service)


@pytest.fixture
def go(tmp_path: Path) -> Callable[..., Came]:
    """Carries out a spec of scripted workflows, as a user would."""

    def carry(spec: str, answers: Any = None, **more: Any) -> Came:
        return carry_out(tmp_path, spec, answers, **more)

    return carry
