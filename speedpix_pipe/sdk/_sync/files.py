# Written by _tools/unasync.py from speedpix_pipe/sdk/_async/files.py; edit that and run it again.
"""`client.files`: upload once, get a URL that workflows can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from speedpix_pipe.sdk import _media, _wire
from speedpix_pipe.sdk._bytes import Source, data_uri, open_source
from speedpix_pipe.sdk._config import FileEncoding
from speedpix_pipe.sdk._inputs import AUTO_LIMIT, BASE64_LIMIT, Collector, LocalFile, as_local_file
from speedpix_pipe.sdk._models import File, UploadTicket
from speedpix_pipe.sdk._sleep import Lock, in_thread, together
from speedpix_pipe.sdk._sync._calls import Calls
from speedpix_pipe.sdk._sync._transfer import EXPIRED, Moved, TransferClient, put_source
from speedpix_pipe.sdk._wire import Operation
from speedpix_pipe.sdk.errors import InputError, UploadError

LEFT_AT_LEAST = timedelta(minutes=10)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
ASSUMED_LIFE = timedelta(minutes=30)


@dataclass(slots=True)
class _Shelf:
    """What one content was uploaded as, and who is uploading it right now."""

    lock: Lock
    file: File | None = None
    good_until: datetime = LONG_AGO


class Files:
    """Uploads of one client."""

    def __init__(self, calls: Calls, *, max_uploads: int) -> None:
        self._calls = calls
        self._max_uploads = max_uploads
        self._http = TransferClient(calls.files)
        self._shelves: dict[tuple[str, str], _Shelf] = {}

    def create(
        self, file: Any, *, filename: str | None = None, content_type: str | None = None, sha256: str | None = None
    ) -> File:
        """Upload a path, bytes or a binary file (seekable or not). Streamed; `sha256` is of the bytes sent.

        Who has the digest of bytes already gives it as `sha256` (hexadecimal): they are not hashed again.
        """
        if isinstance(file, bytes) and sha256 is not None:
            source = Source.of_bytes(file, filename, sha256)
            return self._upload(source, *_name_and_type(source, filename, content_type))
        source, name, kind = in_thread(_open, file, filename, content_type)
        try:
            return self._upload(source, name, kind)
        finally:
            if not source.closed:
                in_thread(source.close)

    def ticket(self, filename: str, content_type: str) -> UploadTicket:
        """Permission to PUT one object, with exactly this type: for bytes that someone without a key is to move.

        The PUT itself is `speedpix_pipe.sdk.transfer.put_file`, on this machine or another.
        """
        return self._calls.call(Operation.TICKET, _wire.ticket_body(filename, content_type), _wire.read_ticket)

    def _upload(self, source: Source, name: str, kind: str) -> File:
        ticket = self.ticket(name, kind)
        try:
            moved = self._put(ticket, source, kind)
        except UploadError as error:
            if error.http_status not in EXPIRED:
                raise
            # The ticket may have expired while it waited for its turn: ask for another one, once.
            ticket = self.ticket(name, kind)
            moved = self._put(ticket, source, kind)
        return _file(ticket, name, moved)

    def _put(self, ticket: UploadTicket, source: Source, kind: str) -> Moved:
        return put_source(self._http, ticket.upload_url, source, kind, retry=self._calls.retry, clock=self._calls.clock)

    def resolve(self, value: Mapping[str, Any], encoding: FileEncoding, *, detect_paths: bool) -> Any:
        """The input with every local file in it uploaded (or inlined): distinct ones at once, equal ones once."""
        found = Collector(value, detect_paths=detect_paths)
        if not found.files:
            return found.tree
        # One stream named twice has one position: each distinct object is read once.
        distinct: dict[Any, tuple[str, LocalFile]] = {}
        keys = [local if isinstance(local, Path | bytes) else id(local) for _, local in found.files]
        for key, entry in zip(keys, found.files, strict=True):
            distinct.setdefault(key, entry)

        def one(entry: tuple[str, LocalFile]) -> str:
            return self._as_text(entry[0], entry[1], encoding)

        texts = together(one, distinct.values(), self._max_uploads)
        by_key = dict(zip(distinct, texts, strict=True))
        return found.fill([by_key[key] for key in keys])

    def _as_text(self, place: str, local: LocalFile, encoding: FileEncoding) -> str:
        """What goes into the input for one file: the URL of its upload, or its bytes as a data URI."""
        source, name, kind = in_thread(_open, local)
        try:
            if encoding is FileEncoding.BASE64 and source.size >= BASE64_LIMIT:
                raise InputError(
                    f"{place} ({name}) has {source.size} bytes; base64 is for files below {BASE64_LIMIT}",
                    remedy='Use file_encoding_strategy="url".',
                )
            if encoding is FileEncoding.BASE64 or (encoding is FileEncoding.AUTO and source.size < AUTO_LIMIT):
                return in_thread(data_uri, source, kind)
            return (self._upload_once(source, name, kind)).access_url
        finally:
            if not source.closed:
                in_thread(source.close)

    def _upload_once(self, source: Source, name: str, kind: str) -> File:
        """The same content goes up once per client, while its URL is good for ten more minutes."""
        key = (source.digest() if source.content is not None else in_thread(source.measure), kind)
        shelf = self._shelves.setdefault(key, _Shelf(Lock()))
        with shelf.lock:
            now = datetime.fromtimestamp(self._calls.auth.now(), UTC)
            if shelf.file is None or shelf.good_until <= now:
                file = self._upload(source, name, kind)
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
