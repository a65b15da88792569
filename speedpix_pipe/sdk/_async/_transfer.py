"""Moving bytes to and from object storage: streamed, hashed on the way, whole or not at all.

Knows URLs and files, no credentials: a worker on another machine may use it. Both directions may be repeated freely, so
they are, here and nowhere else.
"""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import httpx

from speedpix_pipe.sdk import _policy
from speedpix_pipe.sdk._broken import broken_off, transport_error
from speedpix_pipe.sdk._bytes import Sink, Source, open_source, storage_words
from speedpix_pipe.sdk._config import Proxies
from speedpix_pipe.sdk._lanes import Lanes, async_lane
from speedpix_pipe.sdk._policy import RetryPolicy
from speedpix_pipe.sdk._sleep import AsyncClock, async_in_thread
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


class AsyncAnswer(Protocol):
    """What is used of an answer: an `httpx.Response` is one."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def stream(self) -> Any: ...

    def aiter_raw(self) -> AsyncIterator[bytes]: ...

    def aiter_bytes(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class AsyncSends(Protocol):
    """Anything that sends a request and hands back the response before its body: our lanes, or an httpx client."""

    async def send(self, request: httpx.Request, *, stream: bool = ...) -> httpx.Response: ...


class AsyncQuick(Protocol):
    """A request for a file without httpx's objects: reading one pre-signed URL costs httpx more than sending it."""

    async def __call__(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        content: bytes | AsyncIterator[bytes] | None,
        timeouts: Mapping[str, float | None],
    ) -> AsyncAnswer: ...


class AsyncTransferClient:
    """Connections for bytes alone."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: httpx.Request, *, stream: bool = True) -> httpx.Response:
        del stream  # the body is always left to the caller
        return await self._transport.handle_async_request(request)

    @property
    def quick(self) -> AsyncQuick | None:
        """The transport's own way for a URL that needs no reading, if it has one."""
        return getattr(self._transport, "move", None)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def async_open_client(*, trust_env: bool = True) -> AsyncTransferClient:
    """A client for `put_file` and `download`: at most 48 kept connections, proxies as the environment says."""
    return AsyncTransferClient(async_lane(Lanes.FILES.value, Proxies(trust_env=trust_env)))


async def async_put_file(
    http_client: AsyncSends,
    url: str,
    file: Path | str | BinaryIO,
    content_type: str,
    *,
    retry: RetryPolicy | None = None,
    clock: AsyncClock | None = None,
) -> Moved:
    """PUT a file to a pre-signed URL with exactly this content type; the digest is of the bytes that were sent.

    `file` is a path, or a binary file that can seek.
    """
    source = await async_in_thread(_load, file)
    try:
        return await async_put_source(http_client, url, source, content_type, retry=retry, clock=clock)
    finally:
        if not source.closed:
            await async_in_thread(source.close)


def _load(file: Path | str | BinaryIO) -> Source:
    return open_source(file).load()


async def async_put_source(
    http_client: AsyncSends,
    url: str,
    source: Source,
    content_type: str,
    *,
    retry: RetryPolicy | None = None,
    clock: AsyncClock | None = None,
) -> Moved:
    policy, clock = retry or RetryPolicy(), clock or AsyncClock()
    attempt = 0
    while True:
        attempt += 1
        try:
            await _put_once(http_client, url, source, content_type)
            return Moved(source.digest(), source.size, content_type)
        except SpeedPixError as error:
            pause = policy.pause(error, attempt, paid=False, random=random.random)
            if pause is None:
                raise
        await clock.sleep(pause)


async def _put_once(http_client: AsyncSends, url: str, source: Source, content_type: str) -> None:
    content: bytes | AsyncIterator[bytes]
    if source.content is not None:
        content = source.content
    else:
        await async_in_thread(source.rewind)
        content = _blocks(source)
    headers = [("Content-Type", content_type), ("Content-Length", str(source.size))]
    response = await _send(http_client, "PUT", url, headers, content, UploadError)
    try:
        if not 200 <= response.status_code < 300:
            raise _refused(UploadError, "the upload", response, await _read_some(response))
        await _read_some(response)
    finally:
        await response.aclose()


async def _blocks(source: Source) -> AsyncIterator[bytes]:
    while block := await async_in_thread(source.read):
        yield block


async def async_download(
    http_client: AsyncSends,
    url: str,
    path: Path | str,
    *,
    hold: bool = False,
    retry: RetryPolicy | None = None,
    clock: AsyncClock | None = None,
) -> Moved:
    """GET a file into `path`, which is written as bytes come and removed again if they do not all come.

    A file of more than 32 MiB goes on where it broke off, if storage can. Give a name that nobody reads yet. With
    `hold`, one of less than 1 MiB comes back in `Moved.content` and is not written: for who puts it elsewhere anyway.
    """
    policy, clock = retry or RetryPolicy(), clock or AsyncClock()
    return await async_download_into(http_client, url, Sink(path, hold=hold), retry=policy, clock=clock)


async def async_download_into(
    http_client: AsyncSends, url: str, sink: Sink, *, retry: RetryPolicy, clock: AsyncClock
) -> Moved:
    download = _Download(http_client, url, sink)
    attempt = 0
    try:
        while True:
            attempt += 1
            had = download.sink.size
            try:
                return await download.once()
            except SpeedPixError as error:
                if download.sink.size > had + RESUME_ABOVE:
                    attempt = 1  # it is getting on: only attempts in vain count
                pause = retry.pause(error, attempt, paid=False, random=random.random)
                if pause is None:
                    raise
            await clock.sleep(pause)
    except BaseException:
        download.sink.discard()
        raise


async def async_open_body(http_client: AsyncSends, url: str, *, retry: RetryPolicy, clock: AsyncClock) -> AsyncAnswer:
    """A response whose body is still to be read, by the caller, who closes it."""
    attempt = 0
    while True:
        attempt += 1
        try:
            headers = [("Accept-Encoding", "identity")]
            response = await _send(http_client, "GET", url, headers, None, DownloadError)
            if response.status_code == 200:
                return response
            try:
                raise _refused(DownloadError, "the download", response, await _read_some(response))
            finally:
                await response.aclose()
        except SpeedPixError as error:
            pause = retry.pause(error, attempt, paid=False, random=random.random)
            if pause is None:
                raise
        await clock.sleep(pause)


class _Download:
    """One file on its way, over as many attempts as it takes."""

    def __init__(self, http_client: AsyncSends, url: str, sink: Sink) -> None:
        self._http = http_client
        self._url = url
        self.sink = sink
        self._etag: str | None = None

    async def once(self) -> Moved:
        headers = [("Accept-Encoding", "identity")]
        if self.sink.size >= RESUME_ABOVE and self._etag is not None:
            headers += [("Range", f"bytes={self.sink.size}-"), ("If-Range", self._etag)]
        elif self.sink.size:
            await async_in_thread(self.sink.restart)
        response = await _send(self._http, "GET", self._url, headers, None, DownloadError)
        try:
            return await self._receive(response)
        finally:
            await response.aclose()

    async def _receive(self, response: AsyncAnswer) -> Moved:
        if response.status_code not in (200, 206):
            raise _refused(DownloadError, "the download", response, await _read_some(response))
        if response.status_code == 200 and self.sink.size:
            await async_in_thread(self.sink.restart)
        etag = response.headers.get("etag")
        self._etag = etag if etag and not etag.startswith("W/") else None
        length = response.headers.get("content-length", "")
        expected = self.sink.size + int(length) if length.isdigit() else None
        encoded = is_packed(response)
        try:
            async for chunk in response.aiter_bytes() if encoded else _plain(response):
                if self.sink.take(chunk):
                    await async_in_thread(self.sink.flush)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise DownloadError(f"the download broke off: storage {broken_off(error)}", retryable=True) from error
        if expected is not None and not encoded and self.sink.size != expected:
            raise DownloadError(f"{self.sink.size} of {expected} bytes arrived", retryable=True)
        sink = self.sink
        digest = sink.finish() if sink.held else await async_in_thread(sink.finish)
        return Moved(digest, sink.size, response.headers.get("content-type", ""), sink.content)


def is_packed(response: AsyncAnswer) -> bool:
    """Whether it came compressed, which we never ask for: its length is then not the file's."""
    return response.headers.get("content-encoding", "identity") != "identity"


def _plain(response: AsyncAnswer) -> Any:
    """The body as the transport gives it; nothing was compressed, so httpx's decoders have no work."""
    return response.stream


def _request(
    method: str, url: str, headers: list[tuple[str, str]], content: bytes | AsyncIterator[bytes] | None
) -> httpx.Request:
    try:
        return httpx.Request(method, url, headers=headers, content=content, extensions={"timeout": _TIMEOUTS})
    except httpx.InvalidURL as error:
        raise FileError(f"the service handed out a URL that cannot be read: {error}") from error


async def _send(
    http_client: AsyncSends,
    method: str,
    url: str,
    headers: list[tuple[str, str]],
    content: bytes | AsyncIterator[bytes] | None,
    kind: type[FileError],
) -> AsyncAnswer:
    quick: AsyncQuick | None = getattr(http_client, "quick", None)
    try:
        if quick is not None and _PLAIN_URL.fullmatch(url):
            return await quick(method, url, headers, content, _TIMEOUTS)
        return await http_client.send(_request(method, url, headers, content), stream=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cause = transport_error(error, "storage", url)
        raise kind(cause.message, retryable=cause.retryable) from error


async def _read_some(response: AsyncAnswer) -> bytes:
    """The beginning of an answer; storage's XML is short."""
    body = b""
    try:
        async for chunk in _plain(response):
            body += chunk
            if len(body) > 65_536:
                break
    except httpx.HTTPError:
        pass
    return body


def _refused(kind: type[FileError], what: str, response: AsyncAnswer, body: bytes) -> FileError:
    words, status = storage_words(body), response.status_code
    return kind(
        f"{what} was refused: {words.message or words.code or f'HTTP {status}'}",
        error_code=words.code,
        http_status=status,
        request_id=response.headers.get("x-oss-request-id"),
        retryable=status in (408, 429) or status >= 500,
        retry_after=_policy.retry_after(response.headers),
    )
