"""Enlarge a picture by a factor: Lanczos, then an unsharp mask as wide as the factor."""

from typing import Any

from PIL import Image, ImageFilter

from speedpix_pipe.emulator.workflows.base import MAX_PIXELS, Artifact, Inputs, WorkflowError

__all__ = ["run"]


def run(inputs: Inputs) -> dict[str, Any]:
    """Inputs: `image`, optional `factor` (2)."""
    picture = inputs.picture("image")
    factor = inputs.number("factor", 2, 1, 8)
    size = (round(picture.width * factor), round(picture.height * factor))
    if size[0] * size[1] > MAX_PIXELS:
        raise WorkflowError(f"{size[0]} x {size[1]} would be too large", "Emulator.InvalidInput")
    large = picture.resize(size, Image.Resampling.LANCZOS)
    sharp = large.filter(ImageFilter.UnsharpMask(radius=factor, percent=60, threshold=2))
    return {"images": Artifact.picture(sharp, "png" if sharp.mode == "RGBA" else "jpeg")}
