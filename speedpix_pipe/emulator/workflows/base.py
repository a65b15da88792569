"""What a workflow of the emulator is: a function from typed inputs to an answer, the same for the same inputs.

Modules in this folder are workflows: `run(inputs)` returns the `result` object of the service, in which an
`Artifact` stands where a file object will be. Fetching, storing and timing are the server's business.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image, ImageOps

__all__ = ["Artifact", "DefaultImages", "Inputs", "Workflow", "WorkflowError"]

MAX_PIXELS = 64_000_000
CONTENT_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "wav": "audio/wav",
}


class WorkflowError(Exception):
    """The task fails, and this is what the caller is told."""

    def __init__(self, message: str, code: str = "Emulator.WorkflowError") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a workflow made."""

    content: bytes
    format: str
    width: int | None = None
    height: int | None = None
    kind: str = "image"

    @classmethod
    def picture(cls, image: Image.Image, fmt: str = "png", **options: Any) -> "Artifact":
        """Encode quickly rather than small: nobody keeps these for long."""
        target = io.BytesIO()
        if fmt == "jpeg":
            image.convert("RGB").save(target, "JPEG", quality=92, **options)
        elif fmt == "webp":
            image.save(target, "WEBP", quality=85, method=2, **options)
        else:
            image.save(target, fmt.upper(), **({"compress_level": 2} if fmt == "png" else {}), **options)
        return cls(target.getvalue(), fmt, image.width, image.height)

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES.get(self.format, "application/octet-stream")


@dataclass(frozen=True, slots=True)
class DefaultImages:
    """The answer of a workflow published without output fields: bare URLs in `data.images`, no `result`."""

    images: tuple[Artifact, ...]


class Inputs(Mapping[str, Any]):
    """The values a caller sent: as they came by subscript, checked and decoded by the methods.

    `fetch` turns a file value (an URL or a data URI) into bytes, or raises WorkflowError.
    """

    def __init__(self, values: Mapping[str, Any], fetch: Callable[[str], bytes]) -> None:
        self._values = dict(values)
        self._fetch = fetch

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise WorkflowError(f'input "{name}" must be text, not {_kind(value)}', "Emulator.InvalidInput")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise WorkflowError(f'input "{name}" must be a number, not {_kind(value)}', "Emulator.InvalidInput")
        if not low <= value <= high:
            raise WorkflowError(
                f'input "{name}" is {value}; it must lie in {low:g} to {high:g}', "Emulator.InvalidInput"
            )
        return float(value)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name, default, low, high)
        if value != int(value):
            raise WorkflowError(f'input "{name}" is {value}; it must be a whole number', "Emulator.InvalidInput")
        return int(value)

    def seed(self) -> int:
        """The seed given, else one that the other inputs determine."""
        if self._values.get("seed") is not None:
            return self.integer("seed", 0, 0, 2**63)
        digest = hashlib.sha256()
        for name in sorted(self._values):
            value = self._values[name]
            digest.update(name.encode())
            digest.update(hashlib.sha256(self._seed_bytes(value)).digest())
        return int.from_bytes(digest.digest()[:6])

    def digest(self) -> str:
        """Of everything that was sent, files by content: equal inputs have equal ones, from run to run."""
        return hashlib.sha256(json.dumps(self._by_content(self._values), sort_keys=True).encode()).hexdigest()

    def _by_content(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._by_content(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._by_content(inner) for inner in value]
        if isinstance(value, str) and value.startswith(("http://", "https://", "data:")):
            return {"sha256": hashlib.sha256(self._fetch(value)).hexdigest()}
        return value

    def _seed_bytes(self, value: Any) -> bytes:
        if isinstance(value, str) and value.startswith(("http://", "https://", "data:")):
            return self._fetch(value)
        return json.dumps(value, sort_keys=True).encode()

    def picture(self, name: str = "image") -> Image.Image:
        """The picture as RGB or RGBA, upright."""
        value = self._values.get(name)
        if value is None or value == "":
            raise WorkflowError(f'input "{name}" is missing: a picture is needed', "Emulator.MissingInput")
        return self._decode(name, value)

    def pictures(self, name: str = "images") -> list[Image.Image]:
        value = self._values.get(name)
        if value is None or value in ([], ""):
            raise WorkflowError(f'input "{name}" is missing: a list of pictures is needed', "Emulator.MissingInput")
        values = value if isinstance(value, list) else [value]
        return [self._decode(f"{name}[{index}]", entry) for index, entry in enumerate(values)]

    def _decode(self, name: str, value: Any) -> Image.Image:
        if isinstance(value, dict) and isinstance(value.get("url"), str):
            value = value["url"]
        if not isinstance(value, str):
            raise WorkflowError(
                f'input "{name}" must be an URL or a data URI, not {_kind(value)}', "Emulator.InvalidInput"
            )
        content = self._fetch(value)
        try:
            with Image.open(io.BytesIO(content)) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise WorkflowError(
                        f'input "{name}" is too large: {opened.width} x {opened.height}', "Emulator.InvalidInput"
                    )
                upright = ImageOps.exif_transpose(opened)
                return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise WorkflowError(f'input "{name}" is not a picture: {error}', "Emulator.NotAPicture") from error


def _kind(value: Any) -> str:
    names = {
        "dict": "an object",
        "list": "a list",
        "bool": "a boolean",
        "int": "a number",
        "float": "a number",
        "str": "text",
    }
    return names.get(type(value).__name__, "null")


class Workflow(Protocol):
    """A module of this folder."""

    def run(self, inputs: Inputs) -> Any:
        """The `result` object, with artifacts for files."""
        ...
