# Written by _tools/unasync.py from speedpix_pipe/sdk/_async/_transfer.py; edit that and run it again.
"""Moving bytes to and from object storage: streamed, hashed on the way, whole or not at all.

Knows URLs and files, no credentials: a worker on another machine may use it. Both directions may be repeated freely, so
they are, here and nowhere else.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import httpx

from speedpix_pipe.sdk import _policy
from speedpix_pipe.sdk._broken import broken_off, transport_error
from speedpix_pipe.sdk._bytes import Sink, Source, open_source, storage_words
from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._lanes import Lanes, lane
from speedpix_pipe.sdk._policy import RetryPolicy
from speedpix_pipe.sdk._sleep import Clock, in_thread
from speedpix_pipe.sdk.errors import DownloadError, FileError, SpeedPixError, UploadError

RESUME_ABOVE = 32 * 1024 * 1024
TIMEOUT = httpx.Timeout(connect=30.0, read=60.0, write=60.0, pool=600.0)
EXPIRED = frozenset({401, 403, 404, 410})
_TIMEOUTS = TIMEOUT.as_dict()
# A URL that goes on the wire as it stands: what any object store hands out. All others are httpx's to read.
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A file that has arrived whole; in `content`, if that was asked for and it is small."""

    sha256: str
    size: int
    content_type: str
    content: bytes | None = field(default=None, repr=False)


class Answer(Protocol):
    """What is used of an answer: an `httpx.Response` is one."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def stream(self) -> Any: ...

    def iter_raw(self) -> Iterator[bytes]: ...

    def iter_bytes(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class Sends(Protocol):
    """Anything that sends a request and hands back the response before its body: our lanes, or an httpx client."""

    def send(self, request: httpx.Request, *, stream: bool = ...) -> httpx.Response: ...


class Quick(Protocol):
    """A request for a file without httpx's objects: reading one pre-signed URL costs httpx more than sending it."""

    def __call__(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        content: bytes | Iterator[bytes] | None,
        timeouts: Mapping[str, float | None],
    ) -> Answer: ...


class TransferClient:
    """Connections for bytes alone."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def send(self, request: httpx.Request, *, stream: bool = True) -> httpx.Response:
        del stream  # the body is always left to the caller
        return self._transport.handle_request(request)

    @property
    def quick(self) -> Quick | None:
        """The transport's own way for a URL that needs no reading, if it has one."""
        return getattr(self._transport, "move", None)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_client(*, trust_env: bool = True) -> TransferClient:
    """A client for `put_file` and `download`: at most 48 kept connections, proxies as the environment says."""
    return TransferClient(lane(Lanes.FILES.value, Proxies(trust_env=trust_env)))


def put_file(
    http_client: Sends,
    url: str,
    file: Path | str | BinaryIO,
    content_type: str,
    *,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
) -> Moved:
    """PUT a file to a pre-signed URL with exactly this content type; the digest is of the bytes that were sent.

    `file` is a path, or a binary file that can seek.
    """
    source = in_thread(_load, file)
    try:
        return put_source(http_client, url, source, content_type, retry=retry, clock=clock)
    finally:
        if not source.closed:
            in_thread(source.close)


def _load(file: Path | str | BinaryIO) -> Source:
    return open_source(file).load()


def put_source(
    http_client: Sends,
    url: str,
    source: Source,
    content_type: str,
    *,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
) -> Moved:
    policy, clock = retry or RetryPolicy(), clock or Clock()
    attempt = 0
    while True:
        attempt += 1
        try:
            _put_once(http_client, url, source, content_type)
            return Moved(source.digest(), source.size, content_type)
        except SpeedPixError as error:
            pause = policy.pause(error, attempt, paid=False, random=random.random)
            if pause is None:
                raise
        clock.sleep(pause)


def _put_once(http_client: Sends, url: str, source: Source, content_type: str) -> None:
    content: bytes | Iterator[bytes]
    if source.content is not None:
        content = source.content
    else:
        in_thread(source.rewind)
        content = _blocks(source)
    headers = [("Content-Type", content_type), ("Content-Length", str(source.size))]
    response = _send(http_client, "PUT", url, headers, content, UploadError)
    try:
        if not 200 <= response.status_code < 300:
            raise _refused(UploadError, "the upload", response, _read_some(response))
        _read_some(response)
    finally:
        response.close()


def _blocks(source: Source) -> Iterator[bytes]:
    while block := in_thread(source.read):
        yield block


def download(
    http_client: Sends,
    url: str,
    path: Path | str,
    *,
    hold: bool = False,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
) -> Moved:
    """GET a file into `path`, which is written as bytes come and removed again if they do not all come.

    A file of more than 32 MiB goes on where it broke off, if storage can. Give a name that nobody reads yet. With
    `hold`, one of less than 1 MiB comes back in `Moved.content` and is not written: for who puts it elsewhere anyway.
    """
    policy, clock = retry or RetryPolicy(), clock or Clock()
    return download_into(http_client, url, Sink(path, hold=hold), retry=policy, clock=clock)


def download_into(http_client: Sends, url: str, sink: Sink, *, retry: RetryPolicy, clock: Clock) -> Moved:
    download = _Download(http_client, url, sink)
    attempt = 0
    try:
        while True:
            attempt += 1
            had = download.sink.size
            try:
                return download.once()
            except SpeedPixError as error:
                if download.sink.size > had + RESUME_ABOVE:
                    attempt = 1  # it is getting on: only attempts in vain count
                pause = retry.pause(error, attempt, paid=False, random=random.random)
                if pause is None:
                    raise
            clock.sleep(pause)
    except BaseException:
        download.sink.discard()
        raise


def open_body(http_client: Sends, url: str, *, retry: RetryPolicy, clock: Clock) -> Answer:
    """A response whose body is still to be read, by the caller, who closes it."""
    attempt = 0
    while True:
        attempt += 1
        try:
            headers = [("Accept-Encoding", "identity")]
            response = _send(http_client, "GET", url, headers, None, DownloadError)
            if response.status_code == 200:
                return response
            try:
                raise _refused(DownloadError, "the download", response, _read_some(response))
            finally:
                response.close()
        except SpeedPixError as error:
            pause = retry.pause(error, attempt, paid=False, random=random.random)
            if pause is None:
                raise
        clock.sleep(pause)


class _Download:
    """One file on its way, over as many attempts as it takes."""

    def __init__(self, http_client: Sends, url: str, sink: Sink) -> None:
        self._http = http_client
        self._url = url
        self.sink = sink
        self._etag: str | None = None

    def once(self) -> Moved:
        headers = [("Accept-Encoding", "identity")]
        if self.sink.size >= RESUME_ABOVE and self._etag is not None:
            headers += [("Range", f"bytes={self.sink.size}-"), ("If-Range", self._etag)]
        elif self.sink.size:
            in_thread(self.sink.restart)
        response = _send(self._http, "GET", self._url, headers, None, DownloadError)
        try:
            return self._receive(response)
        finally:
            response.close()

    def _receive(self, response: Answer) -> Moved:
        if response.status_code not in (200, 206):
            raise _refused(DownloadError, "the download", response, _read_some(response))
        if response.status_code == 200 and self.sink.size:
            in_thread(self.sink.restart)
        etag = response.headers.get("etag")
        self._etag = etag if etag and not etag.startswith("W/") else None
        length = response.headers.get("content-length", "")
        expected = self.sink.size + int(length) if length.isdigit() else None
        encoded = is_packed(response)
        try:
            for chunk in response.iter_bytes() if encoded else _plain(response):
                if self.sink.take(chunk):
                    in_thread(self.sink.flush)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise DownloadError(f"the download broke off: storage {broken_off(error)}", retryable=True) from error
        if expected is not None and not encoded and self.sink.size != expected:
            raise DownloadError(f"{self.sink.size} of {expected} bytes arrived", retryable=True)
        sink = self.sink
        digest = sink.finish() if sink.held else in_thread(sink.finish)
        return Moved(digest, sink.size, response.headers.get("content-type", ""), sink.content)


def is_packed(response: Answer) -> bool:
    """Whether it came compressed, which we never ask for: its length is then not the file's."""
    return response.headers.get("content-encoding", "identity") != "identity"


def _plain(response: Answer) -> Any:
    """The body as the transport gives it; nothing was compressed, so httpx's decoders have no work."""
    return response.stream


def _request(
    method: str, url: str, headers: list[tuple[str, str]], content: bytes | Iterator[bytes] | None
) -> httpx.Request:
    try:
        return httpx.Request(method, url, headers=headers, content=content, extensions={"timeout": _TIMEOUTS})
    except httpx.InvalidURL as error:
        raise FileError(f"the service handed out a URL that cannot be read: {error}") from error


def _send(
    http_client: Sends,
    method: str,
    url: str,
    headers: list[tuple[str, str]],
    content: bytes | Iterator[bytes] | None,
    kind: type[FileError],
) -> Answer:
    quick: Quick | None = getattr(http_client, "quick", None)
    try:
        if quick is not None and _PLAIN_URL.fullmatch(url):
            return quick(method, url, headers, content, _TIMEOUTS)
        return http_client.send(_request(method, url, headers, content), stream=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cause = transport_error(error, "storage", url)
        raise kind(cause.message, retryable=cause.retryable) from error


def _read_some(response: Answer) -> bytes:
    """The beginning of an answer; storage's XML is short."""
    body = b""
    try:
        for chunk in _plain(response):
            body += chunk
            if len(body) > 65_536:
                break
    except httpx.HTTPError:
        pass
    return body


def _refused(kind: type[FileError], what: str, response: Answer, body: bytes) -> FileError:
    words, status = storage_words(body), response.status_code
    return kind(
        f"{what} was refused: {words.message or words.code or f'HTTP {status}'}",
        error_code=words.code,
        http_status=status,
        request_id=response.headers.get("x-oss-request-id"),
        retryable=status in (408, 429) or status >= 500,
        retry_after=_policy.retry_after(response.headers),
    )
