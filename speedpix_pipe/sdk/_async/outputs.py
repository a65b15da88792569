"""`FileOutput`: a result file's URL that can save, read and renew itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from speedpix_pipe.sdk import _bytes, _inputs, _media
from speedpix_pipe.sdk._async._transfer import (
    EXPIRED,
    AsyncAnswer,
    AsyncTransferClient,
    Moved,
    async_download_into,
    async_open_body,
    is_packed,
)
from speedpix_pipe.sdk._broken import broken_off
from speedpix_pipe.sdk._sleep import async_in_thread
from speedpix_pipe.sdk.errors import DownloadError

if TYPE_CHECKING:
    from speedpix_pipe.sdk._async.predictions import AsyncPredictions


class AsyncFileOutput(str):
    """A file that a prediction made. It is its URL: a string that can be printed, compared, hashed, put into JSON or
    into the next input, and that never holds the file's bytes.

    Result URLs expire. When storage refuses one, the prediction's result is asked for again, once.
    """

    __slots__ = ("_fresh", "_owner", "_place", "_prediction_id")

    _owner: AsyncPredictions
    _prediction_id: str
    _place: tuple[str | int, ...]
    _fresh: str

    @classmethod
    def of(cls, url: str, owner: AsyncPredictions, prediction_id: str, place: tuple[str | int, ...]) -> AsyncFileOutput:
        """Made by predictions; `place` is where the URL stood in the output."""
        self = cls(url)
        self._owner, self._prediction_id, self._place, self._fresh = owner, prediction_id, place, url
        return self

    def __repr__(self) -> str:
        shown = str(self) if len(self) <= 200 else f"{self[:60]}... ({len(self)} characters)"
        return f"FileOutput({shown!r})"

    def __str__(self) -> str:
        return str.__str__(self)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A copy in another process has no client: what remains is the URL.
        return str, (self.url,)

    @property
    def url(self) -> str:
        """The URL as a plain string."""
        return str.__str__(self)

    @property
    def expires_at(self) -> datetime | None:
        """When the URL ends, if it says so."""
        return _bytes.url_expiry(self._fresh)

    def to_json(self) -> str:
        return self.url

    def to_dict(self) -> dict[str, str]:
        return {"url": self.url}

    async def save(self, path: str | Path) -> Path:
        """Download to `path`: streamed, and there only when it is whole. Missing folders are made."""
        sink = _bytes.Sink(path, final=True)
        await self._download(sink)
        assert sink.final is not None
        return sink.final

    async def download(self, path: str | Path) -> Moved:
        """Download into `path` as it stands, and say what arrived: digest, size, type. `save` is the safe way."""
        return await self._download(_bytes.Sink(path))

    async def _download(self, sink: _bytes.Sink) -> Moved:
        if self._inline():
            content, kind = _bytes.decode_data_uri(self.url)
            sink.take(content)
            try:
                return Moved(await async_in_thread(sink.finish), sink.size, kind)
            except BaseException:
                sink.discard()
                raise
        calls = self._owner.calls
        calls.home.enter()
        http = AsyncTransferClient(calls.files)
        try:
            return await async_download_into(http, self._fresh, sink, retry=calls.retry, clock=calls.clock)
        except DownloadError as error:
            await self._renew(error)
        await async_in_thread(sink.restart)
        return await async_download_into(http, self._fresh, sink, retry=calls.retry, clock=calls.clock)

    async def read(self) -> bytes:
        """All bytes, fetched anew each time; for a big file use `save` or `iter_bytes`."""
        if self._inline():
            return _bytes.decode_data_uri(self.url)[0]
        calls, attempt = self._owner.calls, 0
        while True:
            attempt += 1
            response = await self._open()
            try:
                return b"".join([chunk async for chunk in _whole(response)])
            except DownloadError as error:  # it broke off: what kept it from opening was repeated there
                pause = calls.retry.pause(error, attempt, paid=False, random=calls.random)
                if pause is None:
                    raise
            await calls.clock.sleep(pause)

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive; a body that ends early raises `DownloadError`, since what came is gone."""
        if self._inline():
            yield _bytes.decode_data_uri(self.url)[0]
            return
        body = _whole(await self._open())
        try:
            async for chunk in body:
                yield chunk
        finally:  # whoever looks at the beginning only leaves the rest on the wire
            await body.aclose()

    # unasync: append to next  # type: ignore[override]  # a file's parts are its chunks
    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Chunks of the file, not letters of the URL."""
        async for chunk in self.iter_bytes():
            yield chunk

    def _inline(self) -> bool:
        return self[:5].lower() == "data:"

    async def _open(self) -> AsyncAnswer:
        calls = self._owner.calls
        calls.home.enter()
        http = AsyncTransferClient(calls.files)
        try:
            return await async_open_body(http, self._fresh, retry=calls.retry, clock=calls.clock)
        except DownloadError as error:
            await self._renew(error)
        return await async_open_body(http, self._fresh, retry=calls.retry, clock=calls.clock)

    async def _renew(self, refused: DownloadError) -> None:
        """Ask for the result again if storage refused the URL, and take the one that stands in the same place."""
        if refused.http_status not in EXPIRED:
            raise refused
        output = await self._owner.result_of(self._prediction_id)
        url: Any = _inputs.at_place(output, self._place)
        if not isinstance(url, str) or not _inputs.is_file_url(url):
            raise refused
        self._fresh = url

    @property
    def content_type(self) -> str:
        """The media type that the name in the URL suggests."""
        return _media.get_content_type(httpx.URL(self.url).path) if not self._inline() else self[5:].split(";")[0]


async def _whole(response: AsyncAnswer) -> AsyncGenerator[bytes]:
    """A body in pieces, to its very end."""
    received, packed = 0, is_packed(response)
    try:
        async for chunk in response.aiter_bytes() if packed else response.aiter_raw():
            received += len(chunk)
            yield chunk
    except httpx.HTTPError as error:
        raise DownloadError(f"the download broke off: storage {broken_off(error)}", retryable=True) from error
    finally:
        await response.aclose()
    length = response.headers.get("content-length", "")
    if not packed and length.isdigit() and received != int(length):
        raise DownloadError(f"{received} of {length} bytes arrived", retryable=True)
