"""The executor of this machine: asyncio for bytes, a few threads for digests, a process pool for pixels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedpix_pipe.errors import ExecutorError
from speedpix_pipe.executors.base import Moved, Sends
from speedpix_pipe.executors.bringing import names_for, objects_in, with_copies
from speedpix_pipe.executors.processors import processors
from speedpix_pipe.files import Entry, ObjectUrl, sha256_file
from speedpix_pipe.files.storage import open_storage
from speedpix_pipe.files.storage.bytes import fetch_object, reading, sha256_of_object
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.steps.together import together

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from speedpix_pipe.executors.pool import PixelPool

HASH_THREADS = 2  # a digest runs at disk speed; more threads only make the disk jump


class LocalExecutor:
    """Starts nothing before it is needed: no HTTP client, no thread, no process.

    `http` is whoever sends (the SDK's connections, say) and stays open; without it, connections for bytes alone
    are opened with the first transfer and closed with the executor.
    """

    remote = False

    def __init__(self, *, http: Sends | None = None, workers: int | None = None) -> None:
        self._http = http
        self._own_http: Any = None
        self._workers = workers
        self._pixel_pool: PixelPool | None = None
        self._closed = False
        self._threads: ThreadPoolExecutor | None = None
        self._folder: Path | None = None
        self.width = 2 * (workers or processors())

    async def open(self, folder: Path) -> None:
        """This machine sees its own files. Objects are brought to `folder` for as long as they are worked."""
        self._folder = folder

    def telling(self, lost: Callable[[str], None]) -> AbstractContextManager[None]:  # noqa: ARG002 - one shape
        """It is lost only together with us."""
        return nullcontext()

    async def download(self, url: str, target: Path, *, hold: bool = False, expected_size: int | None = None) -> Moved:
        """GET into `target`, whole or not at all; a small file is handed back where that is allowed."""
        from speedpix_pipe.sdk import transfer

        done = await transfer.download(self._sends(), url, target, hold=hold)
        if expected_size is not None and done.size != expected_size:
            await asyncio.to_thread(target.unlink, missing_ok=True)
            raise ExecutorError(
                f"{target.name}: {done.size} bytes came where {expected_size} were expected", code="executor.wrong-size"
            )
        return Moved(done.sha256, done.size, done.content_type, done.content)

    async def upload(self, url: str, source: Path | Entry, content_type: str) -> Moved:
        """PUT to a signed URL; the digest is of the bytes that went out."""
        from speedpix_pipe.sdk import transfer

        if isinstance(source, Path):
            done = await transfer.put_file(self._sends(), url, source, content_type)
        else:
            with reading(source) as reader:
                done = await transfer.put_file(self._sends(), url, reader, content_type)
        return Moved(done.sha256, done.size, done.content_type)

    async def pixels(self, function: str, *args: Any) -> Any:
        """Run a function of `executors.pixels` in the pool."""
        entries = objects_in(args)
        if not entries:
            return await self._pool().run(function, args)
        from tempfile import TemporaryDirectory

        # A thread whose waiter was cancelled may still write there. A later start sweeps what is left.
        with TemporaryDirectory(prefix="objects-", dir=self._folder, ignore_cleanup_errors=True) as folder:
            copies = names_for(entries, Path(folder))
            await together([in_thread(partial(fetch_object, entry, copy)) for entry, copy in copies.items()])
            return await self._pool().run(function, with_copies(args, copies))

    async def hash(self, place: Path | Entry) -> str:
        """SHA-256 of a file, beside the event loop; of an object, by the threads that wait for its store."""
        if isinstance(place, Entry):
            return await in_thread(partial(sha256_of_object, place))
        path = place
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(HASH_THREADS, thread_name_prefix="hash")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, sha256_file, path)
        except OSError as error:
            raise ExecutorError(f"{path.name}: cannot be read: {error.strerror}") from error

    async def publish(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        put = open_storage(url.scheme).put
        return await in_thread(partial(put, source, url, sha256=sha256, media_type=media_type, over=over))

    async def aclose(self) -> None:
        self._closed = True
        if self._pixel_pool is not None:
            await self._pixel_pool.aclose()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._own_http is not None:
            await self._own_http.aclose()

    def _pool(self) -> PixelPool:
        if self._closed:
            raise ExecutorError("the executor is closed", code="executor.closed")
        if self._pixel_pool is None:
            from speedpix_pipe.executors.pool import PixelPool  # multiprocessing takes a tenth of a start

            self._pixel_pool = PixelPool(self._workers)
        return self._pixel_pool

    def _sends(self) -> Sends:
        if self._http is not None:
            return self._http
        if self._own_http is None:
            from speedpix_pipe.sdk import transfer

            self._own_http = transfer.open_client()
        own: Sends = self._own_http
        return own
