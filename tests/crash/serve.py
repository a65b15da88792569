"""The emulator in a process of its own: it counts what is paid for, whoever is killed meanwhile.

`stamp` answers a picture in the colour of the one it got, and `frame` one in the opposite colour; both say for
whom. `many` counts what nobody may do twice: predictions of one workflow for one name.
"""

from __future__ import annotations

import sys
import threading

from PIL import Image, ImageOps

from speedpix_pipe.emulator import Artifact, EmulatorOptions, EmulatorThread


def stamp(inputs):
    colour = inputs.picture("image").convert("RGB").getpixel((0, 0))
    return {"images": {"url": Artifact.picture(Image.new("RGB", (12, 12), colour))}, "name": inputs.text("name")}


def frame(inputs):
    colour = inputs.picture("image").convert("RGB").getpixel((0, 0))
    picture = ImageOps.invert(Image.new("RGB", (16, 16), colour))
    return {"images": {"url": Artifact.picture(picture)}, "name": inputs.text("name")}


if __name__ == "__main__":
    latency = float(sys.argv[1]) if len(sys.argv) > 1 else 0.03
    options = EmulatorOptions(workflows={"stamp": stamp, "frame": frame}, latency=latency, jitter=0.5)
    with EmulatorThread(options) as emulator:
        print(emulator.url, flush=True)
        threading.Event().wait()
