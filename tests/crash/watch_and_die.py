"""A watcher that is killed at a step: `watch_and_die.py FOLDER STEP NTH`, or at none. Run by `test_claims_killed`."""

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.watch import WatchRequest, watch
from speedpix_pipe.settings import load_settings


def main() -> None:
    folder, at, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    passed: Counter[str] = Counter()

    def step(name: str) -> None:
        passed[name] += 1
        if name == at and passed[name] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    request = WatchRequest(RunRequest(SpecRequest(Path("hot.yaml"), folder, load_settings())), once=True, step=step)
    outcome = asyncio.run(watch(request, subscribe=lambda *_: [], tell=lambda line: print(line, flush=True)))
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
