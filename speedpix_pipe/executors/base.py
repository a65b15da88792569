"""What an executor is: the place where bytes are moved and pixels worked, on this machine or on others.

Every job is idempotent: doing it twice leaves what doing it once leaves, so a lost worker costs time only. A
job writes only where its arguments say. Executors hold no credentials: URLs come in signed. Errors of a
transfer are the SDK's own (`steps` knows what a status means); everything else is an `ExecutorError`, a picture
that cannot be worked its `PictureError`.

The Protocol itself stands with those who call it, `steps.base`, on the floor below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from speedpix_pipe.steps.base import Executor, Moved
from speedpix_pipe.steps.image_ops.base import ImageFacts, PictureError

__all__ = ["Executor", "ImageFacts", "Moved", "OpenExecutor", "PictureError", "Sends"]


class Sends(Protocol):
    """What transfers need of an HTTP client: it sends a request and leaves the body to the caller."""

    async def send(self, request: Any, *, stream: bool = ...) -> Any: ...


OpenExecutor = Callable[..., Executor]  # called with `http` and `workers`
