"""What the service keeps in its bucket: uploads and results, behind URLs that expire.

Bytes lie in a temporary folder under names of our own (a ten-thousand-task run would not fit in memory), and
go away with the emulator. Expiry belongs to the URL, not to the object: asking again gives a fresh one.
"""

import hashlib
import hmac
import itertools
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

__all__ = ["BUCKET", "Bucket", "StoredObject", "Verdict"]

BUCKET = "/oss/"


@dataclass(slots=True)
class StoredObject:
    key: str
    content_type: str
    path: Path | None = None
    content: bytes | None = None
    etag: str = ""
    puts: int = 0

    def read(self) -> bytes | None:
        """The bytes, or None while nothing was put here."""
        if self.content is not None:
            return self.content
        return self.path.read_bytes() if self.path is not None else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A storage URL looked at: its key, and the refusal it deserves (`code` empty if none)."""

    key: str
    code: str = ""
    message: str = ""


@dataclass(slots=True)
class Bucket:
    base_url: str = ""
    _objects: dict[str, StoredObject] = field(default_factory=dict)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _folder: tempfile.TemporaryDirectory[str] | None = None
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def open(self, base_url: str) -> None:
        """Before the first request, so that worker threads never race for the folder."""
        self.base_url = base_url
        self._folder = tempfile.TemporaryDirectory(prefix="speedpix-emulator-", ignore_cleanup_errors=True)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._objects.clear()

    def new_path(self) -> Path:
        """A file of ours; names from outside are used in URLs only, never on disk."""
        assert self._folder is not None, "the bucket is open while the server runs"
        return Path(self._folder.name) / f"{next(self._numbers)}.bin"

    def reserve(self, key: str, content_type: str) -> StoredObject:
        stored = self._objects[key] = StoredObject(key, content_type)
        return stored

    def keep(self, key: str, content_type: str, content: bytes) -> StoredObject:
        """Store finished bytes; called from worker threads, so it touches the dictionary last."""
        path = self.new_path()
        path.write_bytes(content)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        stored = StoredObject(key, content_type, path=path, etag=digest.upper(), puts=1)
        self._objects[key] = stored
        return stored

    def find(self, key: str) -> StoredObject | None:
        return self._objects.get(key)

    def get_url(self, key: str, expires: float) -> str:
        return self._url("GET", key, "", expires)

    def put_url(self, key: str, content_type: str, expires: float) -> str:
        return self._url("PUT", key, content_type, expires)

    def _url(self, method: str, key: str, content_type: str, expires: float) -> str:
        stamp = str(int(expires))
        token = self._token(method, key, content_type, stamp)
        return f"{self.base_url}{BUCKET}{quote(key)}?Expires={stamp}&OSSAccessKeyId=emulator&Signature={token}"

    def _token(self, method: str, key: str, content_type: str, stamp: str) -> str:
        text = f"{method}\n{content_type}\n{stamp}\n{key}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:40]

    def judge(self, method: str, target: str, content_type: str, now: float) -> Verdict:
        """Whether this URL may be used now; a PUT is bound to the content type of its ticket."""
        path, _, query = target.partition("?")
        key = unquote(path[len(BUCKET) :])
        fields = parse_qs(query)
        stamp = fields.get("Expires", [""])[0]
        token = fields.get("Signature", [""])[0]
        if not (stamp.isdigit() and token):
            return Verdict(key, "AccessDenied", "You have no right to access this object because of bucket acl.")
        if int(stamp) <= now:
            return Verdict(key, "AccessDenied", "Request has expired.")
        bound = content_type if method == "PUT" else ""
        if not hmac.compare_digest(self._token(method, key, bound, stamp).encode(), token.encode()):
            hint = "The request signature we calculated does not match the signature you provided."
            return Verdict(key, "SignatureDoesNotMatch", hint)
        return Verdict(key)
