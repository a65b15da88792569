"""What the surroundings say: the only room that reads the environment.

Credentials come from the environment or from a `.env` file beside the spec (the environment wins); a spec gets
only the variables that its own `env:` list names, and never a credential. Where the state lives, colour and
language are decided here too. What is done with any of it is for the rooms above.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import NoReturn

from speedpix_pipe.errors import AccessError, UsageError
from speedpix_pipe.records import dataclass

DEFAULT_ENDPOINT = "https://openai.edu-aliyun.com"
STATE_FOLDER = ".speedpix"
APP_KEY, APP_SECRET, ENDPOINT = "SPEEDPIX_APP_KEY", "SPEEDPIX_APP_SECRET", "SPEEDPIX_ENDPOINT"
STATE_DIR, LANGUAGE = "SPEEDPIX_STATE_DIR", "SPEEDPIX_LANG"
CREDENTIALS = frozenset({APP_KEY, APP_SECRET})
LARGEST_DOTENV = 1 << 20

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


class Secret:
    """A value that cannot be printed, formatted or pickled by accident: all one sees is `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that signs with it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def to_json(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not leave its process")


@dataclass(frozen=True, slots=True)
class Credentials:
    app_key: Secret
    app_secret: Secret
    endpoint: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The surroundings of one command. `environment` is kept out of every repr: it may hold anything."""

    environment: Mapping[str, str] = field(repr=False)
    dotenv: Path | None = None  # the `.env` file that was read
    dotenv_names: frozenset[str] = frozenset()

    @property
    def app_key(self) -> Secret | None:
        return self._secret(APP_KEY)

    @property
    def app_secret(self) -> Secret | None:
        return self._secret(APP_SECRET)

    @property
    def endpoint(self) -> str:
        return self._text(ENDPOINT) or DEFAULT_ENDPOINT

    @property
    def state_dir(self) -> Path | None:
        """What SPEEDPIX_STATE_DIR says; a relative one counts from the current folder."""
        value = self._text(STATE_DIR)
        if "://" in value:
            raise UsageError(
                f"{STATE_DIR} must be a folder on this machine's disk, not a URL: locks and the journal need one",
                code="usage.state-dir",
                hint="name a local folder; what a spec saves may go to s3:// all the same",
            )
        return Path(value).expanduser().absolute() if value else None

    @property
    def no_color(self) -> bool:
        return bool(self.environment.get("NO_COLOR")) or self.environment.get("TERM") == "dumb"

    @property
    def language(self) -> str:
        """`zh` or `en`: SPEEDPIX_LANG, else the locale."""
        for name in (LANGUAGE, "LC_ALL", "LC_MESSAGES", "LANG"):
            value = self._text(name)
            if value:
                return "zh" if value.lower().startswith("zh") else "en"
        return "en"

    @property
    def columns(self) -> int | None:
        value = self._text("COLUMNS")
        return int(value) if value.isdecimal() and int(value) > 0 else None

    def credentials(self) -> Credentials:
        """Key, secret and endpoint, or an AccessError that says which one is missing and where to put it."""
        endpoint = checked_endpoint(self.endpoint)
        key, secret = self.app_key, self.app_secret
        if key is None or secret is None:
            missing = " and ".join(name for name, value in ((APP_KEY, key), (APP_SECRET, secret)) if value is None)
            raise AccessError(
                f"{missing} not set",
                code="access.no-credentials",
                hint="set them in the environment or in a .env file beside the spec; --local needs no account",
            )
        return Credentials(key, secret, endpoint)

    def spec_environment(self, names: Iterable[str]) -> dict[str, str]:
        """The variables that a spec's `env:` lists and that are set. A credential is refused."""
        wanted = list(names)
        for name in wanted:
            if name in CREDENTIALS:
                raise UsageError(
                    f"env: {name} is a credential and cannot be read by expressions",
                    code="usage.credential-in-env",
                    hint=f"take {name} out of the spec's env list; the client reads it by itself",
                )
        return {name: self.environment[name] for name in wanted if name in self.environment}

    def state_folder(self, spec_folder: Path) -> Path:
        """Where the state of a spec in this folder lives."""
        return self.state_dir or spec_folder / STATE_FOLDER

    def nearest_state_folder(self, current: Path) -> Path | None:
        """The state folder that `runs`, `report` and `ui` mean: as set, else the nearest one at or above."""
        if self.state_dir is not None:
            return self.state_dir
        for folder in (current, *current.parents):
            if (folder / STATE_FOLDER).is_dir():
                return folder / STATE_FOLDER
        return None

    def _text(self, name: str) -> str:
        return self.environment.get(name, "").strip()  # blank means not set, as in the service's own clients

    def _secret(self, name: str) -> Secret | None:
        value = self._text(name)
        return Secret(value) if value else None


def checked_endpoint(endpoint: str) -> str:
    """The endpoint, if clients can use it; refused before anything else is looked at or written down.

    It is not shown: somebody who puts a password into an address should not find it in a log.
    """
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    def on_this_machine(host: str) -> bool:
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        host = parts.hostname if parts.port != 0 else None  # both raise where there is no sense in them
        if parts.netloc.endswith(":"):
            host = None  # `https:/host`, with a slash too few
    except ValueError:
        host = None
    if not host or parts.scheme not in {"https", "http"} or parts.query or parts.fragment or "@" in parts.netloc:
        wrong = "must look like https://host or https://host/prefix, with no user or password in it"
    elif parts.scheme == "http" and not on_this_machine(host):
        wrong = "is plain http, which is for this machine only; use https"
    else:
        return endpoint
    raise AccessError(f"{ENDPOINT} {wrong}", code="access.endpoint", hint=f"without {ENDPOINT} it is the public one")


def load_settings(spec_folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The surroundings, with the `.env` file of the spec's folder below the real environment."""
    real = dict(os.environ if environment is None else environment)  # noqa: TID251  # this is the place
    path = spec_folder / ".env" if spec_folder is not None else None
    if path is None or not path.is_file():
        return Settings(real)
    values = parse_dotenv(_read(path), shown=path.name)
    kept = {name: value for name, value in values.items() if not real.get(name)}
    return Settings({**real, **kept}, path, frozenset(kept))


def inherited(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that we start: ours, and something more."""
    return {**os.environ, **more}  # noqa: TID251  # this is the place


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_DOTENV:
            raise UsageError(f"{path.name} is larger than 1 MiB, that is no .env file", code="usage.dotenv")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{path.name} cannot be read: {reason}", code="usage.dotenv") from error


def parse_dotenv(text: str, *, shown: str = ".env") -> dict[str, str]:
    r"""`NAME=value` lines. `export ` may stand before, `#` begins a comment, quotes keep spaces and `#`.

    In double quotes `\n \t \" \\` are escapes, in single quotes nothing is; a quoted value may span lines.
    Nothing is expanded. An error names the line, never its content: it may hold a secret.
    """
    values: dict[str, str] = {}
    lines = text.replace("\r\n", "\n").split("\n")
    number = 0
    while number < len(lines):
        first = number
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        name, equals, rest = line.removeprefix("export ").partition("=")
        name, rest = name.strip(), rest.strip()
        if not equals or not _NAME.match(name):
            raise UsageError(f"{shown}:{first + 1}: a line is NAME=value, or a comment after #", code="usage.dotenv")
        if rest[:1] not in {'"', "'"}:
            values[name] = re.split(r"(?:^|\s)#", rest, maxsplit=1)[0].strip()
            continue
        while (closed := _unquote(rest)) is None:
            if number == len(lines):
                raise UsageError(f"{shown}:{first + 1}: the quote is never closed", code="usage.dotenv")
            rest += "\n" + lines[number]
            number += 1
        value, after = closed
        if after and not after.startswith("#"):
            raise UsageError(f"{shown}:{first + 1}: text after the closing quote", code="usage.dotenv")
        values[name] = value
    return values


def _unquote(text: str) -> tuple[str, str] | None:
    """The value of a quoted text and what follows it; None while the quote is open."""
    pieces: list[str] = []
    quote, position = text[0], 1
    while position < len(text):
        sign = text[position]
        if sign == quote:
            return "".join(pieces), text[position + 1 :].strip()
        if sign == "\\" and quote == '"' and text[position + 1 : position + 2] in _ESCAPES:
            position += 1
            sign = _ESCAPES[text[position]]
        pieces.append(sign)
        position += 1
    return None
