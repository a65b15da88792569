"""A run told in events, for everything that shows one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from speedpix_pipe.events import ItemFound, RunStarted, TaskFailed, TaskStarted, TaskSucceeded
from speedpix_pipe.summary import Tally

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Story:
    """Feeds a tally and then a subscriber, each event a fixed time after the one before."""

    def __init__(self, *subscribers, seconds: float = 0.1) -> None:
        self.tally = Tally()
        self.subscribers = list(subscribers)
        self.at = START
        self.seconds = seconds

    def tell(self, happening, **fields) -> None:
        self.at += timedelta(seconds=self.seconds)
        event = happening(run_id="01JABC", at=self.at, **fields)
        self.tally.add(event)
        for subscriber in self.subscribers:
            subscriber(event)

    def begin(self, *steps: str) -> None:
        self.tell(
            RunStarted,
            pipeline="product-shots",
            spec_path="shots.yaml",
            spec_digest="d",
            state_folder=".speedpix",
            service="local",
            params={},
            steps=steps,
        )

    def find(self, step: str, count: int) -> None:
        for number in range(count):
            self.tell(ItemFound, step=step, key=f"inbox/鞋{number}.jpg")

    def start(self, step: str, number: int) -> None:
        self.tell(TaskStarted, step=step, key=f"inbox/鞋{number}.jpg")

    def work(self, step: str, number: int, *, fail: str = "") -> None:
        self.start(step, number)
        key = f"inbox/鞋{number}.jpg"
        if fail:
            self.tell(TaskFailed, step=step, key=key, kind="gateway", code="task.gateway", message=fail)
        else:
            self.tell(TaskSucceeded, step=step, key=key, seconds=2.0)


@pytest.fixture
def story():
    return Story()
