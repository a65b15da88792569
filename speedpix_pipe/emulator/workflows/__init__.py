"""The emulator's workflows by id. Another one is a module with `run(inputs)` and a row here."""

from collections.abc import Mapping

from speedpix_pipe.emulator.workflows import relight, upscale, white_background
from speedpix_pipe.emulator.workflows.base import Workflow

__all__ = ["WORKFLOWS"]

WORKFLOWS: Mapping[str, Workflow] = {
    "relight": relight,
    "upscale": upscale,
    "white-background": white_background,
}
