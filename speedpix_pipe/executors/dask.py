"""The executor of many machines: bytes and pixels by the workers of an existing Dask cluster.

The coordinator (the process that runs this) signs, submits and polls; no worker can, having no key. So Dask may
repeat a job as often as it likes, and does so when a worker is lost. Whatever a job wrote has the name of its attempt
until it is published here, by a rename.

When every repetition lost its worker, this machine does the job itself: bytes are bytes, and a picture that kills
workers is worked in a pool that survives it. When the scheduler is lost the run is told to stop (`telling`); bytes
that are still wanted then, results that are paid for, are moved from here.

Files are on a file system that the workers share with this machine, under the same paths; `open` makes sure of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from speedpix_pipe._version import __version__
from speedpix_pipe.clock import Clock, SystemClock
from speedpix_pipe.errors import ExecutorError, UsageError
from speedpix_pipe.executors import jobs
from speedpix_pipe.executors.base import Moved, Sends
from speedpix_pipe.executors.local import LocalExecutor
from speedpix_pipe.files import Entry, ObjectUrl, StorageError
from speedpix_pipe.files.storage import ChangedObjectError, TakenError
from speedpix_pipe.steps.base import StoppedError

Client = Any  # Dask's own types end where its asynchronous face begins

RETRIES = 2  # of a job that ended in an error nobody foresaw; lost workers are counted by the scheduler itself
CONNECT_SECONDS = 10.0
FIRST_WORKER_SECONDS = 30.0
FAREWELL_SECONDS = 2.0  # how long leaving may wait for the scheduler's answer
LOOK_SECONDS = 5.0  # between looks whether there are workers, while jobs wait
WORKERLESS_SECONDS = 300.0  # so long may a cluster that grows with its load take to bring up a worker
LEAST_WIDTH = 32  # jobs handed to Dask at once even if it has few workers: others may join
FETCHES, PIXELS, SENDS = 2, 1, 0  # results that are paid for come first, new submissions last


class _LostError(Exception):
    """The scheduler is gone, or has no workers any more."""


class _DeadlyError(Exception):
    """Every worker that tried this job was lost."""


class _NoObjectsError(Exception):
    """The worker cannot get at objects: it has no package for them, no credentials, or no way there."""


class DaskExecutor:
    """Connects with `open`, and is done with once the scheduler is lost."""

    remote = True

    def __init__(
        self,
        *,
        scheduler: str,
        http: Sends | None = None,
        workers: int | None = None,
        clock: Clock | None = None,
        workerless_seconds: float = WORKERLESS_SECONDS,
    ) -> None:
        self._address = scheduler
        self._here = LocalExecutor(http=http, workers=workers)
        self._clock = clock or SystemClock()
        self._workerless_seconds = workerless_seconds
        self._client: Client = None
        self._watch: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Future[Any]] = set()
        self._farewells: set[asyncio.Future[Any]] = set()
        self._lost: str | None = None
        self._listeners: list[Callable[[str], None]] = []
        self.width = LEAST_WIDTH

    # --- connecting ---

    async def open(self, folder: Path) -> None:
        """Connect, and make sure that every worker is of our version and sees `folder`. UsageError if not."""
        if self._client is not None:
            return
        await self._here.open(folder)
        self._client = client = await self._connect()
        try:
            info = await self._first_workers(client)
            await self._probe(client, folder)
        except BaseException:
            await self.aclose()
            raise
        self.width = max(LEAST_WIDTH, 2 * int(info["total_threads"]))
        self._watch = asyncio.ensure_future(self._look_for_workers(client))

    async def _connect(self) -> Client:
        try:
            import distributed
        except ImportError as error:
            hint = "pip install 'speedpix-pipe[dask]'"
            raise UsageError("--executor dask needs Dask's distributed", code="executor.extra", hint=hint) from error
        for name in ("distributed", "distributed.client", "distributed.core", "tornado", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what the user must know, we say ourselves
        try:
            connect: Any = distributed.Client
            return await connect(
                self._address,
                asynchronous=True,
                timeout=CONNECT_SECONDS,
                set_as_default=False,
                name="speedpix-pipe",
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {self._address}: {error or type(error).__name__}",
                code="executor.scheduler",
                hint="start one with `dask scheduler`, or correct --scheduler tcp://HOST:PORT",
            ) from error

    async def _first_workers(self, client: Client) -> Mapping[str, Any]:
        """What the scheduler says of its workers, once it has any."""
        until = self._clock.monotonic() + FIRST_WORKER_SECONDS
        while True:
            info: Mapping[str, Any] = await client.scheduler.identity(n_workers=0)
            if info["n_workers"]:
                return info
            if self._clock.monotonic() >= until:
                raise UsageError(
                    f"the scheduler at {self._address} has no workers",
                    code="executor.no-workers",
                    hint=f"start some: dask worker {self._address}",
                )
            await self._clock.sleep(0.2)

    async def _probe(self, client: Client, folder: Path) -> None:
        note = folder / f"{uuid4().hex}.probe"
        word = uuid4().hex
        note.write_text(word, encoding="utf-8")
        try:
            found: Mapping[str, Any] = await client._run(jobs.probe, str(note), on_error="return")
        finally:
            note.unlink()
        for address, answer in found.items():
            check_worker(address, answer, word, folder)

    async def _look_for_workers(self, client: Client) -> None:
        """While jobs wait and there is no worker at all, time is counted; a cluster without workers is lost."""
        since: float | None = None
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            try:
                empty = bool(self._waiting) and not (await client.scheduler.identity(n_workers=0))["n_workers"]
            except (OSError, AttributeError):
                continue  # the connection is going; whoever waits for a result hears of it
            now = self._clock.monotonic()
            since = (since if since is not None else now) if empty else None
            if since is not None and now - since >= self._workerless_seconds:
                self._lose(f"the Dask cluster at {self._address} has had no worker for {now - since:.0f} s")
                return

    # --- losing it ---

    @contextmanager
    def telling(self, lost: Callable[[str], None]) -> Iterator[None]:
        """While inside: `lost(reason)` is called once no more work can be done, at once if so already."""
        self._listeners.append(lost)
        try:
            if self._lost is not None:
                lost(self._lost)
            yield
        finally:
            self._listeners.remove(lost)

    def _lose(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
            for tell in list(self._listeners):
                tell(reason)
            for waiting in list(self._waiting):
                waiting.cancel()

    # --- the work ---

    async def download(self, url: str, target: Path, *, hold: bool = False, expected_size: int | None = None) -> Moved:
        try:
            done: jobs.Fetched = await self._run("fetch", jobs.SignedUrl(url), str(target), priority=FETCHES)
        except (_LostError, _DeadlyError):
            return await self._here.download(url, target, hold=hold, expected_size=expected_size)
        if expected_size is not None and done.size != expected_size:
            await asyncio.to_thread(Path(done.attempt).unlink, missing_ok=True)
            raise ExecutorError(
                f"{target.name}: {done.size} bytes came where {expected_size} were expected", code="executor.wrong-size"
            )
        await asyncio.to_thread(Path(done.attempt).rename, target)
        return Moved(done.sha256, done.size, done.media_type)

    async def upload(self, url: str, source: Path | Entry, content_type: str) -> Moved:
        given = source if isinstance(source, Entry) else str(source)
        try:
            done = await self._run("send", jobs.SignedUrl(url), given, content_type, priority=SENDS)
        except (_LostError, _DeadlyError, _NoObjectsError):
            return await self._here.upload(url, source, content_type)
        return Moved(*done)

    async def hash(self, place: Path | Entry) -> str:
        given = place if isinstance(place, Entry) else str(place)
        try:
            found: str = await self._run("digest", given, priority=PIXELS)
        except (_LostError, _DeadlyError, _NoObjectsError):
            return await self._here.hash(place)
        return found

    async def publish(self, source: Path, url: ObjectUrl, *, sha256: str, media_type: str, over: Entry | None) -> Entry:
        try:
            done: Entry = await self._run("publish", str(source), url, sha256, media_type, over, priority=FETCHES)
        except (_LostError, _DeadlyError, _NoObjectsError):
            return await self._here.publish(source, url, sha256=sha256, media_type=media_type, over=over)
        return done

    async def pixels(self, function: str, *args: Any) -> Any:
        """Once the scheduler is lost no picture is begun: it costs nothing to do it in the next run."""
        try:
            attempt, value = await self._run("pixels", function, args, priority=PIXELS)
        except _LostError as error:
            raise StoppedError from error
        except (_DeadlyError, _NoObjectsError):
            return await self._here.pixels(function, *args)
        if attempt is None:
            return value
        return await asyncio.to_thread(_publish, Path(attempt), Path(args[jobs.PLACES[function]]), value)

    async def _run(self, work: str, *arguments: Any, priority: int) -> Any:
        """One job, until a worker has done it. What it was refused with is raised here."""
        if self._client is None:
            raise ExecutorError("the executor is not open", code="executor.closed")
        async with self._heeding_loss():
            future = self._client.submit(
                jobs.perform,
                jobs.Job(work, arguments),
                key=f"speedpix-{work}-{uuid4().hex}",  # told to everybody: holds no path and no URL
                pure=False,
                retries=RETRIES,
                priority=priority,
            )
            try:
                outcome = await self._outcome(future)
            finally:
                if not future.done() and self._lost is None:
                    self._call_off(future)
                future.release()
        if isinstance(outcome, jobs.Refused):
            if _cannot_reach_objects(outcome.error):
                raise _NoObjectsError from outcome.error
            raise outcome.error
        return outcome.value

    def _call_off(self, future: Any) -> None:
        """Nobody wants this job any more. Whoever leaves does not wait until the scheduler has heard of it."""
        farewell = asyncio.ensure_future(future.cancel())
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    @contextlib.asynccontextmanager
    async def _heeding_loss(self) -> AsyncIterator[None]:
        """Dask's ways of saying that it is gone, or that a job is deadly, become ours."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed.client import ClosedClientError

        if self._lost is not None:
            raise _LostError
        try:
            yield
        except KilledWorker as error:
            raise _DeadlyError from error
        except (CancelledError, ClosedClientError, OSError) as error:
            self._lose(f"the Dask scheduler at {self._address} is lost")
            raise _LostError from error

    async def _outcome(self, future: Any) -> Any:
        waiting = asyncio.ensure_future(future.result())
        self._waiting.add(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._lost is None or (task is not None and task.cancelling()):
                raise
            raise _LostError from None
        finally:
            self._waiting.discard(waiting)

    async def aclose(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        client, self._client = self._client, None
        if self._farewells:
            await asyncio.wait(set(self._farewells), timeout=FAREWELL_SECONDS)
        if client is not None:
            with contextlib.suppress(OSError, TimeoutError):
                await client.close(timeout=FAREWELL_SECONDS if self._lost is None else 0)
        await self._here.aclose()


def _cannot_reach_objects(error: Exception) -> bool:
    """Whether this machine may do better than the worker: not where the object itself is another by now, or gone."""
    if isinstance(error, ChangedObjectError | TakenError):
        return False
    return isinstance(error, StorageError) or (isinstance(error, UsageError) and error.code == "usage.extra")


def check_worker(address: str, answer: Any, word: str, folder: Path) -> None:
    """One worker's answer to the probe: a UsageError that names the worker if it cannot work for us."""
    if isinstance(answer, BaseException):
        raise UsageError(
            f"the worker at {address} cannot run speedpix-pipe: {type(answer).__name__}: {answer}",
            code="executor.worker",
            hint=f"install speedpix-pipe {__version__} where the workers run",
        )
    version, seen = answer
    if version != __version__:
        raise UsageError(
            f"the worker at {address} has speedpix-pipe {version}, this is {__version__}",
            code="executor.version",
            hint="install the same version on every worker",
        )
    if seen != word:
        raise UsageError(
            f"the worker at {address} does not see {folder}",
            code="executor.not-shared",
            hint="the state folder and the files must be shared with all workers under the same paths: docs/dask.md",
        )


def _publish(attempt: Path, target: Path, value: Any) -> Any:
    """What an attempt made gets the name that was asked for."""
    if not attempt.is_dir():
        attempt.rename(target)
        return value
    path, facts = value
    for made in attempt.iterdir():
        made.rename(target / made.name)
    attempt.rmdir()
    return str(target / Path(path).name), facts
