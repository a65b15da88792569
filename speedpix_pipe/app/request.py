"""What a command asks for, parsed and not yet looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from speedpix_pipe.clock import Clock, SystemClock
from speedpix_pipe.records import dataclass
from speedpix_pipe.settings import Settings


@dataclass(frozen=True, slots=True)
class SpecRequest:
    """Which spec, with which params, seen from where."""

    spec: Path
    cwd: Path
    settings: Settings
    params: Mapping[str, Sequence[str]] = field(default_factory=dict)  # texts of -p, by name
    params_file: Path | None = None
    rev: str | None = None
    check_files: bool = True


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run. `confirm` is asked before money is spent, if anybody is there to ask."""

    spec: SpecRequest
    local: bool = False
    only: Sequence[str] = ()
    start_from: Sequence[str] = ()
    resume: bool = False
    no_cache: bool = False
    concurrency: int | None = None
    grace_seconds: float = 8.0
    executor: str = "local"
    scheduler: str | None = None
    confirm: Callable[[str], bool] | None = None
    clock: Clock = field(default_factory=SystemClock)
    latency: float = 0.0  # of the embedded emulator
    answers: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)  # its workflows, over its own, by id
