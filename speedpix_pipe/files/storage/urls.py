"""URLs of objects: `s3://BUCKET/KEY`, as a spec writes them. No request is made here, and nothing of fsspec imported.

A key is taken letter by letter: nothing is decoded, `?` and `#` mean themselves. What could only be a secret (a user,
a password, a signed query) is refused without being repeated.
"""

from __future__ import annotations

import re

from speedpix_pipe.errors import ExpressionError
from speedpix_pipe.files.storage.registry import STORAGES
from speedpix_pipe.records import dataclass

LONGEST_KEY = 1000  # bytes of UTF-8; S3 allows 1,024 and OSS 1,023, less what `.edited-1` and `-2` add

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SENT = frozenset({"http", "https"})  # URLs that the service reads by itself
_USER = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"\?[\w.-]+=\S*")


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """The address of one object. It is no path: nothing of this machine can be opened with it."""

    text: str

    @property
    def scheme(self) -> str:
        return self.text.partition("://")[0]

    @property
    def bucket(self) -> str:
        return self.text.partition("://")[2].partition("/")[0]

    @property
    def key(self) -> str:
        return self.text.partition("://")[2].partition("/")[2]

    @property
    def name(self) -> str:
        return self.text.rpartition("/")[2]

    def with_name(self, name: str) -> ObjectUrl:
        return ObjectUrl(f"{self.text.rpartition('/')[0]}/{name}")

    def __str__(self) -> str:
        return self.text


def names_object(text: str) -> bool:
    """Whether a text means an object (or would, if its scheme were known) and not a path or a URL for the service."""
    if "://" not in text:
        return False
    found = _SCHEME.match(text)
    return found is not None and found[1].lower() not in _SENT


def object_url(text: str, *, pattern: bool = False) -> ObjectUrl:
    """The address that a text means; ExpressionError where it is none that we read or write.

    With `pattern` it may end in `/`, and its key may hold wildcards.
    """
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    secret = secret_in(text)
    if secret is not None:
        raise ExpressionError(f"{covered(text)} {secret}", code="files.url-secret", hint=OWN_HINT)
    if scheme not in STORAGES:
        known = " and ".join(f"{name}://" for name in STORAGES)
        hint = "write a path" if scheme == "file" else "mount it, or copy the files to one of these"
        raise ExpressionError(f"{scheme}:// is no storage known here; there are {known}", code="files.url", hint=hint)
    bucket, slash, key = rest.partition("/")
    why = _wrong_with(bucket, key if slash else "", pattern=pattern)
    if why is not None:
        raise ExpressionError(f"`{text}` {why}", code="files.url", hint=f"write {scheme}://BUCKET/KEY")
    return ObjectUrl(f"{scheme}://{rest}")


def _wrong_with(bucket: str, key: str, *, pattern: bool) -> str | None:
    if not bucket:
        return "names no bucket"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", bucket):
        return "has a bucket that is no plain name"
    if not key:
        return "names no object"
    parts = key.split("/")
    if pattern and not parts[-1]:
        parts.pop()
    if "" in parts:
        return "names a folder, not an object" if key.endswith("/") else "has an empty part"
    if "." in parts or ".." in parts:
        return "has a part `.` or `..`"
    if "\0" in key:
        return "has a NUL byte"
    if len(key.encode("utf-8", "replace")) > LONGEST_KEY:
        return "is too long"
    return None


OWN_HINT = "the storage's own environment or profile has the credentials: docs/objects.md"


def secret_in(text: str) -> str | None:
    """What of an object's URL could only be a secret, as a sentence about it."""
    for found in _OBJECTS.finditer(text):
        if _USER.search(found[0]):
            return "has a user or a password in it"
        if _QUERY.search(found[0]):
            return "has a query, which signs it or means nothing to us"
    return None


_OBJECTS = re.compile(r"\b(?!https?://)[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")


def covered(text: str) -> str:
    """The same text, as long as it was, with `*` for what could be a secret in an object's URL."""
    return _OBJECTS.sub(_cover, text) if "://" in text else text


def _cover(found: re.Match[str]) -> str:
    url = _USER.sub(lambda user: "*" * (len(user[0]) - 1) + "@", found[0])
    return _QUERY.sub(lambda query: "?" + "*" * (len(query[0]) - 1), url)
