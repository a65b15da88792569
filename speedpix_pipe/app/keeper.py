"""The blob store as one run sees it."""

from __future__ import annotations

from pathlib import Path

from speedpix_pipe.store import Blobs


class RunKeeper:
    """`steps.base.Keeper` over the store's blobs, with a work folder of the run's own."""

    def __init__(self, blobs: Blobs, run_id: str) -> None:
        self._blobs = blobs
        self._run_id = run_id
        self._work: Path | None = None

    @property
    def work(self) -> Path:
        if self._work is None:
            self._work = self._blobs.work_folder(self._run_id)
        return self._work

    def path(self, sha256: str) -> Path:
        return self._blobs.path(sha256)

    def has(self, sha256: str, size: int) -> bool:
        return self._blobs.has(sha256, size)

    async def adopt(self, part: Path, sha256: str, size: int) -> Path:
        return await self._blobs.adopt(part, sha256, size)

    async def keep(self, content: bytes, sha256: str) -> Path:
        return await self._blobs.keep(content, sha256, self.work)
