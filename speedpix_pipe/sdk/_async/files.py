"""`client.files`: upload once, get a URL that workflows can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from speedpix_pipe.sdk import _media, _wire
from speedpix_pipe.sdk._async._calls import AsyncCalls
from speedpix_pipe.sdk._async._transfer import EXPIRED, AsyncTransferClient, Moved, async_put_source
from speedpix_pipe.sdk._bytes import Source, data_uri, open_source
from speedpix_pipe.sdk._config import FileEncoding
from speedpix_pipe.sdk._inputs import AUTO_LIMIT, BASE64_LIMIT, Collector, LocalFile, as_local_file
from speedpix_pipe.sdk._models import File, UploadTicket
from speedpix_pipe.sdk._sleep import AsyncLock, async_in_thread, async_together
from speedpix_pipe.sdk._wire import Operation
from speedpix_pipe.sdk.errors import InputError, UploadError

LEFT_AT_LEAST = timedelta(minutes=10)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
ASSUMED_LIFE = timedelta(minutes=30)


@dataclass(slots=True)
class _Shelf:
    """What one content was uploaded as, and who is uploading it right now."""

    lock: AsyncLock
    file: File | None = None
    good_until: datetime = LONG_AGO


class AsyncFiles:
    """Uploads of one client."""

    def __init__(self, calls: AsyncCalls, *, max_uploads: int) -> None:
        self._calls = calls
        self._max_uploads = max_uploads
        self._http = AsyncTransferClient(calls.files)
        self._shelves: dict[tuple[str, str], _Shelf] = {}

    async def create(
        self, file: Any, *, filename: str | None = None, content_type: str | None = None, sha256: str | None = None
    ) -> File:
        """Upload a path, bytes or a binary file (seekable or not). Streamed; `sha256` is of the bytes sent.

        Who has the digest of bytes already gives it as `sha256` (hexadecimal): they are not hashed again.
        """
        if isinstance(file, bytes) and sha256 is not None:
            source = Source.of_bytes(file, filename, sha256)
            return await self._upload(source, *_name_and_type(source, filename, content_type))
        source, name, kind = await async_in_thread(_open, file, filename, content_type)
        try:
            return await self._upload(source, name, kind)
        finally:
            if not source.closed:
                await async_in_thread(source.close)

    async def ticket(self, filename: str, content_type: str) -> UploadTicket:
        """Permission to PUT one object, with exactly this type: for bytes that someone without a key is to move.

        The PUT itself is `speedpix_pipe.sdk.transfer.put_file`, on this machine or another.
        """
        return await self._calls.call(Operation.TICKET, _wire.ticket_body(filename, content_type), _wire.read_ticket)

    async def _upload(self, source: Source, name: str, kind: str) -> File:
        ticket = await self.ticket(name, kind)
        try:
            moved = await self._put(ticket, source, kind)
        except UploadError as error:
            if error.http_status not in EXPIRED:
                raise
            # The ticket may have expired while it waited for its turn: ask for another one, once.
            ticket = await self.ticket(name, kind)
            moved = await self._put(ticket, source, kind)
        return _file(ticket, name, moved)

    async def _put(self, ticket: UploadTicket, source: Source, kind: str) -> Moved:
        return await async_put_source(
            self._http, ticket.upload_url, source, kind, retry=self._calls.retry, clock=self._calls.clock
        )

    async def resolve(self, value: Mapping[str, Any], encoding: FileEncoding, *, detect_paths: bool) -> Any:
        """The input with every local file in it uploaded (or inlined): distinct ones at once, equal ones once."""
        found = Collector(value, detect_paths=detect_paths)
        if not found.files:
            return found.tree
        # One stream named twice has one position: each distinct object is read once.
        distinct: dict[Any, tuple[str, LocalFile]] = {}
        keys = [local if isinstance(local, Path | bytes) else id(local) for _, local in found.files]
        for key, entry in zip(keys, found.files, strict=True):
            distinct.setdefault(key, entry)

        async def one(entry: tuple[str, LocalFile]) -> str:
            return await self._as_text(entry[0], entry[1], encoding)

        texts = await async_together(one, distinct.values(), self._max_uploads)
        by_key = dict(zip(distinct, texts, strict=True))
        return found.fill([by_key[key] for key in keys])

    async def _as_text(self, place: str, local: LocalFile, encoding: FileEncoding) -> str:
        """What goes into the input for one file: the URL of its upload, or its bytes as a data URI."""
        source, name, kind = await async_in_thread(_open, local)
        try:
            if encoding is FileEncoding.BASE64 and source.size >= BASE64_LIMIT:
                raise InputError(
                    f"{place} ({name}) has {source.size} bytes; base64 is for files below {BASE64_LIMIT}",
                    remedy='Use file_encoding_strategy="url".',
                )
            if encoding is FileEncoding.BASE64 or (encoding is FileEncoding.AUTO and source.size < AUTO_LIMIT):
                return await async_in_thread(data_uri, source, kind)
            return (await self._upload_once(source, name, kind)).access_url
        finally:
            if not source.closed:
                await async_in_thread(source.close)

    async def _upload_once(self, source: Source, name: str, kind: str) -> File:
        """The same content goes up once per client, while its URL is good for ten more minutes."""
        key = (source.digest() if source.content is not None else await async_in_thread(source.measure), kind)
        shelf = self._shelves.setdefault(key, _Shelf(AsyncLock()))
        async with shelf.lock:
            now = datetime.fromtimestamp(self._calls.auth.now(), UTC)
            if shelf.file is None or shelf.good_until <= now:
                file = await self._upload(source, name, kind)
                if file.sha256 != key[0]:
                    raise InputError(f"{name} changed while it was being uploaded")
                shelf.file = file
                shelf.good_until = file.expires_at - LEFT_AT_LEAST if file.expires_at else now + ASSUMED_LIFE
            return shelf.file


def _open(file: Any, filename: str | None = None, content_type: str | None = None) -> tuple[Source, str, str]:
    """In one trip to a thread: open it, tell its type, and hold it if it is small."""
    local = file if isinstance(file, str) else as_local_file(file)
    if local is None:
        raise InputError(f"files.create takes a path, bytes or a binary file, not {type(file).__name__}")
    source = open_source(local, filename)
    try:
        return source.load(), *_name_and_type(source, filename, content_type)
    except BaseException:
        source.close()
        raise


def _name_and_type(source: Source, filename: str | None, content_type: str | None) -> tuple[str, str]:
    """Explicit words first, then content, then the name's extension; nameless bytes get a fitting extension."""
    name = filename or source.name
    kind = content_type or _media.get_content_type(name, source.head())
    if not (kind.isascii() and kind.isprintable()):
        raise InputError(f"content_type {kind!r} cannot be sent in a header")
    return name or f"file{_media.extension_of(kind)}", kind


def _file(ticket: UploadTicket, name: str, moved: Moved) -> File:
    return File(
        access_url=ticket.access_url,
        name=name,
        content_type=moved.content_type,
        size=moved.size,
        sha256=moved.sha256,
        object_key=ticket.object_key,
        path=ticket.path,
        upload_url=ticket.upload_url,
        expires_at=ticket.expires_at,
        expire_time=ticket.expire_time,
    )
