"""Many pictures on one sheet, in rows, none of them cropped."""

import math
from typing import Any

from PIL import Image, ImageOps

from speedpix_pipe.emulator.workflows.base import Artifact, Inputs

__all__ = ["run"]

_CELL = (320, 240)
_GAP = 14
_PAPER = (246, 246, 244)


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `images`, optional `columns` (as square as possible)."""
    pictures = inputs.pictures("images")
    columns = inputs.integer("columns", math.ceil(math.sqrt(len(pictures))), 1, 40)
    rows = math.ceil(len(pictures) / columns)
    size = (_GAP + columns * (_CELL[0] + _GAP), _GAP + rows * (_CELL[1] + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    for number, picture in enumerate(pictures):
        small = ImageOps.contain(picture.convert("RGB"), _CELL, Image.Resampling.LANCZOS)
        left = _GAP + number % columns * (_CELL[0] + _GAP) + (_CELL[0] - small.width) // 2
        top = _GAP + number // columns * (_CELL[1] + _GAP) + (_CELL[1] - small.height) // 2
        sheet.paste(small, (left, top))
    return {"images": Artifact.picture(sheet, "jpeg")}
