"""Where a client's settings come from: arguments first, then `SPEEDPIX_*`. The only reader of the environment here."""

from __future__ import annotations

import ipaddress
import os
import urllib.request
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx

from speedpix_pipe._version import __version__
from speedpix_pipe.sdk.errors import ConfigurationError

DEFAULT_ENDPOINT = "https://openai.edu-aliyun.com"
DEFAULT_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
DEFAULT_USER_AGENT = f"speedpix-pipe/{__version__}"


class FileEncoding(StrEnum):
    """How a local file travels: uploaded and named by URL, inline as Base64, or inline only while small."""

    URL = "url"
    BASE64 = "base64"
    AUTO = "auto"


class Secret:
    """A string that prints as `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "'***'"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Config:
    app_key: str
    app_secret: Secret
    endpoint: httpx.URL
    timeout: httpx.Timeout
    user_agent: str
    file_encoding: FileEncoding


def environment() -> Mapping[str, str]:
    """The process's environment; read when a client is made, not when the module is imported."""
    return os.environ  # noqa: TID251  # the SDK is usable alone and promises SPEEDPIX_* as its defaults


def configure(
    app_key: str | None,
    app_secret: str | None,
    endpoint: str | None,
    timeout: Any,
    user_agent: str | None,
    file_encoding: str,
    env: Mapping[str, str] | None = None,
) -> Config:
    """Empty means absent. One of the pair may come from an argument and the other from the environment."""
    env = environment() if env is None else env
    key = app_key or env.get("SPEEDPIX_APP_KEY", "").strip()
    secret = app_secret or env.get("SPEEDPIX_APP_SECRET", "").strip()
    for name, value in (("app_key", key), ("app_secret", secret)):
        if not value:
            raise ConfigurationError(f"{name} is missing: pass it or set SPEEDPIX_{name.upper()}")
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError("app_key contains characters that no AppKey has")
    return Config(
        app_key=key,
        app_secret=Secret(secret),
        endpoint=parse_endpoint(endpoint or env.get("SPEEDPIX_ENDPOINT", "").strip() or DEFAULT_ENDPOINT),
        timeout=parse_timeout(timeout),
        user_agent=user_agent or DEFAULT_USER_AGENT,
        file_encoding=parse_encoding(file_encoding),
    )


def parse_encoding(word: str) -> FileEncoding:
    try:
        return FileEncoding(word)
    except ValueError:
        raise ConfigurationError(f'file_encoding_strategy is "url", "base64" or "auto", not {word!r}') from None


def parse_endpoint(text: str) -> httpx.URL:
    """`https://` is assumed, trailing slashes go, a path prefix stays; plain http is for this machine only."""
    text = text.strip()
    text = (text if "://" in text else f"https://{text}").rstrip("/")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"endpoint {text!r} is not a URL: {error}") from error
    if url.scheme not in ("https", "http") or not url.host or url.query or url.fragment or url.userinfo:
        raise ConfigurationError(f"endpoint {text!r} must look like https://host or https://host/prefix")
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigurationError(f"endpoint {text!r}: plain http is only for loopback addresses; use https")
    return url


def parse_timeout(value: Any) -> httpx.Timeout:
    """Seconds, or an `httpx.Timeout`. Waiting for a free connection may take longer than one call; making one that
    takes longer than ten seconds will not come to anything.
    """
    if isinstance(value, httpx.Timeout):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigurationError(f"timeout is a positive number of seconds, not {value!r}")
    if value > 3600:
        warnings.warn(f"timeout={value} is in seconds; did you mean {value / 1000}?", stacklevel=4)
    return httpx.Timeout(float(value), connect=min(CONNECT_TIMEOUT, float(value)), pool=max(120.0, float(value)))


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Proxies:
    """Which proxy a URL goes through: the system's settings (`HTTPS_PROXY`, `NO_PROXY`), and never for loopback."""

    def __init__(self, *, trust_env: bool = True) -> None:
        self._trust_env = trust_env
        self._known: dict[tuple[str, str], str | None] = {}

    def proxy_for(self, scheme: str, host: str) -> str | None:
        key = (scheme, host)
        if key not in self._known:
            self._known[key] = self._look_up(scheme, host) if self._trust_env else None
        return self._known[key]

    def _look_up(self, scheme: str, host: str) -> str | None:
        if is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        settings = urllib.request.getproxies()
        proxy = settings.get(scheme) or settings.get("all")
        if not proxy:
            return None
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        if not proxy.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"the proxy for {host} is {proxy.partition('://')[0]}; only http(s) ones work here"
            )
        return proxy
