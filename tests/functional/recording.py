"""An emulator that writes down every request it gets, before it answers as ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread
from speedpix_pipe.emulator.server import Emulator

CONTROL = "/_emulator/"
_NAMES = {
    "/scc/comfy_prompt": "submit",
    "/scc/comfy_get_progress": "progress",
    "/scc/comfy_get_result": "result",
    "/scc/sp_create_temp_file_upload_sign": "ticket",
}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. Header names are in small letters."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def what(self) -> str:
        return _NAMES.get(self.path, self.method.lower())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Content:
    """A body that was read already, for whoever reads it next."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), size):
            yield self._body[start : start + size]


class _Request:
    """The request with its body put back."""

    def __init__(self, request: web.BaseRequest, body: bytes) -> None:
        self._request = request
        self.content = _Content(body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


class _Recorder(Emulator):
    def __init__(self, options: EmulatorOptions, seen: list[Seen]) -> None:
        super().__init__(options)
        self._seen = seen

    async def _handle(self, request: Any) -> web.StreamResponse:
        body = await request.content.read()
        path, _, query = request.raw_path.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._seen.append(Seen(request.method, path, query, headers, body))
        return await super()._handle(_Request(request, body))  # type: ignore[arg-type]  # it is one, but for its body


class RecordingEmulator(EmulatorThread):
    """`seen` has every request so far, in order; control calls stand there too, as marks between scenes."""

    def __init__(self, options: EmulatorOptions | None = None) -> None:
        super().__init__(options)
        self.seen: list[Seen] = []

    async def _serve(self) -> None:
        stop = asyncio.Event()
        async with _Recorder(self.options, self.seen) as emulator:
            self._ready.set_result((emulator, asyncio.get_running_loop(), stop))
            await stop.wait()

    def scenes(self) -> dict[str, list[Seen]]:
        """The requests by scene: a scene begins with a control call that names it, `?scene=NAME`."""
        scenes: dict[str, list[Seen]] = {}
        current: list[Seen] = []
        for seen in self.seen:
            if seen.path.startswith(CONTROL):
                current = scenes.setdefault(seen.query.removeprefix("scene="), [])
            else:
                current.append(seen)
        return scenes
