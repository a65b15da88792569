"""Writes the gallery: one HTML file that carries everything but the full files, which it links.

The page has its words, looks, program and data inside, forbids itself every request by a content policy, and is
usable while the thumbnails that follow at its end are still being read. It is written beside its final name and
renamed, so that a reader never sees half of it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

from markupsafe import Markup

from speedpix_pipe.errors import UsageError
from speedpix_pipe.model import Json
from speedpix_pipe.pages import embed, environment, policy, script_of
from speedpix_pipe.pages.pictures import Thumbnail, make_thumbnail
from speedpix_pipe.report.base import RunView, TaskView
from speedpix_pipe.report.contents import OpenBlob, commands, make_contents
from speedpix_pipe.words import words_for
from speedpix_pipe.words.messages import translated

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("start.js", "card.js", "rows.js", "filters.js", "marks.js", "figures.js", "viewer.js", "keys.js")
CHUNK_BYTES = 768 * 1024
# Many pictures get smaller thumbnails, so that a page of 10,000 stays under about 60 MB
EDGES = ((800, 320), (4_000, 256), (1_000_000_000, 192))

MakeThumbnail = Callable[[Path], Thumbnail]
MapThumbnails = Callable[[MakeThumbnail, Sequence[Path]], Iterable[Thumbnail]]


def build_report(
    run: RunView,
    tasks: Iterable[TaskView],
    target: Path,
    *,
    open_blob: OpenBlob,
    thumbnail: Callable[[Path, int], Thumbnail] = make_thumbnail,
    map_thumbnails: MapThumbnails = map,
    language: str = "en",
) -> Path:
    """Writes the gallery of a run to `target` and gives it back.

    `open_blob` gives the path of a kept file by its digest. `map_thumbnails` may be a process pool's `map`:
    `thumbnail` and what it takes and gives can be pickled.
    """
    contents = make_contents(run, tasks, target, open_blob, language)
    edge = next(edge for most, edge in EDGES if len(contents.sources) <= most)
    thumbnails = map_thumbnails(partial(_small, thumbnail, edge), contents.sources)
    words = words_for("gallery", language)
    page = environment(TEMPLATES).get_template("gallery.html.j2")
    style, script = (TEMPLATES / "gallery.css").read_text("utf-8"), script_of(TEMPLATES, SCRIPTS)
    pieces = page.generate(
        run=replace(run, reason=translated(run.reason, language)),
        language=language,
        words=words,
        title=words["title"].format(pipeline=run.pipeline, run=run.run_id),
        policy=policy(style, script, pictures="'self' file:"),
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own files
        data=Markup(embed({**contents.page, "words": dict(words)})),  # noqa: S704  # escaped by embed
        chunks=_chunks(thumbnails),
        page=contents.page,
        totals=_totals(contents.page),
        params=_pretty(run.params),
        outputs=_pretty(run.outputs),
        commands=commands(run),
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, pieces)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}", code="usage.report-file") from error
    return target


def _small(thumbnail: Callable[[Path, int], Thumbnail], edge: int, path: Path) -> Thumbnail:
    return thumbnail(path, edge) if path.name else Thumbnail()  # an empty path: the file is gone


def _totals(page: Mapping[str, Json]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for step in page["steps"]:
        for status, count in step["counts"].items():
            totals[status] = totals.get(status, 0) + count
    return totals


def _pretty(value: Json) -> str:
    return "" if value in (None, {}, []) else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _chunks(thumbnails: Iterable[Thumbnail]) -> Iterator[tuple[int, Markup]]:
    """Thumbnails by number in blocks of some hundred kilobytes, each with its last number."""
    block: dict[int, list[Json]] = {}
    size = 0
    for number, made in enumerate(thumbnails):
        text = base64.b64encode(made.webp).decode() if made.webp else ""
        block[number] = [text, made.width, made.height, int(made.animated)]
        size += len(text) + 32
        if size >= CHUNK_BYTES:
            yield number, Markup(embed(block))  # noqa: S704  # escaped by embed
            block, size = {}, 0
    if block:
        yield max(block), Markup(embed(block))  # noqa: S704  # escaped by embed


def _write(target: Path, pieces: Iterable[str]) -> None:
    part = target.with_name(f".{uuid4().hex}.part")  # whoever else writes this page just now has one of its own
    try:
        # a name that is no Unicode becomes a character reference rather than an error
        with part.open("w", encoding="utf-8", errors="xmlcharrefreplace", newline="\n") as page:
            page.writelines(pieces)
        os.replace(part, target)  # noqa: PTH105  # Path.replace says the same
    finally:
        part.unlink(missing_ok=True)
