"""Values that a check without a run cannot know: params that were not given, files that shall not be looked at.

Who evaluates an expression that needs one gets an UnknownValueError, which no evaluation takes for a mistake of
the spec: it passes through to whoever drives the check, and that part is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from speedpix_pipe.errors import PipeError
from speedpix_pipe.files import FileValue, ObjectUrl
from speedpix_pipe.files.objects import Objects
from speedpix_pipe.files.storage import object_url
from speedpix_pipe.model import Json
from speedpix_pipe.spec.params import UNKNOWN


class UnknownValueError(PipeError):
    """The expression needs something that is not known here."""

    code = "expression.unknown-value"


class KnownParams(Mapping[str, Any]):
    """Params of which some are unknown."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        if value is UNKNOWN:
            raise UnknownValueError(f"param {name} was not given")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class NoObjects(Objects):
    """Objects in a check that asks no network: what is wrong with the form of a URL, and nothing else, is known."""

    def glob(self, pattern: str, folder: str, *, allow_empty: bool = False) -> list[FileValue]:  # noqa: ARG002 - Objects' shape
        self._unknown(object_url(pattern, pattern=True))

    def file(self, text: str, folder: str) -> NoReturn:  # noqa: ARG002 - likewise
        self._unknown(object_url(text))

    def read(self, file: FileValue | str) -> Json:
        self._unknown(object_url(str(file)))

    @staticmethod
    def _unknown(url: ObjectUrl) -> NoReturn:
        raise UnknownValueError(f"{url} is not looked at")


class NoFiles:
    """The disk under `--no-files`: nothing is known of it."""

    def glob(self, pattern: str, *, allow_empty: bool = False) -> list[FileValue]:  # noqa: ARG002 - FileAccess's shape
        self._unknown(pattern)

    def file(self, path: str) -> FileValue:
        self._unknown(path)

    def read(self, file: FileValue | str) -> Json:
        self._unknown(str(file))

    @staticmethod
    def _unknown(name: str) -> NoReturn:
        raise UnknownValueError(f"{name} is not looked at")
