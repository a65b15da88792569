"""Hundreds of kills: `python tests/crash/many.py [--kills 200] [--seed 1]`. Says what held, or what did not."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.crash.scene import Scene, emulator, some_kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=5, help="kills in one folder before it is checked")
    args = parser.parse_args()
    choose = random.Random(args.seed)
    kills = scenes = unknown = predictions = 0
    most = 0
    points: Counter[str] = Counter()
    began = time.monotonic()
    with emulator() as url, tempfile.TemporaryDirectory() as folder:
        while kills < args.kills:
            scene = Scene(Path(folder) / f"scene{scenes}", url)
            some_kills(scene, choose, args.each)
            last = scene.finish("resume")
            scene.check_resumed(last)
            unknown += last["tasks"]["unknown"]
            predictions += scene.predictions().total()
            scene.check_redone()
            kills, scenes, points = kills + scene.kills, scenes + 1, points + scene.died_at
            most = max(most, scene.most_in_window)
            print(f"{kills} kills in {scenes} folders, {unknown} unknown, nothing paid twice", flush=True)
    print(
        f"survived {kills} kills in {time.monotonic() - began:.0f} s: {predictions} predictions, {unknown} listed as "
        f"unknown and all done after redo, at most {most} in their window at once"
    )
    for point, times in points.most_common():
        print(f"  {times:4} at {point}")


if __name__ == "__main__":
    main()
