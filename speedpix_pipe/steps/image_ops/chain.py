"""The operations of one step, one after the other, from files to one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from speedpix_pipe.fonts import FontError
from speedpix_pipe.model import Json
from speedpix_pipe.steps.image_ops import OPERATIONS, contact_sheet
from speedpix_pipe.steps.image_ops.base import ImageFacts, Picture, PictureError, Pictures
from speedpix_pipe.steps.image_ops.options import filled
from speedpix_pipe.steps.image_ops.reading import read
from speedpix_pipe.steps.image_ops.writing import write


def run(
    operations: Sequence[tuple[str, Mapping[str, Json]]], inputs: Sequence[tuple[str, str]], folder: Path
) -> tuple[Path, ImageFacts]:
    """Work the inputs (path, name) in this order and write `image.EXT`; more than one left is an error."""
    steps = [(name, filled(OPERATIONS[name].OPTIONS, options)) for name, options in operations]
    pictures = Pictures(len(inputs), _sources(inputs, _enough(steps)))
    try:
        for name, options in steps:
            pictures = OPERATIONS[name].apply(pictures, options)
        if pictures.count != 1:
            raise PictureError(
                f"{pictures.count} pictures are left after the last operation, and an image step gives one",
                hint="end with contact-sheet or composite, or make a task for each picture with for_each",
            )
        return write(next(pictures.stream), folder, "image")
    except FontError as error:
        raise PictureError(error.message, hint=error.hint) from error


def _sources(inputs: Sequence[tuple[str, str]], enough: int | None) -> Iterator[Picture]:
    for path, name in inputs:
        yield read(Path(path), name, enough=enough)


def _enough(steps: Sequence[tuple[str, Mapping[str, Json]]]) -> int | None:
    """How large pictures need to be for a contact sheet that comes first: twice its cells, for sharpness."""
    if steps and steps[0][0] == "contact-sheet":
        return 2 * max(contact_sheet.cell_of(steps[0][1]))
    return None
