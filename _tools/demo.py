"""`make demo`: a dozen product photos through the main pipeline, on the embedded emulator."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from speedpix_pipe.cli import main
from speedpix_pipe.emulator.photos import render_product_photos

PIPELINES = Path(__file__).resolve().parent.parent / "pipelines"
INBOX = Path("inbox")
RESULTS = Path("out/product-shots")


def demo() -> int:
    if not any(INBOX.glob("*.jpg")):
        print("rendering twelve product photos ...", file=sys.stderr)
        INBOX.mkdir(parents=True, exist_ok=True)
        render_product_photos(INBOX)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123 - the list of 37 files
        code = main(["run", "product-shots.yaml", "--local", "--yes"])
    gallery = RESULTS / "gallery.html"
    code = main(["report", "-o", str(gallery)]) or code
    if code == 0:
        print()
        print(f"photos     pipelines/{INBOX}/")
        print(f"pictures   pipelines/{RESULTS}/  (white/, studio/, beach/, sheet.png)")
        print(f"gallery    pipelines/{gallery}  (open it in a browser)")
        print("run `make demo` again: everything comes from the cache and nothing is paid twice")
    return code


if __name__ == "__main__":
    os.chdir(PIPELINES)
    sys.exit(demo())
