"""Final objects: published by one request, whole or not at all, and never over bytes that somebody else wrote.

The same rules as for files on a disk, by other means. What stands under a name is told by its ETag, size and time, and
a put says what it expects there, so that where a store knows conditions nobody comes between a look and a put. Bytes
of others are copied to `NAME.edited-1.EXT` first. The object is recorded after it stands; one that a crash left
unrecorded is known again by its digest.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Protocol

from speedpix_pipe.errors import TaskError, TaskErrorKind, UsageError
from speedpix_pipe.files import Entry, ObjectUrl
from speedpix_pipe.files.storage import StorageError, TakenError, open_storage
from speedpix_pipe.files.storage.bytes import sha256_of_object
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.records import dataclass
from speedpix_pipe.store.copying import fit_name
from speedpix_pipe.store.db import Hook
from speedpix_pipe.store.digests import Digests
from speedpix_pipe.store.published import Published, PublishedKind, Record, standing

TRIES = 10  # looks at a name that others write to at this very moment
MOST_ASIDE = 10_000


class Put(Protocol):
    """Whoever brings bytes to a store: this machine, or others."""

    def __call__(
        self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None
    ) -> Awaitable[Entry]: ...


async def put_from_here(source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
    put = open_storage(url.scheme).put
    return await in_thread(partial(put, source, url, sha256=sha256, media_type=media_type, over=over))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall stand under a URL."""

    blob: Path
    url: ObjectUrl
    sha256: str
    size: int
    media_type: str


class ObjectOutputs:
    """Where results become the user's objects."""

    def __init__(self, digests: Digests, hook: Hook | None) -> None:
        self.put: Put = put_from_here
        self._digests = digests
        self._hook = hook

    async def publish(self, wanted: Wanted, record: Record | None) -> tuple[Published, bytes | None]:
        """What became of it, and the print to record if the object is ours. TaskError where the store refuses."""
        try:
            return await self._publish(wanted, record)
        except (OSError, UsageError) as error:
            raise _refused(wanted.url, error) from error

    async def _publish(self, wanted: Wanted, record: Record | None) -> tuple[Published, bytes | None]:
        url, moved = wanted.url, None
        for _ in range(TRIES):
            kind, found = await in_thread(partial(self._standing, wanted, record))
            if kind in {PublishedKind.CHANGED, PublishedKind.SAME}:
                assert kind is not None
                assert found is not None
                return Published(kind, url), found.state if kind is PublishedKind.SAME else None
            if kind is None:  # foreign bytes in the place of a new result
                assert found is not None
                moved = await in_thread(partial(_copy_aside, found))
                self._pass("output.copied-aside")
            try:
                placed = await self.put(
                    wanted.blob, url, sha256=wanted.sha256, media_type=wanted.media_type, over=found
                )
            except TakenError:  # somebody wrote this very moment: look again
                continue
            except FileNotFoundError:
                if found is None:
                    raise  # it is the bucket that is not there
                continue  # somebody removed it
            self._pass("output.put")
            self._digests.remember(placed.place, placed.state, wanted.sha256)
            return Published(PublishedKind.REPLACED if moved or kind is None else kind, url, moved), placed.state
        raise StorageError(url.text, "another program keeps writing there")

    def _standing(self, wanted: Wanted, record: Record | None) -> tuple[PublishedKind | None, Entry | None]:
        """What is to be done given what stands there now; None: foreign bytes are in the way."""
        found = open_storage(wanted.url.scheme).look(wanted.url)
        if found is None:
            return standing(None, wanted.sha256, record, lambda: ""), None
        return standing(found.state, wanted.sha256, record, partial(self._digest, found, wanted, record)), found

    def _digest(self, found: Entry, wanted: Wanted, record: Record | None) -> str:
        if record is None and found.size != wanted.size:
            return ""  # not ours, whatever it is: no need to read it
        known = self._digests.recall(found.place, found.state)
        if known is None:
            known = sha256_of_object(found)
            self._digests.remember(found.place, found.state, known)
        return known

    def _pass(self, point: str) -> None:
        if self._hook is not None:
            self._hook(point)


def _copy_aside(found: Entry) -> ObjectUrl:
    """Foreign bytes under `NAME.edited-1.EXT`, or the first such name that is free or holds a copy of them already.

    They stay in their own place until the put that replaces them, and only them.
    """
    url = ObjectUrl(found.url)
    storage = open_storage(url.scheme)
    stem, dot, suffix = url.name.rpartition(".")
    if not stem or len(suffix) > 32:
        stem, dot, suffix = url.name, "", ""
    for number in range(1, MOST_ASIDE):
        aside = url.with_name(fit_name("", stem, f".edited-{number}{dot}{suffix}"))
        there = storage.look(aside)
        if there is not None and (there.etag, there.size) == (found.etag, found.size):
            return aside  # a crash came between the copy and the put
        if there is None:
            try:
                storage.copy(found, aside)
            except TakenError:
                continue
            return aside
    raise StorageError(found.url, f"has been moved aside {MOST_ASIDE:,} times")


def _refused(url: ObjectUrl, error: OSError | UsageError) -> TaskError:
    reason = error.message if isinstance(error, UsageError) else str(error.strerror or error)
    hint = "the result is kept: mend this and run again, it costs nothing"
    more = getattr(error, "hint", None)
    return TaskError(
        f"cannot save {url}: {reason}",
        kind=TaskErrorKind.OUTPUT,
        code="task.cannot-save",
        hint=f"{more}; {hint}" if more else hint,
    )
