"""Shows a made-up run on the terminal it is started in; test_progress.py starts it in a pseudo-terminal."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from speedpix_pipe.console.progress import LiveView
from speedpix_pipe.events import ItemFound, RunStarted, TaskFailed, TaskStarted, TaskSucceeded
from speedpix_pipe.summary import Tally


def main(steps: int, tasks: int, color: str) -> None:
    tally = Tally()
    view = LiveView(tally, sys.stderr, color=color == "color")

    def tell(happening, **fields) -> None:
        event = happening(run_id="01JABC", at=datetime.now(UTC), **fields)
        tally.add(event)
        view(event)

    names = tuple(f"步骤_{number}" for number in range(steps))
    tell(
        RunStarted,
        pipeline="product-shots",
        spec_path="s",
        spec_digest="",
        state_folder="",
        service="local",
        params={},
        steps=names,
    )
    for name in names:
        for number in range(tasks):
            tell(ItemFound, step=name, key=f"鞋{number}")
    for name in names[: steps // 2 + 1]:
        for number in range(tasks // 2):
            tell(TaskStarted, step=name, key=f"鞋{number}")
            if number % 5 == 4:
                tell(TaskFailed, step=name, key=f"鞋{number}", kind="task", code="c", message="too large " * 20)
            elif number % 5:
                tell(TaskSucceeded, step=name, key=f"鞋{number}", seconds=1)
    print("all told", file=sys.stdout, flush=True)
    sys.stdin.readline()
    view.close()
    print("closed", file=sys.stdout, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
