"""The pure state machine of a run at 10 million tasks: what a task costs when nothing but deciding is done.

Two shapes of the same work, three chained steps and a gather: in batches, a walk each, as a hot folder or a list of
params cuts it; and as one walk, as a single run would hold it. Both count how often a waiter was looked at, which
must not grow faster than the tasks.

python tests/bench/walk_simulation.py [--tasks 10000000] [--batch 100000] [--whole 1000000] [--smoke]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from table import Report, Verdict  # noqa: E402

from speedpix_pipe.model import TaskStatus  # noqa: E402
from speedpix_pipe.plan.graph import Graph  # noqa: E402
from speedpix_pipe.plan.tasks import Command, Element, Expand, Run  # noqa: E402
from speedpix_pipe.plan.walk import Walk  # noqa: E402

MOST_BYTES = 1000  # a task of the walk may take, without its item's and its output's own
STEPS = 3  # chained ones; the gather is one task more
SPEC = """\
steps:
  white:
    workflow: w
    for_each: [a]
    input: {image: "${{ item }}"}
  looks:
    workflow: w
    for_each: ${{ steps.white }}
    input: {image: "${{ steps.white.output }}"}
  small:
    workflow: w
    for_each: ${{ steps.looks }}
    input: {image: "${{ steps.looks.output }}"}
  sheet:
    workflow: w
    input: {images: "${{ steps.small.outputs }}"}
"""


@dataclass
class Walked:
    tasks: int
    seconds: float
    moves: int
    peak_mb: float


def graph() -> Graph:
    from tests.unit.plan.walking import woven

    return woven(SPEC)[0]


def elements(first: int, count: int) -> Iterator[Element]:
    """As `fanout` makes them of a glob: the item, its key, its position."""
    for position in range(count):
        path = f"inbox/{first + position:08}.jpg"
        yield Element(path, path, (), position)


def walk_one(shape: Graph, first: int, items: int) -> tuple[int, int]:
    """One walk from its start to its last task. How many tasks ended, and how many looks at waiters that took."""
    walk = Walk(shape)
    todo: deque[Command] = deque(walk.start())
    running: deque[Run] = deque()
    ended = 0
    while todo or running:
        while todo:
            match todo.popleft():
                case Expand(unit):
                    todo.extend(walk.expanded(unit, elements(first, items)))
                case Run() as run:
                    running.append(run)
        for _ in range(min(len(running), 1000)):  # so many are in flight; what became ready comes after them
            todo.extend(walk.ended(running.popleft().task, TaskStatus.SUCCEEDED))
            ended += 1
    if walk.unfinished:
        raise AssertionError(f"{walk.unfinished} tasks never ended")
    return ended, walk.moves


def walked(tasks: int, batch: int) -> Walked:
    """So many tasks, cut into walks of `batch` items' worth."""
    shape, began = graph(), time.process_time()
    items_left, done, moves, first = tasks // STEPS, 0, 0, 0
    while items_left > 0:
        items = min(items_left, batch // STEPS)
        ended, looks = walk_one(shape, first, items)
        done, moves = done + ended, moves + looks
        first, items_left = first + items, items_left - items
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Walked(done, time.process_time() - began, moves, peak)


def in_a_process(tasks: int, batch: int) -> Walked:
    """Peak memory is a process's."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(tasks), str(batch)], capture_output=True, text=True, check=True
    )
    values = [float(word) for word in done.stdout.split()]
    return Walked(int(values[0]), values[1], int(values[2]), values[3])


def main(arguments: Sequence[str]) -> Report:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--whole", type=int, default=1_000_000, help="the largest single walk")
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args(arguments)
    if given.smoke:
        given.tasks, given.batch, given.whole = 30_000, 6_000, 12_000
    report = Report("walk_simulation", smoke=given.smoke)
    empty = in_a_process(STEPS, STEPS)
    shapes = [
        ("one walk", given.whole // 10, given.whole // 10),
        ("one walk", given.whole, given.whole),
        (f"walks of {given.batch:,}", given.tasks, given.batch),
    ]
    rows, found = [], []
    for name, tasks, batch in shapes:
        one = in_a_process(tasks, batch)
        found.append(one)
        rows.append(
            {
                "shape": name,
                "tasks": one.tasks,
                "CPU s": one.seconds,
                "us / task": one.seconds / one.tasks * 1e6,
                "looks / task": one.moves / one.tasks,
                "peak MB": one.peak_mb,
                "bytes / task": (one.peak_mb - empty.peak_mb) * 2**20 / min(one.tasks, batch),
            }
        )
    report.table("deciding alone", rows)
    small, large, batches = found
    growth = large.moves / large.tasks / (small.moves / small.tasks)
    most = MOST_BYTES * given.batch / 2**20 + 20
    report.judge(
        Verdict("looks at waiters per task, ten times the tasks", growth, 1.01),
        Verdict("memory in batches: one batch's", batches.peak_mb - empty.peak_mb, most, "MB"),
    )
    report.save()
    return report


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(*asdict(walked(int(sys.argv[2]), int(sys.argv[3]))).values())
    else:
        main(sys.argv[1:])
