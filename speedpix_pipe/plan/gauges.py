"""Counters that know when a group of tasks is complete, and who waits for that."""

from __future__ import annotations

from dataclasses import dataclass, field

from speedpix_pipe.plan.tasks import Place, Task, Unit


@dataclass(slots=True, eq=False)
class Gauge:
    """Counts what keeps groups open, by the part of the place that the group knows."""

    positions: tuple[int, ...]
    counts: dict[Place, int] = field(default_factory=dict)
    waiters: dict[Place, list[Task | Unit]] = field(default_factory=dict)

    def key(self, place: Place) -> Place:
        return tuple([place[i] for i in self.positions])

    def rise(self, place: Place) -> None:
        key = self.key(place)
        self.counts[key] = self.counts.get(key, 0) + 1

    def fall(self, place: Place) -> list[Task | Unit]:
        """Count down; at zero, those who waited."""
        key = self.key(place)
        left = self.counts[key] - 1
        if left:
            self.counts[key] = left
            return []
        del self.counts[key]
        return self.waiters.pop(key, [])


@dataclass(slots=True, eq=False)
class Gather:
    """The groups of one step's tasks by certain of its fan-outs."""

    pending: list[Gauge]  # stages at which members may still appear, outermost first
    open: Gauge  # members that are not final
    members: dict[Place, list[Task]] = field(default_factory=dict)

    def barrier(self, key: Place) -> tuple[Gauge, Place] | None:
        """The first counter that keeps the group open."""
        for gauge in self.pending:
            part = key[: len(gauge.positions)]
            if part in gauge.counts:
                return gauge, part
        return (self.open, key) if key in self.open.counts else None
