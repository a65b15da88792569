"""Alibaba Cloud's OSS, by way of ossfs: its settings and its connections, and the requests themselves.

OSS can read "only if it is still the one I saw" and write "only where nothing stands". It cannot write "only over the
one I saw": there a look comes before the put, and whoever writes between the two is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import oss2
import ossfs  # noqa: F401  # fsspec knows it by its name; here to be missed by that name
from oss2.models import PartInfo

from speedpix_pipe.files.storage.base import ChangedObjectError, DeniedError, Entry, StorageError, TakenError
from speedpix_pipe.files.storage.quiet import quieten
from speedpix_pipe.files.storage.urls import ObjectUrl

WHOLE = 8 * 1024 * 1024  # up to this size one PUT; above, parts of at least this size
MOST_PARTS = 9000
PAGE = 1000
TRIES = 3  # of a request that the network lost
_NOTHING_THERE = {"x-oss-forbid-overwrite": "true"}


class OssStorage:
    """All buckets that fsspec's configuration of `oss` opens."""

    exact = True

    def __init__(self, scheme: str) -> None:
        quieten("ossfs", "oss2", "fsspec", "aiooss2", "urllib3")
        self.scheme = scheme
        self._fs: Any = fsspec.filesystem(scheme, use_listings_cache=False)

    def look(self, url: ObjectUrl) -> Entry | None:
        try:
            found = self._ask(url, lambda bucket: bucket.head_object(url.key))
        except FileNotFoundError:
            return None
        version = found.headers.get("x-oss-version-id")
        return self._entry(url.text, found.content_length, found, version if version != "null" else None)

    def list(self, url: ObjectUrl, *, deep: bool) -> Iterator[Entry | ObjectUrl]:
        start = f"{url.scheme}://{url.bucket}/"
        token, delimiter = "", "" if deep else "/"
        while True:
            page = self._page(url, delimiter, token)
            for folder in page.prefix_list:
                yield ObjectUrl(start + folder)
            for found in page.object_list:
                yield self._entry(start + found.key, found.size, found, None)
            if not page.is_truncated:
                return
            token = page.next_continuation_token

    def _page(self, url: ObjectUrl, delimiter: str, token: str) -> Any:
        return self._ask(
            url,
            lambda bucket: bucket.list_objects_v2(
                prefix=url.key, delimiter=delimiter, continuation_token=token, max_keys=PAGE
            ),
        )

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        url = ObjectUrl(entry.url)
        asked = {"If-Match": f'"{entry.etag}"'}
        part = (start, end - 1) if start > 0 or end < entry.size else None
        try:
            data: bytes = self._ask(
                url, lambda bucket: bucket.get_object(url.key, byte_range=part, headers=asked).read()
            )
        except TakenError as error:
            raise ChangedObjectError(entry.url) from error
        except FileNotFoundError as error:
            raise ChangedObjectError(entry.url, "was removed while it was read") from error
        if len(data) != end - start:
            raise StorageError(entry.url, f"gave {len(data)} bytes where {end - start} were asked for")
        return data

    def put(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        del sha256  # OSS has checksums of its own, which its library compares
        now = self.look(url)
        if (now is None) != (over is None) or (now is not None and over is not None and now.state != over.state):
            raise TakenError(url.text)
        headers = {"Content-Type": media_type, **(_NOTHING_THERE if over is None else {})}
        if source.stat().st_size <= WHOLE:
            data = source.read_bytes()
            done = self._ask(url, lambda bucket: bucket.put_object(url.key, data, headers=headers), tries=1)
        else:
            done = self._put_parts(source, url, headers)
        found, etag = self.look(url), str(done.etag or "").strip('"')  # not every answer tells the ETag
        if found is None or found.size != source.stat().st_size or (etag and found.etag != etag):
            raise TakenError(url.text, "was written to, or removed, the moment it was published")
        return found

    def _put_parts(self, source: Path, url: ObjectUrl, headers: dict[str, str]) -> Any:
        part_size = max(WHOLE, -(-source.stat().st_size // MOST_PARTS))
        upload: str = self._ask(
            url, lambda bucket: bucket.init_multipart_upload(url.key, headers=headers).upload_id, tries=1
        )
        parts: list[PartInfo] = []
        try:
            with source.open("rb", buffering=0) as file:
                while piece := file.read(part_size):
                    parts.append(self._part(url, upload, len(parts) + 1, piece))
            over = {name: value for name, value in headers.items() if name in _NOTHING_THERE}
            return self._ask(
                url, lambda bucket: bucket.complete_multipart_upload(url.key, upload, parts, headers=over), tries=1
            )
        except BaseException:
            self._abort(url, upload)
            raise

    def _part(self, url: ObjectUrl, upload: str, number: int, piece: bytes) -> PartInfo:
        sent = self._ask(url, lambda bucket: bucket.upload_part(url.key, upload, number, piece))
        return PartInfo(number, sent.etag, size=len(piece), part_crc=sent.crc)

    def _abort(self, url: ObjectUrl, upload: str) -> None:
        try:
            self._ask(url, lambda bucket: bucket.abort_multipart_upload(url.key, upload))
        except OSError:
            return  # a lifecycle rule of the bucket removes what nobody completes

    def copy(self, entry: Entry, url: ObjectUrl) -> None:
        source = ObjectUrl(entry.url)
        headers = {"x-oss-copy-source-if-match": f'"{entry.etag}"', **_NOTHING_THERE}
        self._ask(url, lambda bucket: bucket.copy_object(source.bucket, source.key, url.key, headers=headers), tries=1)

    # --- words ---

    def _entry(self, url: str, size: int, found: Any, version: str | None) -> Entry:
        return Entry(
            url,
            int(size),
            float(found.last_modified),
            str(found.etag).strip('"'),
            version,
            where=str(self._fs._endpoint),
        )

    def _ask(self, url: ObjectUrl, ask: Callable[[Any], Any], *, tries: int = TRIES) -> Any:
        """Do it; what goes wrong is told in our words. Repeated only where the network lost it and it may be."""
        if self._fs._endpoint is None:
            hint = "set OSS_ENDPOINT, for example to https://oss-cn-hangzhou.aliyuncs.com"
            raise StorageError(url.text, "no endpoint of OSS is known", hint)
        for left in reversed(range(tries)):
            try:
                answer = ask(self._fs._get_bucket(url.bucket))
                if hasattr(answer, "resp"):
                    answer.resp.read()  # whatever is left: else the connection is never used again
                return answer
            except oss2.exceptions.RequestError as error:
                if not left:
                    hint = "check the network and OSS_ENDPOINT, then run again"
                    raise StorageError(url.text, f"the storage did not answer: {error}", hint) from error
            except oss2.exceptions.OssError as error:
                raise _told(url.text, error) from error
        raise AssertionError


def _told(url: str, error: Any) -> OSError:
    message = str(error.message or error.code or f"HTTP {error.status}")
    if error.status == 404:
        return FileNotFoundError(2, "no such bucket" if error.code == "NoSuchBucket" else "no such object", url)
    if error.status in {409, 412}:
        return TakenError(url)
    if error.status in {401, 403}:
        hint = "check the key and secret that fsspec has for oss (FSSPEC_OSS_KEY, FSSPEC_OSS_SECRET), and their rights"
        return DeniedError(url, f"the storage refused: {message}", hint)
    return StorageError(url, f"the storage refused: {message}")
