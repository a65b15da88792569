"""S3, and what speaks its language, by way of s3fs: its sessions, settings and retries, and the requests themselves.

The requests are made here, because s3fs's own put holds up to 500 MiB and neither it nor its reads can be told "only if
it is still the one I saw".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
import s3fs
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from fsspec.asyn import sync

from speedpix_pipe.files.storage.base import (
    ChangedObjectError,
    DeniedError,
    Entry,
    NobodyError,
    StorageError,
    TakenError,
)
from speedpix_pipe.files.storage.quiet import quieten
from speedpix_pipe.files.storage.urls import ObjectUrl

WHOLE = 8 * 1024 * 1024  # up to this size one PUT; above, parts of at least this size
MOST_PARTS = 9000
LARGEST_COPY = 5 * 1024**3  # of one request
READ_SECONDS = 60  # the clock also runs while a part goes up: s3fs's own 15 s ask for 4.5 Mbit/s
TRIES = 3  # of one part of a body that breaks off

_DENIED = frozenset({"AccessDenied", "403", "401", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch",
                     "ExpiredToken", "InvalidToken", "AllAccessDisabled", "RequestTimeTooSkewed"})  # fmt: skip
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})
_CHANGED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_CANNOT = frozenset({"NotImplemented", "501"})


class S3Storage:
    """All buckets that the environment's credentials open."""

    def __init__(self, scheme: str) -> None:
        quieten("s3fs", "botocore", "aiobotocore", "fsspec")
        # Listings of our own, so that none is older than we know.
        self._fs: s3fs.S3FileSystem = fsspec.filesystem(scheme, use_listings_cache=False)
        self._fs.read_timeout = READ_SECONDS  # what `config_kwargs` of fsspec's configuration say goes over it
        self.exact = True
        self._conditional_puts = True

    def look(self, url: ObjectUrl) -> Entry | None:
        try:
            found = self._ask(url.text, "head_object", Bucket=url.bucket, Key=url.key, ChecksumMode="ENABLED")
        except FileNotFoundError:
            return None
        return self._entry(url.text, found["ContentLength"], found)

    def list(self, url: ObjectUrl, *, deep: bool) -> Iterator[Entry | ObjectUrl]:
        start = f"{url.scheme}://{url.bucket}/"
        more: dict[str, Any] = {} if deep else {"Delimiter": "/"}
        while True:
            page = self._ask(url.text, "list_objects_v2", Bucket=url.bucket, Prefix=url.key, **more)
            for folder in page.get("CommonPrefixes", ()):
                yield ObjectUrl(start + folder["Prefix"])
            for found in page.get("Contents", ()):
                yield self._entry(start + found["Key"], found["Size"], found)
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]

    def read(self, entry: Entry, start: int, end: int) -> bytes:
        url = ObjectUrl(entry.url)
        asked: dict[str, Any] = {"Bucket": url.bucket, "Key": url.key}
        if entry.etag:
            asked["IfMatch"] = entry.etag
        if start > 0 or end < entry.size:
            asked["Range"] = f"bytes={start}-{end - 1}"
        if entry.version is not None:
            asked["VersionId"] = entry.version
        for left in reversed(range(TRIES)):
            try:
                data: bytes = self._words(entry.url, lambda: sync(self._fs.loop, self._body, asked))
            except TakenError as error:
                raise ChangedObjectError(entry.url) from error
            except FileNotFoundError as error:
                raise ChangedObjectError(entry.url, "was removed while it was read") from error
            except (DeniedError, ChangedObjectError):
                raise
            except StorageError:
                if not left:
                    raise
                continue
            if len(data) == end - start:
                return data
        raise StorageError(entry.url, f"gave {len(data)} bytes where {end - start} were asked for")

    async def _body(self, asked: dict[str, Any]) -> bytes:
        answer = await self._fs._call_s3("get_object", **asked)
        async with answer["Body"] as body:
            data: bytes = await body.read()
            return data

    def put(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        size = source.stat().st_size
        where = {"Bucket": url.bucket, "Key": url.key}
        only_if = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.etag}
        send = self._put_whole if size <= WHOLE else self._put_parts
        if self._conditional_puts:
            try:
                return self._after(url, send(source, url, where, sha256, media_type, only_if))
            except _CannotError:  # an imitation of S3 that does not know conditions
                self._conditional_puts = False
        now = self.look(url)
        if (now is None) != (over is None) or (now is not None and over is not None and now.state != over.state):
            raise TakenError(url.text)
        return self._after(url, send(source, url, where, sha256, media_type, {}))

    def _after(self, url: ObjectUrl, etag: str) -> Entry:
        """What a listing and a later look will say of it; TakenError if it is somebody else's by now."""
        found = self.look(url)
        if found is None or found.etag != etag:
            raise TakenError(url.text, "was written to, or removed, the moment it was published")
        return found

    def _put_whole(
        self, source: Path, url: ObjectUrl, where: dict[str, str], sha256: str, media_type: str, only_if: dict[str, str]
    ) -> str:
        # The service refuses other bytes than these, and knows the digest of the object from then on.
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        done = self._ask(
            url.text,
            "put_object",
            **where,
            **only_if,
            Body=source.read_bytes(),
            ContentType=media_type,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=checksum,
        )
        return str(done["ETag"])

    def _put_parts(
        self,
        source: Path,
        url: ObjectUrl,
        where: dict[str, str],
        sha256: str,  # noqa: ARG002 - the shape of `_put_whole`; parts have no digest of the whole
        media_type: str,
        only_if: dict[str, str],
    ) -> str:
        part_size = max(WHOLE, -(-source.stat().st_size // MOST_PARTS))
        upload = self._ask(url.text, "create_multipart_upload", **where, ContentType=media_type)["UploadId"]
        parts: list[dict[str, Any]] = []
        try:
            with source.open("rb", buffering=0) as file:
                while piece := file.read(part_size):
                    number = len(parts) + 1
                    sent = self._ask(url.text, "upload_part", **where, UploadId=upload, PartNumber=number, Body=piece)
                    parts.append({"PartNumber": number, **{k: sent[k] for k in _PART_FACTS if k in sent}})
            done = self._ask(
                url.text,
                "complete_multipart_upload",
                **where,
                **only_if,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
            )
            return str(done["ETag"])
        except BaseException:
            self._abort(url, where, upload)
            raise

    def _abort(self, url: ObjectUrl, where: dict[str, str], upload: str) -> None:
        try:
            self._ask(url.text, "abort_multipart_upload", **where, UploadId=upload)
        except OSError:
            return  # a lifecycle rule of the bucket removes what nobody completes

    def copy(self, entry: Entry, url: ObjectUrl) -> None:
        if self.look(url) is not None:
            raise TakenError(url.text)
        source = ObjectUrl(entry.url)
        if entry.size >= LARGEST_COPY:  # in parts, which s3fs knows to do
            self._words(entry.url, lambda: self._fs.cp_file(_plain(source), _plain(url)))
            return
        copied_from: dict[str, str] = {"Bucket": source.bucket, "Key": source.key}
        if entry.version is not None:
            copied_from["VersionId"] = entry.version
        asked: dict[str, Any] = {
            "Bucket": url.bucket,
            "Key": url.key,
            "CopySource": copied_from,
            "CopySourceIfMatch": entry.etag,
        }
        try:
            self._ask(url.text, "copy_object", **asked, IfNoneMatch="*")
        except _CannotError:
            self._ask(url.text, "copy_object", **asked)

    # --- words ---

    def _entry(self, url: str, size: int, found: dict[str, Any]) -> Entry:
        modified: datetime = found["LastModified"]
        version = found.get("VersionId")
        return Entry(
            url,
            size,
            float(int(modified.timestamp())),
            found.get("ETag", ""),
            version if version != "null" else None,
            _whole_digest(found),
            str(self._fs.s3.meta.endpoint_url),
        )

    def _ask(self, url: str, method: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._words(url, lambda: self._fs.call_s3(method, **arguments))
        return answer

    def _words(self, url: str, ask: Callable[[], Any]) -> Any:
        """Do it; what goes wrong is told in our words. No message of a service holds a key, but some hold a header."""
        try:
            return ask()
        except (OSError, BotoCoreError, ClientError) as error:
            raise _told(url, error) from error


class _CannotError(StorageError):
    """The service does not know this kind of request."""


_PART_FACTS = ("ETag", "ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256")


def _plain(url: ObjectUrl) -> str:
    return f"{url.bucket}/{url.key}"


def _whole_digest(found: dict[str, Any]) -> str | None:
    """The SHA-256 of the whole object, which the service checked when it took it. One of parts ends in `-N`."""
    text = found.get("ChecksumSHA256")
    if not isinstance(text, str) or "-" in text or found.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return base64.b64decode(text).hex()


def _told(url: str, error: Exception) -> OSError:
    if isinstance(error, NoCredentialsError):
        hint = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use the machine's own role"
        return NobodyError(url, "no credentials for S3 were found", hint)
    cause = error if isinstance(error, ClientError) else error.__cause__
    if isinstance(cause, ClientError):
        return _answered(url, cause)
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        return error if isinstance(error, FileNotFoundError) else StorageError(url, str(error.strerror or error))
    hint = "check the network and AWS_ENDPOINT_URL (or endpoint_url of the profile), then run again"
    return StorageError(url, f"the storage did not answer: {error}", hint)


def _answered(url: str, error: ClientError) -> OSError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", "")) or code
    if code in _MISSING:
        what = "no such bucket" if code == "NoSuchBucket" else "no such object"
        return FileNotFoundError(2, what, url)
    if code in _CHANGED:
        return TakenError(url)
    if code in _CANNOT:
        return _CannotError(url, f"the storage cannot do that: {message}")
    if code in _DENIED:
        hint = "check which credentials AWS_PROFILE or the environment give, and what they may do in this bucket"
        return DeniedError(url, f"the storage refused: {message}", hint)
    return StorageError(url, f"the storage refused: {message}")
