"""A spec that is edited while it is watched: read again when it differs, kept as it was when it is broken."""

from __future__ import annotations

from collections.abc import Callable

from speedpix_pipe.app.request import SpecRequest
from speedpix_pipe.app.specs import Loaded, require
from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import PipeError
from speedpix_pipe.files.objects import Objects, seen
from speedpix_pipe.files.value import Digests
from speedpix_pipe.model import Pipeline
from speedpix_pipe.triggers.health import Health

CALM_SECONDS = 1.0
Stats = dict[str, tuple[int, int, int] | None]


class Reloader:
    """Holds the spec that counts now. `changed` is told of a new one, and may say why it cannot count yet.

    `stats` is how the spec's files stood when it was read: what was edited since then counts as an edit.
    """

    def __init__(
        self,
        request: SpecRequest,
        loaded: Loaded,
        digests: Digests,
        health: Health,
        clock: Clock,
        changed: Callable[[Loaded], str | None],
        *,
        stats: Stats,
    ) -> None:
        self.loaded = loaded
        self._request = request
        self._digests = digests
        self._health = health
        self._clock = clock
        self._changed = changed
        self._stats = stats  # of the files when `loaded` was read
        self._objects = Objects(digests)  # those that the next version names
        self._seen = self._stats
        self._seen_at = 0.0

    async def look(self) -> None:
        """At the start of a batch: is it still the same spec."""
        stats = stats_of(self.loaded.pipeline)
        await seen(lambda: self._consider(stats))

    async def look_calmly(self) -> None:
        """From time to time: an edit may be what makes a file count. One that is still being written is left alone."""
        stats, now = stats_of(self.loaded.pipeline), self._clock.monotonic()
        if stats != self._seen:
            self._seen, self._seen_at = stats, now
        elif now - self._seen_at >= CALM_SECONDS:
            await seen(lambda: self._consider(stats))

    def _consider(self, stats: Stats) -> None:
        if stats == self._stats or self._request.rev is not None:
            return
        try:
            loaded = require(self._request, objects=self._objects, skip_watched=True)
        except PipeError as error:
            self._stats = stats
            first = error.message.splitlines()[0]
            self._health.trouble("spec", f"the spec was edited and is broken, so the old one still counts: {first}")
            return
        self._stats, self._objects = stats, Objects(self._digests)
        loaded.objects.begun = True
        if loaded.pipeline.digest == self.loaded.pipeline.digest:
            self._health.trouble("spec", None)
            return
        obstacle = self._changed(loaded)
        if obstacle is not None:
            self._health.trouble("spec", f"the spec was edited, and the old one still counts: {obstacle}")
            return
        self._health.trouble("spec", None)
        self.loaded = loaded
        self._stats = self._seen = stats_of(loaded.pipeline)
        self._health.note(f"{loaded.pipeline.shown} was edited: the new version counts from now on")


def stats_of(pipeline: Pipeline) -> Stats:
    """A quick look at the spec and its sub-pipelines; their digest is only asked for when this differs."""
    found: Stats = {}
    todo = [pipeline]
    while todo:
        current = todo.pop()
        if str(current.path) in found:
            continue
        try:
            status = current.path.stat()
            found[str(current.path)] = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError:
            found[str(current.path)] = None
        todo.extend(step.pipeline for step in current.steps.values() if step.pipeline is not None)
    return found
