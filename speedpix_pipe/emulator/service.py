"""The service behind the routes: tasks, bucket, faults and counters of one emulator, on one event loop.

Pixels are worked in a small thread pool (Pillow releases the interpreter lock in most of its C code), so that the
loop goes on answering. What a prediction answers is computed once, however often it is asked for.
"""

import asyncio
import functools
import os
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from speedpix_pipe.emulator.clock import Clock
from speedpix_pipe.emulator.faults import FaultPlan
from speedpix_pipe.emulator.fetching import Fetcher
from speedpix_pipe.emulator.options import EmulatorOptions, ScriptedWorkflow
from speedpix_pipe.emulator.signing import Gatekeeper
from speedpix_pipe.emulator.storage import Bucket
from speedpix_pipe.emulator.tasks import Task, TaskFailure, TaskQueue
from speedpix_pipe.emulator.workflows import WORKFLOWS
from speedpix_pipe.emulator.workflows.base import Artifact, DefaultImages, Inputs, WorkflowError

__all__ = ["Service", "StoredFile"]

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
# The smallest PNG there is, one grey pixel: what `fast` answers.
TINY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63a80700008200812d0b57f00000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file object of a result before it gets its URL, which is new for every answer."""

    key: str
    artifact_format: str
    width: int | None
    height: int | None
    kind: str
    preview_key: str | None = None


class Service:
    def __init__(self, options: EmulatorOptions, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.bucket = Bucket()
        self.faults = FaultPlan(options.faults)
        self.gatekeeper = Gatekeeper({**options.accounts, options.app_key: options.app_secret})
        self.counters: Counter[str] = Counter()
        self.workers = max(2, min(4, os.cpu_count() or 2))
        self.queue = TaskQueue(options.slots, options.latency, options.jitter)
        self._fetcher = Fetcher(self.bucket, clock)
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="emulator")
        self._open_jobs: set[asyncio.Future[Any]] = set()

    def open(self, base_url: str) -> None:
        self.bucket.open(base_url)
        tiny = Artifact(TINY_PNG, "png", 1, 1)
        self._fast_answer = {"images": self._store(tiny, "fast", "fast")}

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._open_jobs:
            await asyncio.wait(self._open_jobs, timeout=5)
        self.bucket.close()

    def reset(self) -> None:
        """As freshly started; stored files stay readable for who still holds their URLs."""
        self.queue.clear()
        self.faults.clear()
        self.faults.fired.clear()
        self.gatekeeper.forget()
        self.counters.clear()

    def find_workflow(self, workflow_id: str) -> ScriptedWorkflow | None:
        scripted = self.options.workflows.get(workflow_id)
        if scripted is not None:
            return scripted
        known = WORKFLOWS.get(workflow_id)
        return known.run if known is not None else None

    async def ask_fallback(self, workflow_id: str, inputs: dict[str, Any]) -> Any:
        if self.options.fallback is None:
            return None
        return await self._in_pool(functools.partial(self.options.fallback, workflow_id, inputs))

    def start(
        self, workflow_id: str, inputs: Mapping[str, Any], run: ScriptedWorkflow, *, return_temp_files: bool
    ) -> Task:
        """Create a prediction and begin to compute it; from here on it has been paid for."""
        now = self.clock.now()
        task = self.queue.add(new_ulid(now), workflow_id, inputs, now, self.workers)
        task.return_temp_files = return_temp_files
        self.counters["predictions"] += 1
        if self.options.fast:
            task.answer = self._fast_answer
            self.queue.computed(task, now, 0.0)
        else:
            job = self._in_pool(functools.partial(self._compute, task, run))
            job.add_done_callback(functools.partial(self._finished, task))
        return task

    def _in_pool(self, work: Any) -> asyncio.Future[Any]:
        job = asyncio.get_running_loop().run_in_executor(self._pool, work)
        self._open_jobs.add(job)
        job.add_done_callback(self._open_jobs.discard)
        return job

    def _compute(self, task: Task, run: ScriptedWorkflow) -> tuple[Any, float]:
        """In a worker thread: run the workflow and store what it made."""
        begin = time.perf_counter()
        answer = run(Inputs(task.inputs, self._fetcher))
        stored = self._store_all(answer, task)
        return stored, time.perf_counter() - begin

    def _finished(self, task: Task, job: asyncio.Future[tuple[Any, float]]) -> None:
        if job.cancelled():
            return
        error = job.exception()
        seconds = 0.0
        if error is None:
            task.answer, seconds = job.result()
        elif task.failure is None:
            known = isinstance(error, WorkflowError)
            code = error.code if isinstance(error, WorkflowError) else "Emulator.WorkflowCrashed"
            task.failure = TaskFailure(code, str(error) if known else f"{type(error).__name__}: {error}")
        self.queue.computed(task, self.clock.now(), seconds)

    def _store_all(self, value: Any, task: Task, name: str = "output") -> Any:
        """The answer with every artifact replaced by a stored file."""
        if isinstance(value, Artifact):
            return self._store(value, task.id, name, with_preview=task.return_temp_files)
        if isinstance(value, DefaultImages):
            return tuple(self._store(one, task.id, f"image_{n}") for n, one in enumerate(value.images, 1))
        if isinstance(value, Mapping):
            return {str(key): self._store_all(part, task, str(key)) for key, part in value.items()}
        if isinstance(value, list):
            return [self._store_all(part, task, f"{name}_{n}") for n, part in enumerate(value, 1)]
        return value

    def _store(self, artifact: Artifact, owner: str, name: str, *, with_preview: bool = False) -> StoredFile:
        extension = "jpg" if artifact.format == "jpeg" else artifact.format
        stem = "".join(c if c.isalnum() else "_" for c in name)[:60]
        key = f"result/{owner}/{stem}.{extension}"
        self.bucket.keep(key, artifact.content_type, artifact.content)
        preview = None
        if with_preview:
            preview = f"result/{owner}/{stem}.preview.{extension}"
            self.bucket.keep(preview, artifact.content_type, artifact.content)
        return StoredFile(key, artifact.format, artifact.width, artifact.height, artifact.kind, preview)

    def file_object(self, file: StoredFile, ttl: float) -> dict[str, Any]:
        """The file object of a result, with URLs that live `ttl` seconds from now."""
        expires = self.clock.now() + ttl
        shown: dict[str, Any] = {
            "filename": file.key.rpartition("/")[2],
            "object_key": file.key,
            "format": file.artifact_format,
            "width": file.width,
            "height": file.height,
            "type": file.kind,
        }
        if file.preview_key is not None:
            shown["preview"] = self.bucket.get_url(file.preview_key, expires)
        shown["url"] = self.bucket.get_url(file.key, expires)
        return shown


def new_ulid(now: float) -> str:
    """26 characters, lower case, sorted by time, as the service's task ids look."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))
