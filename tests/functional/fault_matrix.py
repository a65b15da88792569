"""The fault matrix: what is armed in each cell, and the table of it that stands in the docs.

`fault_cells.txt` beside this file holds what every cell has to come to; `test_faults.py` holds the engine to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from speedpix_pipe.emulator.faults import Fault, FaultKind, Where
from tests.functional.faulty import Scene

CELLS = Path(__file__).with_name("fault_cells.txt")
MANY = 12  # throttling does not count as a try, so a service that only ever throttles would never be given up
SLOW = 0.05

HEAD = """\
# What bad days come to

One task, one file in, one file out, against a service that misbehaves at one of its calls: once, or every time
(throttling: twelve times in a row). Each cell says how the task ended, and how many predictions were paid for; after
the arrow, the same for the next run, on a good day again. This page is written by the test that checks it.

`repeated`: the call was made again. `unknown`: nobody knows whether the submission was accepted, so nothing repeats
it unasked; `runs redo --unknown` does. No cell pays for anything that was already paid for: where two were paid, the
first had failed at the service.
"""
TITLES = {
    Where.UPLOAD_SIGN: "The ticket for an upload",
    Where.UPLOAD: "The upload itself",
    Where.SUBMIT: "The submission",
    Where.POLL: "Looking how it stands",
    Where.RESULT: "Asking for the result",
    Where.DOWNLOAD: "Fetching the file",
}


@dataclass(frozen=True)
class Cell:
    """One fault at one call."""

    where: Where
    kind: FaultKind
    always: bool

    @property
    def name(self) -> str:
        return f"{self.where} {self.kind} {'always' if self.always else 'once'}"

    @property
    def fault(self) -> str:
        times = 1 if not self.always else MANY if self.kind.value.startswith("throttle") else 0
        return f"{self.where}:{self.kind}:times={times}:seconds={SLOW}"


def cells() -> Iterator[Cell]:
    for where in Where:
        for kind in FaultKind:
            try:
                Fault(kind, where)
            except ValueError:
                continue  # it cannot happen there
            for always in (False, True):
                yield Cell(where, kind, always)


def observed(scene: Scene, cell: Cell) -> str:
    """What this cell comes to: the run with the fault, and the run after it."""
    scene.arm(cell.fault)
    first = scene.run(cell.where.value)
    if cell.where is Where.POLL and cell.kind is FaultKind.SLOW:
        # Looked at again because it is not done yet: how often is a matter of the machine. A repetition is a retry.
        first = replace(first, repeated=scene.retries > 0)
    scene.emulator.clear_faults()
    after = scene.run(cell.where.value)
    return f"{first} -> {after.status}, {after.made} paid"


def expected() -> dict[str, str]:
    lines = CELLS.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line)


def document(known: dict[str, str]) -> str:
    """The page of the docs."""
    parts = [HEAD]
    for where, title in TITLES.items():
        parts.append(f"\n## {title} (`{where}`)\n\n| fault | once | every time |\n|---|---|---|\n")
        for cell in cells():
            if cell.where is where and not cell.always:
                both = [known[Cell(where, cell.kind, always).name].replace(" -> ", " → ") for always in (False, True)]
                parts.append(f"| `{cell.kind}` | {both[0]} | {both[1] if both[0] != both[1] else 'the same'} |\n")
    return "".join(parts)
