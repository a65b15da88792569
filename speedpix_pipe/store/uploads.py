"""What was uploaded, so that bytes go over the wire once for as long as the service keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from speedpix_pipe.errors import StoreError
from speedpix_pipe.store.absent import Absent
from speedpix_pipe.store.codec import from_stamp, optional_stamp, to_stamp
from speedpix_pipe.store.db import Reader, Writer, row_kind

_UNKNOWN_EXPIRY_SECONDS = 30 * 60  # how long an upload is trusted whose expiry the service did not tell
_REMEMBER = row_kind(
    "upload.remember",
    8,
    "INSERT INTO uploads (account, sha256, content_type, url, size, uploaded_at, expires_at) VALUES {rows} "
    "ON CONFLICT (account, sha256, content_type) DO UPDATE SET url = excluded.url, size = excluded.size, "
    "uploaded_at = excluded.uploaded_at, expires_at = excluded.expires_at",
    distinct=True,
)
_FORGET = row_kind("upload.forget", 8, "DELETE FROM uploads WHERE (account, sha256) IN (VALUES {rows})")

_Key = tuple[str, str, str]  # account, digest, content type
_Upload = tuple[str, int, int | None]  # URL, when, until when


class Uploads:
    """URLs of uploads by account, content and content type."""

    def __init__(self, reader: Reader, writer: Writer | None, *, now: Callable[[], datetime]) -> None:
        self._reader = reader
        self._open_writer = writer
        self._now = now
        self._absent = Absent()
        self._unwritten: dict[_Key, _Upload] = {}  # remembered, and not on disk yet

    def ahead(self, account: str, digests: Sequence[str]) -> None:
        """Look for contents that are about to be sent, all at once: what was never uploaded need not be looked for."""
        statement = "SELECT sha256 FROM uploads WHERE account = ?1 AND sha256 IN ({marks})"
        found = self._reader.many(statement, digests, account)
        uploaded = {sha256 for (sha256,) in found}
        self._absent.forget((account, digest) for digest in uploaded)
        self._absent.put((account, digest) for digest in digests if digest not in uploaded)

    def look(
        self, account: str, sha256: str, content_type: str, *, margin_seconds: float
    ) -> tuple[str, datetime] | None:
        """A URL that will still be good for `margin_seconds`, and until when that is so."""
        key = (account, sha256, content_type)
        found = self._unwritten.get(key)
        if found is None and not self._absent.take(key[:2]):
            found = self._reader.one(
                "SELECT url, uploaded_at, expires_at FROM uploads "
                "WHERE account = ? AND sha256 = ? AND content_type = ?",
                key,
            )
        if found is None:
            return None
        url, uploaded_at, expires_at = found
        if expires_at is None:
            ends = uploaded_at + _UNKNOWN_EXPIRY_SECONDS * 1_000_000
        else:
            ends = expires_at - int(margin_seconds * 1_000_000)
        return (url, from_stamp(ends)) if to_stamp(self._now()) < ends else None

    def remember(
        self, account: str, sha256: str, content_type: str, url: str, expires_at: datetime | None, size: int
    ) -> asyncio.Future[None]:
        """Note an upload: known from now on, on disk when awaited."""
        key, upload = (account, sha256, content_type), (url, to_stamp(self._now()), optional_stamp(expires_at))
        written = self._writer.ask(_REMEMBER, (*key, url, size, *upload[1:]))
        self._unwritten[key] = upload
        written.add_done_callback(lambda _: self._on_disk(key, upload))
        return written

    def _on_disk(self, key: _Key, upload: _Upload) -> None:
        self._absent.forget([key[:2]])
        if self._unwritten.get(key) is upload:
            del self._unwritten[key]

    def forget(self, account: str, sha256: str) -> Awaitable[None]:
        """The service says that it has these bytes no longer."""
        for key in [key for key in self._unwritten if key[:2] == (account, sha256)]:
            del self._unwritten[key]
        return self._writer.ask(_FORGET, (account, sha256))

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise StoreError("this state folder was opened for reading only", code="store.read-only")
        return self._open_writer
