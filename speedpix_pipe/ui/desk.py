"""Everything that the live page asks of the state folder, on one thread of its own that holds the one connection.

What a question takes is bounded, so that nobody waits long for anybody else. Files are found by their digest alone:
there is no way to name a path.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from speedpix_pipe.errors import StoreError, UsageError
from speedpix_pipe.model import Json
from speedpix_pipe.pages.graph import draw
from speedpix_pipe.pages.pictures import make_thumbnail
from speedpix_pipe.store import Journal, RunRow, Store
from speedpix_pipe.ui.follow import Follower
from speedpix_pipe.ui.story import tell
from speedpix_pipe.words.messages import translated

T = TypeVar("T")
MOST_RUNS = 100
MOST_FOLLOWED = 4  # beside those that a page shows
EDGE = 320
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Desk:
    """Opened on a state folder, which may still be empty; closed once."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        self.folder = folder
        self.language = language
        self._thread = ThreadPoolExecutor(1, "live-page")
        self._pictures = ThreadPoolExecutor(2, "live-pictures")
        self._store: Store | None = None
        self._followed: dict[str, Follower] = {}
        self._watched = Counter[str]()
        self._small = lru_cache(maxsize=600)(self._make_small)

    async def ask(self, question: Callable[..., T], *values: Any) -> T:
        """A question of this desk, answered on its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, *values)

    @contextmanager
    def watching(self, run_id: str) -> Iterator[None]:
        """While a page shows a run, what was read of it is kept: who begins anew at each look never gets far."""
        self._watched[run_id] += 1
        try:
            yield
        finally:
            self._watched[run_id] -= 1

    def close(self) -> None:
        self._pictures.shutdown()
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
        self._followed.clear()

    # --- on the desk's thread ---

    def runs(self) -> list[dict[str, Json]]:
        journal = self._journal()
        return [] if journal is None else [run_to_json(row, self.language) for row in journal.runs(limit=MOST_RUNS)]

    def now(self, run_id: str, seen: int) -> tuple[int, dict[str, Json] | None]:
        """The run as it is, unless that is what was seen already; and the version of it."""
        follower = self._follow(run_id)
        follower.advance()
        if follower.version == seen:
            return seen, None
        return follower.version, follower.now()

    def caught_up(self, run_id: str) -> bool:
        return self._follow(run_id).caught_up

    def graph(self, run_id: str) -> list[dict[str, Json]]:
        started = self._require().started(run_id)
        return draw(started.steps, started.resolved_spec)

    def tasks(self, run_id: str, step: str, status: str, text: str, start: int, count: int) -> dict[str, Json]:
        follower = self._follow(run_id)
        if not follower.caught_up:
            follower.advance()
        return follower.tasks(step=step, status=status, text=text, start=start, count=count)

    def task(self, run_id: str, task: str) -> dict[str, Json]:
        return tell(self._require().events_of(run_id, task), self.language)

    def _follow(self, run_id: str) -> Follower:
        journal = self._require()
        follower = self._followed.pop(run_id, None)
        if follower is None:
            follower = Follower(journal, journal.run(run_id).id, journal.started(run_id).steps, self.language)
            idle = [known for known in self._followed if not self._watched[known]]
            for known in idle[: max(0, len(idle) + 1 - MOST_FOLLOWED)]:  # those that were asked for longest ago
                del self._followed[known]
        self._followed[run_id] = follower
        return follower

    def _require(self) -> Journal:
        journal = self._journal()
        if journal is None:
            raise UsageError("there is no run yet in this state folder", code="usage.no-run")
        return journal

    def _journal(self) -> Journal | None:
        if self._store is not None and not self._store.is_current():
            self._close()
        if self._store is None:
            try:
                self._store = Store.open(self.folder, write=False)
            except StoreError as error:
                if error.code in {"store.empty", "store.older"}:  # a first run is just making it
                    return None
                raise
        return self._store.journal

    # --- files ---

    def file(self, sha256: str) -> Path | None:
        """A kept file, by its digest. None for one that was pruned, and for everything that is no digest."""
        if not _DIGEST.match(sha256):
            return None
        path = self.folder / "blobs" / sha256
        inside = path.resolve().is_relative_to((self.folder / "blobs").resolve())
        return path if inside and path.is_file() else None

    async def thumbnail(self, sha256: str) -> bytes | None:
        path = self.file(sha256)
        if path is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._pictures, self._small, path)

    @staticmethod
    def _make_small(path: Path) -> bytes | None:
        return make_thumbnail(path, EDGE).webp


def run_to_json(row: RunRow, language: str = "en") -> dict[str, Json]:
    return {
        "id": row.id,
        "pipeline": row.pipeline,
        "spec": row.spec_path,
        "service": row.service,
        "status": "died" if row.died else row.status,
        "reason": translated(row.reason, language),
        "started": row.started_at.timestamp(),
        "seconds": row.seconds,
        "counts": _counts(row.counts),
        "lives": row.lives,
        "cancelling": row.lives and row.cancel_requested,
    }


def _counts(counts: Any) -> dict[str, int]:
    return {status: count for status, count in counts.items() if count}
