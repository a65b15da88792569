"""The operations of `image:` steps: one module each, named here by what the spec calls them.

The modules import Pillow when they work, not when they are read, so that validation stays quick.
"""

from __future__ import annotations

from collections.abc import Mapping

from speedpix_pipe.steps.image_ops import (
    composite,
    contact_sheet,
    convert,
    crop,
    pad,
    resize,
    strip,
    text,
)
from speedpix_pipe.steps.image_ops.base import Operation

OPERATIONS: Mapping[str, Operation] = {
    "resize": resize,
    "crop": crop,
    "pad": pad,
    "convert": convert,
    "composite": composite,
    "contact-sheet": contact_sheet,
    "text": text,
    "strip": strip,
}
