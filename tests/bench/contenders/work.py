"""What every contender is told, on its command line: which pictures to send where, how many at once."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

KEY, SECRET = "204000001", "sp-test-secret-0123456789abcdef"


@dataclass(frozen=True)
class Work:
    url: str
    sources: list[Path]
    target: Path
    flight: int
    latency: float
    face: str = ""


def read_work() -> Work:
    told = json.loads(sys.argv[1])
    sources = sorted(Path(told.pop("source")).iterdir())[: told.pop("count")]
    return Work(**{**told, "sources": sources, "target": Path(told["target"])})
