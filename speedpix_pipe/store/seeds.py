"""Seeds that somebody chose over those of the spec, by the task that they are for. There are as many as clicks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from speedpix_pipe.errors import StoreError
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.codec import decode_json, encode_json, text_in, text_out, to_stamp
from speedpix_pipe.store.db import Reader, Writer, row_kind

_KEEP = row_kind(
    "seed.keep",
    3,  # before the intent of the submission that has it
    "INSERT INTO seeds (base, task, seed, fingerprint, run_id, chosen_at) VALUES {rows} "
    "ON CONFLICT (base, task) DO UPDATE SET seed = excluded.seed, fingerprint = excluded.fingerprint, "
    "run_id = excluded.run_id, chosen_at = excluded.chosen_at",
)
_DROP = row_kind("seed.drop", 3, "DELETE FROM seeds WHERE (base, task) IN (VALUES {rows})")


@dataclass(frozen=True, slots=True)
class ChosenSeed:
    """Which seed, and in which run it was drawn. None: the service drew it."""

    seed: Mapping[str, Json] | None
    run_id: str


class ChosenSeeds:
    """By the fingerprint of the task as written, and `step@key`."""

    def __init__(self, reader: Reader, writer: Writer | None, *, now: Callable[[], datetime]) -> None:
        self._reader = reader
        self._open_writer = writer
        self._now = now

    def known(self) -> dict[tuple[str, str], Mapping[str, Json] | None]:
        rows = self._reader.all("SELECT base, task, seed FROM seeds")
        return {(base, text_out(task)): decode_json(seed) for base, task, seed in rows}

    def behind(self, fingerprint: str, task: str) -> ChosenSeed | None:
        """The choice that made a task be what it is, if there was one."""
        row = self._reader.one(
            "SELECT seed, run_id FROM seeds WHERE fingerprint = ? AND task = ?", (fingerprint, text_in(task))
        )
        return None if row is None else ChosenSeed(decode_json(row[0]), row[1])

    def keep(
        self, base: str, task: str, seed: Mapping[str, Json] | None, *, fingerprint: str, run_id: str
    ) -> Awaitable[None]:
        """Queued by the call itself, on disk when awaited."""
        plain = None if seed is None else dict(seed)
        row = (base, text_in(task), encode_json(plain), fingerprint, run_id, to_stamp(self._now()))
        return self._writer.ask(_KEEP, row)

    def drop(self, base: str, task: str) -> Awaitable[None]:
        """The spec's seed holds again."""
        return self._writer.ask(_DROP, (base, text_in(task)))

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise StoreError("this state folder was opened for reading only", code="store.read-only")
        return self._open_writer
