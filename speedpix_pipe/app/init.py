"""The use case `init`: a working project in a folder, from one of our templates.

What is there already stays as it is: every file is created anew or left alone, and the caller is told which.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from speedpix_pipe.errors import UsageError
from speedpix_pipe.records import dataclass

TEMPLATES = Path(__file__).parent.parent / "templates"
SPEC = "pipeline.yaml"
INBOX = Path("inbox")
SCHEMA = Path(".vscode/speedpix-pipe.schema.json")
# Files that every project gets: name in the template folder -> name in the project. A wheel's builder and git would
# both obey a dot file of ours, hence other names here.
COMMON = {"env.example": ".env.example", "gitignore": ".gitignore", "vscode.json": ".vscode/settings.json"}


@dataclass(frozen=True, slots=True)
class Template:
    """`photos` are rendered into the inbox, so that there is something to work on."""

    summary: str
    photos: int
    next: tuple[str, str]  # the two commands that come next, without the program's name


_RUN, _REPORT, _WATCH = f"run {SPEC} --local", "report --open", f"watch {SPEC} --local"
CATALOGUE = {
    "product-shots": Template("photos on white, one picture per look, a contact sheet", 3, (_RUN, _REPORT)),
    "hot-folder": Template("a folder as a service: drop a photo in, get it on white", 2, (_RUN, _WATCH)),
    "text-to-video": Template("a table of prompts becomes pictures, then films", 0, (_RUN, _REPORT)),
    "minimal": Template("one step over a folder of photos", 2, (_RUN, _REPORT)),
}
DEFAULT = "product-shots"


@dataclass(frozen=True, slots=True)
class Project:
    """What was made of a folder; paths are relative to it."""

    folder: Path
    template: str
    written: tuple[Path, ...]
    kept: tuple[Path, ...]  # were there before and were not touched

    @property
    def next(self) -> tuple[str, str]:
        return CATALOGUE[self.template].next


def init(folder: Path, template: str) -> Project:
    """Write a project into a folder, which is made if need be."""
    written: list[Path] = []
    kept: list[Path] = []
    try:
        for path, content in _files(template):
            (written if _create(folder / path, content) else kept).append(path)
        inbox = folder / INBOX
        count = CATALOGUE[template].photos
        if count and inbox.is_dir() and any(inbox.iterdir()):
            kept.append(INBOX)
        elif count:
            written += [INBOX / name for name in _photos(inbox, count)]
    except OSError as error:
        where = error.filename or folder
        raise UsageError(
            f"{where} cannot be written: {error.strerror or error}",
            code="usage.init",
            hint="name another folder: speedpix-pipe init DIR",
        ) from error
    return Project(folder, template, tuple(written), tuple(kept))


def _files(template: str) -> Iterator[tuple[Path, bytes]]:
    from speedpix_pipe.spec.schema import schema_text

    for source in sorted((TEMPLATES / template).iterdir()):
        yield Path(source.name), source.read_bytes()
    for name, target in COMMON.items():
        yield Path(target), (TEMPLATES / "common" / name).read_bytes()
    yield SCHEMA, schema_text().encode()


def _create(path: Path, content: bytes) -> bool:
    """Write a new file; False where there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _photos(inbox: Path, count: int) -> Iterator[str]:
    """Rendered aside and moved in whole, since the inbox may be watched."""
    from speedpix_pipe.emulator.photos import render_product_photos

    inbox.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=inbox.parent) as aside:
        for photo in render_product_photos(Path(aside), count):
            os.link(photo, inbox / photo.name)
            yield photo.name
