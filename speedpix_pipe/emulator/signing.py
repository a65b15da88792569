"""The gateway's side of the digest signature: what it refuses, with which code, in which order.

Written from the description of the scheme and sharing nothing with the SDK, so that a mistake there cannot
agree with itself here. The string to sign is rebuilt from the headers as they arrived, never from constants.
"""

import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

__all__ = ["Gatekeeper", "Refusal", "server_string_to_sign", "sign"]

VALID_SECONDS = 900.0
_OWN_LINE = frozenset({"x-ca-signature", "x-ca-signature-headers", "accept", "content-md5", "content-type", "date"})
_DIGESTS: Mapping[str, Callable[..., object]] = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the gateway itself; `code` is empty where older instances send only a text."""

    status: int
    code: str
    message: str


def server_string_to_sign(method: str, target: str, headers: Mapping[str, str]) -> str:
    """The text that was signed, by the headers that arrived; `headers` must ignore the case of names."""
    listed = [name.strip() for name in headers.get("x-ca-signature-headers", "").split(",")]
    names = sorted(name for name in listed if name and name.lower() not in _OWN_LINE)
    lines = [
        method.upper(),
        headers.get("accept", ""),
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        headers.get("date", ""),
        *(f"{name}:{headers.get(name, '')}" for name in names),
        _signed_target(target),
    ]
    return "\n".join(lines)


def _signed_target(target: str) -> str:
    path, _, query = target.partition("?")
    if not query:
        return path
    pairs = sorted(parse_qsl(query, keep_blank_values=True), key=lambda pair: pair[0])
    return path + "?" + "&".join(f"{name}={value}" if value else name for name, value in pairs)


def sign(secret: str, text: str, method: str = "HmacSHA256") -> str:
    digest = hmac.new(secret.encode(), text.encode(), _DIGESTS[method])  # type: ignore[arg-type]  # hashlib's constructors
    return base64.b64encode(digest.digest()).decode("ascii")


class Gatekeeper:
    """Checks one request after another; remembers the nonces of the last quarter of an hour."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets  # by key
        self._nonces: set[tuple[str, str]] = set()
        self._by_age: deque[tuple[float, tuple[str, str]]] = deque()

    def forget(self) -> None:
        self._nonces.clear()
        self._by_age.clear()

    def check(self, method: str, target: str, headers: Mapping[str, str], body: bytes, now: float) -> Refusal | None:
        """None for a good request. The order is that of the protocol notes: key, time, nonce, body, signature."""
        key = headers.get("x-ca-key", "")
        if not key:
            return Refusal(400, "A400MA", "Need authorization, X-Ca-Key or Authorization is required")
        secret = self._secrets.get(key)
        if secret is None:
            return Refusal(400, "A400IK", "Invalid AppKey")
        signature = headers.get("x-ca-signature", "")
        if not signature:
            return Refusal(401, "", "Empty Signature")
        refusal = (
            self._stale(headers, now)
            or self._replayed(key, headers, now)
            or _wrong_md5(headers, body)
            or self._mismatch(secret, method, target, headers, signature)
        )
        if refusal is None:
            self._remember(key, headers, now)
        return refusal

    def _stale(self, headers: Mapping[str, str], now: float) -> Refusal | None:
        stamp = headers.get("x-ca-timestamp")
        if stamp is None:
            return None
        try:
            sent = int(stamp) / 1000
        except ValueError:
            return Refusal(400, "", "Invalid Timestamp")
        return Refusal(400, "", "Timestamp Expired") if abs(now - sent) > VALID_SECONDS else None

    def _replayed(self, key: str, headers: Mapping[str, str], now: float) -> Refusal | None:
        while self._by_age and self._by_age[0][0] < now - VALID_SECONDS:
            self._nonces.discard(self._by_age.popleft()[1])
        used = (key, headers.get("x-ca-nonce", "")) in self._nonces
        return Refusal(400, "", "Nonce Used") if used else None

    def _remember(self, key: str, headers: Mapping[str, str], now: float) -> None:
        """Only good requests use a nonce up: a forged one must not spoil the real one that follows."""
        nonce = headers.get("x-ca-nonce", "")
        if nonce:
            self._nonces.add((key, nonce))
            self._by_age.append((now, (key, nonce)))

    @staticmethod
    def _mismatch(secret: str, method: str, target: str, headers: Mapping[str, str], signature: str) -> Refusal | None:
        algorithm = headers.get("x-ca-signature-method", "") or "HmacSHA256"
        if algorithm not in _DIGESTS:
            return Refusal(400, "I400HD", "Invalid Header X-Ca-Signature-Method")
        text = server_string_to_sign(method, target, headers)
        if hmac.compare_digest(sign(secret, text, algorithm).encode(), signature.encode()):
            return None
        shown = text.replace("\n", "#")
        return Refusal(403, "A403IS", f"Invalid Signature, Server StringToSign:`{shown}`")


def _wrong_md5(headers: Mapping[str, str], body: bytes) -> Refusal | None:
    declared = headers.get("content-md5")
    if not declared:
        return None
    actual = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")
    return None if declared == actual else Refusal(400, "I400I5", "Invalid Content-MD5")
