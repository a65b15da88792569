"""The one stream of events: stamped, journalled, then shown."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

from speedpix_pipe.clock import Clock
from speedpix_pipe.events import Event

E = TypeVar("E", bound=Event)
LOG = logging.getLogger("speedpix_pipe")


class Subscriber(Protocol):
    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Bus:
    """Gives every event its run, number and time. A subscriber that raises is dropped and logged."""

    def __init__(self, run_id: str, clock: Clock, record: Callable[[Event], None], *, first: int = 1) -> None:
        self._run_id = run_id
        self._clock = clock
        self._record = record
        self._next = first
        self._subscribers: list[Subscriber] = []
        self._held: list[Event] | None = []

    def release(self) -> None:
        """The run is in the journal: what was held until now is emitted."""
        held, self._held = self._held, None
        for event in held or ():
            self.emit(event)

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def stamp(self, event: E) -> E:
        # The event was made a moment ago by whoever emits it: nobody has seen it without its stamp.
        object.__setattr__(event, "run_id", self._run_id)
        object.__setattr__(event, "seq", self._next)
        object.__setattr__(event, "at", self._clock.now())
        self._next += 1
        return event

    def emit(self, event: Event) -> None:
        """Never blocks. Only a journal that cannot be written raises. Before `release`, events are held back."""
        if self._held is not None:
            self._held.append(event)
            return
        self._record(self.stamp(event))
        self.show(event)

    def show(self, event: Event) -> None:
        """For events that are on disk already."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                LOG.exception("%s failed and is not told anything more", type(subscriber).__name__)
                self._subscribers.remove(subscriber)

    def close(self) -> None:
        for subscriber in self._subscribers:
            subscriber.close()
        self._subscribers.clear()
