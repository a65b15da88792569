"""`run` and `async_run` without a client of one's own: a default one, made from the environment when first needed."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from speedpix_pipe.sdk._async.client import AsyncSpeedPix
from speedpix_pipe.sdk._twins import SpeedPix
from speedpix_pipe.sdk.errors import ConfigurationError

_lock = threading.Lock()
_defaults: dict[str, SpeedPix | AsyncSpeedPix] = {}
_ours: list[SpeedPix] = []
_busy: dict[AsyncSpeedPix, int] = {}


@atexit.register
def _close_ours() -> None:
    """The client made here is closed here, when it is replaced or the process ends."""
    while _ours:
        _ours.pop().close()


def get_default_client() -> SpeedPix | AsyncSpeedPix:
    """The client behind the module's `run` and `async_run`."""
    with _lock:
        if "client" not in _defaults:
            made = SpeedPix()
            _defaults["client"] = made
            _ours.append(made)
        return _defaults["client"]


def set_default_client(client: SpeedPix | AsyncSpeedPix | None) -> None:
    """Replace it; None makes the next call read the environment again. A client of yours is not closed."""
    with _lock:
        _defaults.pop("client", None)
        _close_ours()
        if client is not None:
            _defaults["client"] = client


def run(workflow_id: str, input: Any, *, client: SpeedPix | None = None, **options: Any) -> Any:  # noqa: A002  # as everywhere
    """`SpeedPix.run`, with all its options, on the default client or on `client`."""
    chosen = client or get_default_client()
    if not isinstance(chosen, SpeedPix):
        raise ConfigurationError("the default client is asynchronous: await async_run, or pass client=SpeedPix(...)")
    return chosen.run(workflow_id, input, **options)


async def async_run(
    workflow_id: str,
    input: Any,  # noqa: A002  # as everywhere
    *,
    client: SpeedPix | AsyncSpeedPix | None = None,
    **options: Any,
) -> Any:
    """The same for coroutines. The default client's connections are closed when its last run ends."""
    chosen = client or get_default_client()
    face: AsyncSpeedPix
    call: Callable[..., Awaitable[Any]]
    if isinstance(chosen, SpeedPix):
        face, call = chosen.asynchronous(), chosen.async_run
    else:
        face, call = chosen, chosen.run
    _busy[face] = _busy.get(face, 0) + 1
    try:
        return await call(workflow_id, input, **options)
    finally:
        _busy[face] -= 1
        if not _busy[face]:
            del _busy[face]
            if client is None:
                # Nobody else will: the event loop may end with this call.
                await face.aclose()
