"""Predictions: their queue, their slots and their state, all read off the clock.

A task is final when its service time is over *and* its pixels are done. Nothing ticks: looking at the clock when
someone asks is enough, because between two questions nobody can tell the difference.
"""

import hashlib
import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Task", "TaskFailure", "TaskQueue", "TaskStatus"]


class TaskStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TaskFailure:
    code: str
    message: str


@dataclass(slots=True)
class Task:
    """One prediction. `answer` holds the result with stored files in it, once computed."""

    id: str
    workflow: str
    inputs: Mapping[str, Any]
    created: float
    number: int
    service_seconds: float
    expected_seconds: float
    owner: str = ""
    return_temp_files: bool = False
    broken_contract: bool = False
    place: int = 0
    started: float | None = None
    finished: float | None = None
    computed: float | None = None
    answer: Any = None
    failure: TaskFailure | None = None
    note: str | None = None

    @property
    def status(self) -> TaskStatus:
        if self.finished is not None:
            return TaskStatus.FAILED if self.failure else TaskStatus.SUCCEEDED
        return TaskStatus.WAITING if self.started is None else TaskStatus.RUNNING

    def progress(self, now: float) -> float:
        """0 while waiting, rising but below 1 while running, 1 at success."""
        if self.started is None:
            return 0.0
        if self.finished is not None and self.failure is None:
            return 1.0
        expected = max(self.expected_seconds, 1e-3)
        spent = max(0.0, (self.finished or now) - self.started) / expected
        # The last tenth is approached only: a workflow may take longer than we thought.
        return min(spent * 0.9, 0.9) if spent <= 1 else 0.9 + 0.09 * (1 - 1 / spent)

    def eta(self, now: float) -> float:
        if self.started is None or self.finished is not None:
            return 0.0
        return max(0.0, self.started + self.expected_seconds - now)


@dataclass(slots=True)
class TaskQueue:
    slots: int
    latency: float
    jitter: float
    tasks: dict[str, Task] = field(default_factory=dict)
    _waiting: deque[Task] = field(default_factory=deque)
    _due: list[tuple[float, int, Task]] = field(default_factory=list)
    _overdue: set[str] = field(default_factory=set)
    _running: int = 0
    _left_queue: int = 0
    _joined_queue: int = 0
    _made: int = 0
    _typical: dict[str, float] = field(default_factory=dict)
    _uncomputed: int = 0

    def clear(self) -> None:
        """Forget all tasks; those still computing end unnoticed."""
        self.tasks.clear()
        self._waiting.clear()
        self._due.clear()
        self._overdue.clear()
        self._running = self._uncomputed = 0

    def add(self, task_id: str, workflow: str, inputs: Mapping[str, Any], now: float, workers: int) -> Task:
        self._made += 1
        service = self.latency * (1 + self.jitter * _spread(inputs.get("seed"), self._made))
        backlog = self._uncomputed // max(workers, 1) + 1
        expected = max(service, self._typical.get(workflow, 0.0) * backlog)
        task = Task(task_id, workflow, inputs, now, self._made, service, expected)
        self.tasks[task_id] = task
        self._uncomputed += 1
        self.advance(now)
        if self.slots and self._running >= self.slots:
            self._joined_queue += 1
            task.place = self._joined_queue
            self._waiting.append(task)
        else:
            self._start(task, now)
        return task

    def estimate(self, task: Task) -> float:
        """Seconds from submission to the end, queue included."""
        if task.started is not None or not self.slots:
            return task.expected_seconds
        return task.expected_seconds * (1 + self.queue_remaining(task) / self.slots)

    def queue_remaining(self, task: Task) -> int:
        """How many stand before this one in the queue, itself included."""
        return max(0, task.place - self._left_queue)

    def computed(self, task: Task, now: float, work_seconds: float) -> None:
        """The work itself is done (`answer` or `failure` is set); the service time may not be."""
        if task.id not in self.tasks:
            return
        task.computed = now
        self._uncomputed -= 1
        known = self._typical.get(task.workflow, work_seconds)
        self._typical[task.workflow] = known + 0.2 * (work_seconds - known)
        if task.id in self._overdue:
            self._overdue.discard(task.id)
            self._finish(task, now)
        self.advance(now)

    def fail(self, task: Task, failure: TaskFailure, now: float) -> None:
        """End a task as failed at this moment, whatever it was doing."""
        task.failure = failure
        if task.finished is not None:
            return
        if task.started is None:
            self._waiting.remove(task)
            task.started = now
            self._running += 1
        self._overdue.discard(task.id)
        self._finish(task, now)

    def advance(self, now: float) -> None:
        """Bring every task up to this moment."""
        while self._due and self._due[0][0] <= now:
            due, _, task = heapq.heappop(self._due)
            if task.finished is not None:
                continue
            if task.computed is None:
                self._overdue.add(task.id)
            else:
                self._finish(task, max(due, task.computed))

    def _start(self, task: Task, now: float) -> None:
        task.started = now
        self._running += 1
        heapq.heappush(self._due, (now + task.service_seconds, task.number, task))

    def _finish(self, task: Task, at: float) -> None:
        task.finished = at
        self._running -= 1
        while self._waiting and (not self.slots or self._running < self.slots):
            self._left_queue += 1
            self._start(self._waiting.popleft(), at)


def _spread(seed: object, number: int) -> float:
    """-1 to 1, from the seed if there is one, else from the task's place in the order of submissions."""
    digest = hashlib.sha256(f"{number if seed is None else seed}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**31 - 1
