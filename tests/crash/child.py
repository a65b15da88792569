"""One process that is going to be killed: `run`, `resume` or `redo` of the spec in the current folder.

    python child.py MODE [POINT COUNT]

With a POINT it kills itself when that durable step is passed for the COUNTth time; else somebody else does. What
the run came to is printed as one line of JSON, if it comes to an end.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from pathlib import Path

from speedpix_pipe.app import redo as redoing
from speedpix_pipe.app import run as running
from speedpix_pipe.app.redo import RedoRequest, redo
from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.settings import load_settings
from speedpix_pipe.store import Store

HERE = Path.cwd()


class DyingStore(Store):
    """A store whose process dies at a point."""

    hook = None

    @classmethod
    def open(cls, folder, **options):
        if options.get("write", True):
            options["hook"] = cls.hook
        return super().open(folder, **options)


def dies_at(point: str, count: int):
    passed = itertools.count(1)

    def hook(name: str) -> None:
        if name == point and next(passed) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


async def main(mode: str):
    settings = load_settings(None, dict(os.environ))
    if mode == "redo":
        request = RedoRequest(state_folder=HERE / ".speedpix", settings=settings, unknown=True)
        return await redo(request, lambda *_: [])
    spec = SpecRequest(Path("pipeline.yaml"), HERE, settings)
    return await running.run(RunRequest(spec, resume=mode == "resume"), lambda *_: [])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        DyingStore.hook = staticmethod(dies_at(sys.argv[2], int(sys.argv[3])))
    running.Store = redoing.Store = DyingStore
    outcome = asyncio.run(main(sys.argv[1]))
    print(json.dumps(outcome.summary.to_json() | {"exit": outcome.exit_code}))
