"""Tasks that may start, the deepest first, then in the order of the spec's items."""

from __future__ import annotations

import heapq
from collections import deque

from speedpix_pipe.plan.tasks import Task

Place = tuple[tuple[int, ...], int, Task]


class Ready:
    """Of one kind of step. Some are taken together, to be looked at before they start one by one."""

    def __init__(self) -> None:
        self._heap: list[Place] = []
        self._ahead: deque[Task] = deque()
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._heap or self._ahead)

    def push(self, task: Task) -> None:
        heapq.heappush(self._heap, ((-task.depth, *task.order), self._number, task))
        self._number += 1

    def ahead(self, most: int) -> list[Task]:
        """The next tasks, to be looked at now; none while there are some that have been."""
        if self._ahead:
            return []
        self._ahead.extend([heapq.heappop(self._heap)[2] for _ in range(min(most, len(self._heap)))])
        return list(self._ahead)

    def pop(self) -> Task:
        """The next of those that were looked at. A deeper one that became ready meanwhile waits for so few."""
        return self._ahead.popleft()
