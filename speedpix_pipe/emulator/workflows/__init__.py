"""The emulator's workflows by id. Another one is a module with `run(inputs)` and a row here."""

from collections.abc import Mapping

from speedpix_pipe.emulator.workflows import (
    contact_sheet,
    describe,
    image_to_video,
    relight,
    stylize,
    text_to_image,
    upscale,
    variations,
    white_background,
)
from speedpix_pipe.emulator.workflows.base import Workflow

__all__ = ["WORKFLOWS"]

WORKFLOWS: Mapping[str, Workflow] = {
    "contact-sheet": contact_sheet,
    "describe": describe,
    "image-to-video": image_to_video,
    "relight": relight,
    "stylize": stylize,
    "text-to-image": text_to_image,
    "upscale": upscale,
    "variations": variations,
    "white-background": white_background,
}
