"""The addresses of the live page: the page itself, questions as JSON, one stream of what changes, files by digest."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import PipeError
from speedpix_pipe.files.content import sniff
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.ui.desk import Desk
from speedpix_pipe.ui.guard import Guard, cookie_name, uid_of_socket
from speedpix_pipe.ui.page import render_page
from speedpix_pipe.words.messages import translated

LOOK_SECONDS = 0.4
RUNS_SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
PAGE_OF_TASKS = 100
LARGEST_BODY = 1 << 20
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # a digest never means anything else
_SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
_SHOWN = ("image/", "video/", "audio/", "text/plain", "application/json")


@dataclass(frozen=True, slots=True)
class Again:
    """What is to be made again: tasks by name, or all that failed; with other seeds if asked."""

    tasks: tuple[str, ...] = ()
    failed: bool = False
    new_seed: bool = False


@dataclass(frozen=True, slots=True)
class Acts:
    """What may be changed from the page, by run."""

    cancel: Callable[[str], None]
    redo: Callable[[str, Again], None] | None = None


class Site:
    """One page on one port. `closing` ends its streams."""

    def __init__(self, desk: Desk, acts: Acts, *, port: int, token: str, language: str, clock: Clock) -> None:
        self._desk = desk
        self._acts = acts
        self._port = port
        self._token = token
        self._language = language
        self._clock = clock
        self.closing = False

    def app(self) -> Any:
        routes = [
            Route("/", self._page),
            Route("/api/runs", self._runs),
            Route("/api/stream", self._stream),
            Route("/api/runs/{run}/graph", self._graph),
            Route("/api/runs/{run}/tasks", self._tasks),
            Route("/api/runs/{run}/task", self._task),
            Route("/api/runs/{run}/cancel", self._cancel, methods=["POST"]),
            Route("/api/runs/{run}/redo", self._redo, methods=["POST"]),
            Route("/small/{sha256}", self._small),
            Route("/file/{sha256}", self._file),
        ]
        handlers: dict[Any, Any] = {PipeError: self._refused}
        inner = Starlette(routes=routes, exception_handlers=handlers)
        return Guard(inner, port=self._port, token=self._token, uid_of=uid_of_socket)

    async def _page(self, request: Request) -> Response:
        given = request.query_params.get("token")
        if given is not None:  # kept in a cookie, so that it stands in no address bar, history or screenshot
            answer: Response = RedirectResponse("/", 303)
            if hmac.compare_digest(given.encode(), self._token.encode()):
                answer.set_cookie(cookie_name(self._port), given, httponly=True, samesite="strict")
            return answer
        page, policy = render_page(
            self._language, may_change=bool(request.scope["may_change"]), can_redo=self._acts.redo is not None
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return Response(page, media_type="text/html", headers=headers)

    async def _runs(self, request: Request) -> Response:  # noqa: ARG002 - the shape of a route
        return _json(await self._desk.ask(self._desk.runs))

    async def _graph(self, request: Request) -> Response:
        return _json(await self._desk.ask(self._desk.graph, request.path_params["run"]))

    async def _tasks(self, request: Request) -> Response:
        asked = request.query_params
        start = int(asked.get("start", "0")) if asked.get("start", "0").isdecimal() else 0
        step, status, text = (asked.get(name, "") for name in ("step", "status", "text"))
        run = request.path_params["run"]
        return _json(await self._desk.ask(self._desk.tasks, run, step, status, text, start, PAGE_OF_TASKS))

    async def _task(self, request: Request) -> Response:
        return _json(
            await self._desk.ask(self._desk.task, request.path_params["run"], request.query_params.get("task", ""))
        )

    # --- what changes ---

    async def _stream(self, request: Request) -> Response:
        lines = self._until_trouble(request.query_params.get("run", ""))
        return StreamingResponse(lines, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _until_trouble(self, run_id: str) -> AsyncIterator[str]:
        try:
            with self._desk.watching(run_id):
                async for message in self._changes(run_id):
                    yield message
        except PipeError:  # a run that is not, a state folder that went away: the browser asks again by itself
            return

    async def _changes(self, run_id: str) -> AsyncIterator[str]:
        """At most a message per look, however much happened; each says how things are, so none need be kept."""
        runs: list[dict[str, Json]] | None = None
        version, looked, said = -1, -RUNS_SECONDS, self._clock.monotonic()
        while not self.closing:
            now = self._clock.monotonic()
            if now - looked >= RUNS_SECONDS:
                looked, fresh = now, await self._desk.ask(self._desk.runs)
                if fresh != runs:
                    runs, said = fresh, now
                    yield _message("runs", runs)
            if run_id:
                version, state = await self._desk.ask(self._desk.now, run_id, version)
                if state is not None:
                    said = now
                    yield _message("run", state)
                    if not state["caught_up"]:
                        continue  # there is more to read: the picture fills as fast as that goes
            if now - said >= HEARTBEAT_SECONDS:
                said = now
                yield ": here\n\n"
            await self._clock.sleep(LOOK_SECONDS)

    # --- acts ---

    async def _cancel(self, request: Request) -> Response:
        await asyncio.to_thread(self._acts.cancel, request.path_params["run"])
        return _json({"done": True})

    async def _redo(self, request: Request) -> Response:
        if self._acts.redo is None:
            return _json({"error": "not from here"}, 404)
        again = _again(await _body(request))
        if again is None:
            return _json({"error": "tasks: a list of step@key; or failed: true"}, 400)
        await asyncio.to_thread(self._acts.redo, request.path_params["run"], again)
        return _json({"done": True})

    async def _refused(self, request: Request, error: Exception) -> Response:  # noqa: ARG002 - the shape of a handler
        assert isinstance(error, PipeError)
        said, hint = (translated(text, self._language) for text in (error.message, error.hint or ""))
        return JSONResponse({"error": said, "hint": hint or None, "code": error.code}, 409)

    # --- files ---

    async def _small(self, request: Request) -> Response:
        picture = await self._desk.thumbnail(request.path_params["sha256"])
        if picture is None:  # pruned, or no picture: the page shows what it is instead, and no error
            return Response(status_code=204)
        return Response(picture, media_type="image/webp", headers=_FOREVER)

    async def _file(self, request: Request) -> Response:
        path = self._desk.file(request.path_params["sha256"])
        if path is None:
            return Response(status_code=404)
        kind = await asyncio.to_thread(sniff, path)
        inline = kind.media_type.startswith(_SHOWN) and not kind.media_type.startswith("image/svg")
        disposition = "inline" if inline else "attachment"
        name = f"{request.path_params['sha256'][:12]}.{kind.extension}"
        return FileResponse(
            path,
            media_type=kind.media_type,
            filename=name,
            content_disposition_type=disposition,
            headers={**_FOREVER, **_SANDBOX},
        )


def _again(body: dict[str, Json]) -> Again | None:
    tasks, failed, new_seed = body.get("tasks", []), body.get("failed", False), body.get("new_seed", False)
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        return None
    if not isinstance(failed, bool) or not isinstance(new_seed, bool) or not (tasks or failed):
        return None
    return Again(tuple(tasks), failed, new_seed)


def _json(value: Json, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=True)  # a name that is no Unicode is escaped
    return Response(text, status, {"Cache-Control": "no-store"}, "application/json")


def _message(name: str, value: Json) -> str:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=True)}\n\n"


async def _body(request: Request) -> dict[str, Json]:
    text = b""
    async for piece in request.stream():
        text += piece
        if len(text) > LARGEST_BODY:
            return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
