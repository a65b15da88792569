"""How often and how much is uploaded: `python tests/bench/uploads.py [--tasks 500] [--files 20] [--size 200000]`.

So many tasks share so few files; every file should go up once, and nothing in the run after it that asks for more.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from speedpix_pipe.app.request import RunRequest, SpecRequest
from speedpix_pipe.app.run import run
from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread
from speedpix_pipe.settings import load_settings

SPEC = """\
apiVersion: speedpix-pipe/v1
name: uploads
params: {times: {type: integer, default: 25}}
limits: {concurrency: 64}
steps:
  step:
    workflow: stylize
    for_each: ${{ glob('in/*.bin') }}
    matrix: {number: "${{ range(params.times) }}"}
    input: {image: "${{ item }}", style: "s${{ matrix.number }}"}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--size", type=int, default=200_000)
    args = parser.parse_args()
    times = args.tasks // args.files
    with tempfile.TemporaryDirectory() as name, EmulatorThread(EmulatorOptions(fast=True)) as emulator:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(args.files):
            (folder / "in" / f"{number}.bin").write_bytes(os.urandom(args.size))
        (folder / "pipeline.yaml").write_text(SPEC, encoding="utf-8")
        environment = {
            "SPEEDPIX_APP_KEY": "local",
            "SPEEDPIX_APP_SECRET": "local",
            "SPEEDPIX_ENDPOINT": emulator.url,
        }
        settings = load_settings(None, environment)
        for count in (times, times + 1):  # the second run asks for one more of each file
            request = RunRequest(SpecRequest(Path("pipeline.yaml"), folder, settings, params={"times": [str(count)]}))
            before, began = emulator.counters, time.perf_counter()
            outcome = asyncio.run(run(request, lambda *_: []))
            now = emulator.counters
            done = {status.value: count for status, count in outcome.summary.tasks.items() if count}
            print(
                f"{done} in {time.perf_counter() - began:.1f} s: {now['uploads'] - before['uploads']} uploads, "
                f"{(now['upload_bytes'] - before['upload_bytes']) / 1e6:.1f} MB, "
                f"{now['predictions'] - before['predictions']} predictions"
            )


if __name__ == "__main__":
    main()
