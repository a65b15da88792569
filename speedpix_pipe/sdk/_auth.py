"""Signing a request the way Alibaba's API gateway wants it, as an `httpx.Auth`.

Clock and nonce are arguments. Signing is the last thing before a request leaves: every attempt is signed afresh, since
a nonce is accepted once and a timestamp for 15 minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import time as _time
from collections.abc import Callable, Generator, Mapping
from functools import lru_cache
from typing import Final

import httpx

MEDIA_TYPE: Final = "application/json; charset=utf-8"
_SIGNED: Final = "x-ca-timestamp,x-ca-key,x-ca-nonce,x-ca-signature-method"
_METHOD: Final = "HmacSHA256"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LINES: Final = ("the method", "Accept", "Content-MD5", "Content-Type", "Date")


def http_date(seconds: float) -> str:
    """English whatever the locale, with the zone spelled as the service's own clients spell it."""
    return _http_date(int(seconds // 1))


@lru_cache(maxsize=8)  # hundreds of calls fall into one second
def _http_date(seconds: int) -> str:
    t = _time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02d} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04d} "
        f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} GMT+00:00"
    )


def content_md5(body: bytes) -> str:
    """Not a security measure of ours: the gateway's protocol asks for MD5."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def string_to_sign(method: str, headers: Mapping[str, str], path: str) -> str:
    """What the gateway rebuilds from the headers it received."""
    lines = [method.upper(), *(headers.get(name, "") for name in ("accept", "content-md5", "content-type", "date"))]
    names = [name for name in headers.get("x-ca-signature-headers", "").split(",") if name]
    lines += [f"{name}:{headers.get(name, '')}" for name in sorted(names)]
    lines.append(path)
    return "\n".join(lines)


@lru_cache(maxsize=8)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod="sha256")


def signature(secret: str, text: str) -> str:
    # Not `hmac.digest`: it lets go of the interpreter, and has to get it back from whatever else goes on.
    made = _keyed(secret).copy()
    made.update(text.encode())
    return base64.b64encode(made.digest()).decode()


def sign_headers(app_key: str, secret: str, path: str, body: bytes, *, now: float, nonce: str) -> list[tuple[str, str]]:
    """The headers of one signed POST. One reading of the clock makes both date and timestamp."""
    timestamp, date, md5 = str(int(now * 1000)), http_date(now), content_md5(body) if body else ""
    text = (
        f"POST\n{MEDIA_TYPE}\n{md5}\n{MEDIA_TYPE}\n{date}\nx-ca-key:{app_key}\nx-ca-nonce:{nonce}\n"
        f"x-ca-signature-method:{_METHOD}\nx-ca-timestamp:{timestamp}\n{path}"
    )
    headers = [
        ("date", date),
        ("x-ca-key", app_key),
        ("x-ca-timestamp", timestamp),
        ("x-ca-nonce", nonce),
        ("x-ca-signature-method", _METHOD),
        ("x-ca-signature-headers", _SIGNED),
        ("Content-Type", MEDIA_TYPE),
        ("Accept", MEDIA_TYPE),
        ("x-ca-signature", signature(secret, text)),
    ]
    if md5:
        headers.append(("content-md5", md5))
    return headers


_randomness: list[str] = []
os.register_at_fork(after_in_child=_randomness.clear)  # two processes must not sign with the same nonces


def new_nonce() -> str:
    """A UUID of version 4. Randomness comes from the system for 64 at a time: asking for it is what takes longest."""
    try:
        text = _randomness.pop()
    except IndexError:
        fresh = os.urandom(64 * 16).hex()
        _randomness.extend([fresh[start : start + 32] for start in range(32, len(fresh), 32)])
        text = fresh[:32]
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


class SpeedPixAuth(httpx.Auth):
    """Signs each request with one application's key and secret. `offset` corrects this machine's clock."""

    requires_request_body = True

    def __init__(
        self,
        app_key: str,
        app_secret: str,
        *,
        clock: Callable[[], float] = _time.time,
        nonce: Callable[[], str] = new_nonce,
    ) -> None:
        self.app_key = app_key
        self._secret = app_secret
        self._clock = clock
        self.nonce = nonce
        self.offset = 0.0

    def __repr__(self) -> str:
        return f"SpeedPixAuth({self.app_key!r}, '***')"

    def hidden(self, text: str) -> str:
        """A text of the service without our key, where it stands as it was signed."""
        return re.sub(f"(x-ca-key:){re.escape(self.app_key)}", r"\1***", text, flags=re.IGNORECASE)

    def now(self) -> float:
        """The service's time, as far as we know it."""
        return self._clock() + self.offset

    def headers(self, path: str, body: bytes) -> list[tuple[str, str]]:
        return sign_headers(self.app_key, self._secret, path, body, now=self.now(), nonce=self.nonce())

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        signed = self.headers(request.url.raw_path.decode("ascii"), request.content)
        names = {name.lower() for name, _ in signed}
        kept = [(name, value) for name, value in request.headers.multi_items() if name.lower() not in names]
        request.headers = httpx.Headers(kept + signed)
        yield request


def compare(ours: str, server_message: str) -> str | None:
    """Where the server's string to sign, quoted in its refusal, differs from ours; None if it quoted none.

    The gateway puts `#` for line feeds, or drops them; both forms are compared.
    """
    start, end = server_message.find("`"), server_message.rfind("`")
    if start < 0 or end <= start + 1:
        return None
    theirs = server_message[start + 1 : end]
    if theirs in (ours.replace("\n", "#"), ours.replace("\n", ""), ours):
        return "both sides signed the same text, so the secret is wrong"
    our_lines, their_lines = ours.split("\n"), theirs.split("#" if "#" in theirs else "\n")
    if len(their_lines) == 1:
        at = next((i for i, (a, b) in enumerate(zip(ours.replace("\n", ""), theirs, strict=False)) if a != b), None)
        return f"the signed texts differ from character {at} on; the service signed {theirs!r}"
    for number, line in enumerate(our_lines):
        other = their_lines[number] if number < len(their_lines) else ""
        if line != other:
            last = number == len(our_lines) - 1
            name = _LINES[number] if number < len(_LINES) else "the path" if last else line.partition(":")[0]
            return f"line {number + 1} ({name}) differs: we signed {line!r}, the service saw {other!r}"
    return f"the service signed more lines than we did: {their_lines[len(our_lines) :]!r}"
