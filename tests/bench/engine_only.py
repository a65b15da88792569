"""speedpix-pipe with a kind of step that does nothing in the place of `workflow:`, so that only the engine is measured.

    python tests/bench/engine_only.py run spec.yaml --yes

Everything else is as ever: expressions, fingerprints, limits, journal, kept results. With `NOOP_FILES=1` each task
keeps a small file of its own, which the step may save. The step's kind is found by name when a run first needs it,
so none of the SDK is imported; `NOOP_CHECK=1` makes sure of that.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from speedpix_pipe.__main__ import leave
from speedpix_pipe.cli import main
from speedpix_pipe.model import KeptFile, Result, Step
from speedpix_pipe.plan.fingerprint import salt_of, workflow_fingerprint
from speedpix_pipe.spec.scope import Scope
from speedpix_pipe.steps import KINDS
from speedpix_pipe.steps.base import Job, Kit, Prepared
from speedpix_pipe.steps.rendered import input_files, shown

FILES = os.environ.get("NOOP_FILES") == "1"


class NoopKind:
    """Answers at once with the number after the one it was given."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.service = kit.service.name

    def prepare(self, step: Step, task: str, rendered: Mapping[str, Any], _scope: Scope) -> Prepared:
        assert step.workflow is not None
        kit = self._kit
        salt = salt_of(step, task, kit.run_id, cached=step.cache.enabled and not kit.no_cache)
        known = kit.service.digest_of
        fingerprint = workflow_fingerprint(
            step, step.workflow, rendered, service=self.service, known_url=known, salt=salt
        )
        return Prepared(fingerprint, rendered, shown(rendered), input_files(rendered))

    async def run(self, job: Job) -> Result:
        files = await self._file(job) if FILES else ()
        return Result({"n": job.prepared.input.get("n", 0) + 1}, files, None, self._kit.clock.now())

    async def _file(self, job: Job) -> tuple[KeptFile, ...]:
        data = f"{job.task}\n".encode()
        digest = hashlib.sha256(data).hexdigest()
        part = self._kit.keeper.work / f"{digest}.part"
        part.write_bytes(data)
        await self._kit.keeper.adopt(part, digest, len(data))
        return (KeptFile("file", digest, len(data), "text/plain", "txt"),)

    def accept(self, _job: Job) -> None:
        return

    def broken(self, step: Step, result: Result) -> list[str]:
        return []

    async def faults(self, _step: Step, _prepared: Prepared, _result: Result) -> list[str]:
        return []

    async def aclose(self) -> None:
        return


if __name__ == "__main__":
    sys.modules["engine_only"] = sys.modules["__main__"]
    KINDS["workflow"] = "engine_only:NoopKind"
    code = main(sys.argv[1:])
    if os.environ.get("NOOP_CHECK") == "1":
        assert not {"httpx", "aiohttp", "speedpix_pipe.sdk"} & sys.modules.keys()
    leave(code)
