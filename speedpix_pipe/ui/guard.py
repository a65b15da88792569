"""Who may ask the live page what.

It listens on loopback, but so does everything else here: other users of this machine, and every web page that a
browser on it shows. So a request must name us as its host (no name that was bent to 127.0.0.1), must not come from
another page, and must come from a process of the same user or carry the token. To change something, the token is
needed in any case; the link that the terminal prints has it.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN_HEADER = "x-speedpix-token"  # noqa: S105 - the name of a header
READING = frozenset({"GET", "HEAD"})
SOCKETS = Path("/proc/net/tcp")
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """Stands before the application. `refusal` says why a request is turned away, or nothing."""

    def __init__(self, app: ASGIApp, *, port: int, token: str, uid_of: Callable[[int, int], int | None]) -> None:
        self._app = app
        self._port = port
        self._token = token
        self._uid_of = uid_of
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # lifespan
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        scope["may_change"] = self._has_token(headers)
        why = self.refusal(scope["method"], scope["path"], headers, scope.get("client"), known=scope["may_change"])

        async def send_on(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_ALWAYS]}
            await send(message)

        if why:
            await _refuse(why, send_on)
        else:
            await self._app(scope, receive, send_on)

    def refusal(
        self, method: str, path: str, headers: dict[str, str], client: tuple[str, int] | None, *, known: bool
    ) -> str:
        if headers.get("host", "").lower() not in self._hosts:
            return "this address is not ours"
        origin = headers.get("origin")
        if origin is not None and origin.removeprefix("http://").lower() not in self._hosts:
            return "another page may not ask this"
        opened = method == "GET" and path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not opened:
            return "another page may not ask this"
        if method not in READING and not known:
            return "to change something, open the link that the terminal printed: it has the token"
        if not known and path != "/" and not self._is_us(client):
            return "another user may not ask this without the token"
        return ""

    def _is_us(self, client: tuple[str, int] | None) -> bool:
        return client is not None and self._uid_of(client[1], self._port) == os.getuid()

    def _has_token(self, headers: dict[str, str]) -> bool:
        given = headers.get(TOKEN_HEADER) or _cookie(headers.get("cookie", ""), cookie_name(self._port))
        return self.is_token(given)

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def cookie_name(port: int) -> str:
    """Cookies do not know ports, so the name does."""
    return f"speedpix-pipe-{port}"


def _cookie(text: str, name: str) -> str:
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def uid_of_socket(port: int, server_port: int, table: str | None = None) -> int | None:
    """Whose process is at the other end of a loopback connection, by the kernel's own table."""
    if table is None:
        try:
            table = SOCKETS.read_text("ascii")
        except OSError:
            return None
    ours, theirs = f":{port:04X}", f":{server_port:04X}"
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1].endswith(ours) and fields[2].endswith(theirs):
            return int(fields[7])
    return None


async def _refuse(why: str, send: Any) -> None:
    body = why.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
