"""How workflows get at their input files: our own bucket directly, data URIs, other servers on this machine.

Nothing is fetched from a network: a picture on some far host would make a test depend on it.
"""

import base64
import binascii
import ipaddress
import urllib.error
import urllib.parse
import urllib.request

from speedpix_pipe.emulator.clock import Clock
from speedpix_pipe.emulator.storage import BUCKET, Bucket
from speedpix_pipe.emulator.workflows.base import WorkflowError

__all__ = ["Fetcher"]

CODE = "Emulator.FetchFailed"
_TIMEOUT_SECONDS = 20.0
_MAX_BYTES = 256 * 1024 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """A redirect could lead off this machine, so none is followed."""


class Fetcher:
    def __init__(self, bucket: Bucket, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def __call__(self, value: str) -> bytes:
        """The bytes behind a file value; WorkflowError tells why there are none."""
        if value[:5].lower() == "data:":
            return _data_uri(value)
        parts = urllib.parse.urlsplit(value)
        if parts.scheme not in {"http", "https"}:
            raise WorkflowError(f'cannot fetch "{value[:80]}": neither an http URL nor a data URI', CODE)
        target = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        if value.startswith(self._bucket.base_url + BUCKET):
            return self._own(target)
        if not _is_loopback(parts.hostname or ""):
            raise WorkflowError(f'cannot fetch from "{parts.hostname}": the emulator stays on this machine', CODE)
        return self._local(value)

    def _own(self, target: str) -> bytes:
        verdict = self._bucket.judge("GET", target, "", self._clock.now())
        if verdict.code:
            raise WorkflowError(f"cannot fetch {verdict.key}: {verdict.code}: {verdict.message}", CODE)
        stored = self._bucket.find(verdict.key)
        content = stored.read() if stored else None
        if content is None:
            raise WorkflowError(f"cannot fetch {verdict.key}: nothing was uploaded there", CODE)
        return content

    def _local(self, url: str) -> bytes:
        try:
            with self._opener.open(url, timeout=_TIMEOUT_SECONDS) as answer:  # loopback and http(s) only, see above
                content: bytes = answer.read(_MAX_BYTES)
                return content
        except (OSError, ValueError) as error:
            raise WorkflowError(f"cannot fetch {url}: {error}", CODE) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _data_uri(value: str) -> bytes:
    head, comma, payload = value.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise WorkflowError("cannot read the data URI: it must be data:TYPE;base64,PAYLOAD", CODE)
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise WorkflowError(f"cannot read the data URI: {error}", CODE) from error
