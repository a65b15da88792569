"""A small OSS server on loopback: buckets by path, listings, conditions and multipart uploads as OSS documents them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

Stored = tuple[bytes, str, datetime, str]  # content, ETag, time, type


class OssServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[tuple[str, str], Stored] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.lock = threading.Lock()
        self.before: Any = None  # called with each request before it is answered; may give a status to answer with

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, key: str, data: bytes, kind: str = "application/octet-stream", bucket: str = "shop") -> str:
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest().upper()
        self.objects[bucket, key] = (data, etag, datetime.now(UTC), kind)
        return etag

    def get(self, key: str) -> bytes:
        return self.objects["shop", key][0]

    def delete(self, key: str) -> None:
        del self.objects["shop", key]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OssServer

    def _asked(self) -> tuple[str, str, dict[str, str]]:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return bucket, key, query

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _xml(self, name: str, inner: str) -> None:
        self._answer(200, f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inner}</{name}>'.encode())

    def _spoiled(self) -> bool:
        status = self.server.before(self) if self.server.before is not None else None
        if status is not None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._refuse(status, "Refused")
        return status is not None

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self._spoiled():
            return
        bucket, key, query = self._asked()
        if bucket != "shop":
            self._refuse(404, "NoSuchBucket")
        elif not key:
            self._list(query)
        elif (bucket, key) not in self.server.objects:
            self._refuse(404, "NoSuchKey")
        else:
            self._object(self.server.objects[bucket, key])

    def _object(self, stored: Stored) -> None:
        data, etag, when, kind = stored
        if self.headers.get("If-Match", f'"{etag}"') != f'"{etag}"':
            self._refuse(412, "PreconditionFailed")
            return
        status, headers = (
            200,
            {"ETag": f'"{etag}"', "Last-Modified": format_datetime(when, usegmt=True), "Content-Type": kind},
        )
        if "Range" in self.headers:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            end = min(int(last or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{end}/{len(data)}"
            status, data = 206, data[int(first) : end + 1]
        self._answer(status, data, headers)

    def _list(self, query: dict[str, str]) -> None:
        prefix, delimiter, after = (
            query.get("prefix", ""),
            query.get("delimiter", ""),
            query.get("continuation-token", ""),
        )
        rows: dict[str, str] = {}
        for (_, key), (data, etag, when, _) in sorted(self.server.objects.items()):
            if not key.startswith(prefix):
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                folder = key[: cut + 1]
                rows[folder] = f"<CommonPrefixes><Prefix>{quote(folder)}</Prefix></CommonPrefixes>"
            else:
                rows[key] = (
                    f"<Contents><Key>{quote(key)}</Key><LastModified>{when:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
                    f'<ETag>"{etag}"</ETag><Type>Normal</Type><Size>{len(data)}</Size><StorageClass>Standard</StorageClass></Contents>'
                )
        names = [name for name in rows if name > after]
        page = names[: min(int(query.get("max-keys", 100)), 4)]  # small pages, so that every test meets several
        more = len(names) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        inner = (
            f"<Name>shop</Name><Prefix>{quote(prefix)}</Prefix><MaxKeys>4</MaxKeys><Delimiter>{quote(delimiter)}</Delimiter>"
            f"<EncodingType>url</EncodingType><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        )
        self._xml("ListBucketResult", inner + "".join(rows[name] for name in page))

    def do_PUT(self) -> None:
        if self._spoiled():
            return
        bucket, key, query = self._asked()
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "partNumber" in query:
            self.server.uploads[query["uploadId"]][int(query["partNumber"])] = data
            self._answer(200, b"", {"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest().upper()}"'})
            return
        with self.server.lock:
            if self._taken(bucket, key):
                return
            source = self.headers.get("x-oss-copy-source")
            if source is None:
                etag = self.server.put(key, data, self.headers.get("Content-Type", ""), bucket)
                self._answer(200, b"", {"ETag": f'"{etag}"'})
                return
            from_bucket, _, from_key = unquote(source).lstrip("/").partition("/")
            content, etag, when, kind = self.server.objects[from_bucket, from_key]
            if self.headers.get("x-oss-copy-source-if-match", f'"{etag}"') != f'"{etag}"':
                self._refuse(412, "PreconditionFailed")
                return
            self.server.put(key, content, kind, bucket)
            self._xml(
                "CopyObjectResult", f'<LastModified>{when:%Y-%m-%dT%H:%M:%S}.000Z</LastModified><ETag>"{etag}"</ETag>'
            )

    def _taken(self, bucket: str, key: str) -> bool:
        taken = self.headers.get("x-oss-forbid-overwrite") == "true" and (bucket, key) in self.server.objects
        if taken:
            self._refuse(409, "FileAlreadyExists")
        return taken

    def do_POST(self) -> None:
        if self._spoiled():
            return
        bucket, key, query = self._asked()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "uploads" in query:
            upload = f"upload-{len(self.server.uploads)}"
            self.server.uploads[upload] = {}
            self._xml(
                "InitiateMultipartUploadResult",
                f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>",
            )
            return
        with self.server.lock:
            if self._taken(bucket, key):
                return
            parts = self.server.uploads.pop(query["uploadId"])
            etag = self.server.put(key, b"".join(parts[number] for number in sorted(parts)), bucket=bucket)
        self._xml(
            "CompleteMultipartUploadResult", f'<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>"{etag}"</ETag>'
        )

    def do_DELETE(self) -> None:
        _, _, query = self._asked()
        self.server.uploads.pop(query.get("uploadId", ""), None)
        self._answer(204)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def oss_server() -> Iterator[OssServer]:
    server = OssServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
