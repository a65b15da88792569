"""The files of a past run of a hot folder: under the names where they arrived, from the places where they lie now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from speedpix_pipe.app.specs import Loaded
from speedpix_pipe.errors import UsageError
from speedpix_pipe.files import FileValue, sha256_file
from speedpix_pipe.model import Pipeline, Watch
from speedpix_pipe.store import RunRow, Store
from speedpix_pipe.triggers.places import Places


def arguments_of_batch(watch: Watch) -> dict[str, Any]:
    """What the journal keeps of a batch's run, so that it can be made again."""
    return {"watch": watch.folder, "watch_param": watch.param}


def _entry(pipeline: Pipeline, row: RunRow) -> Watch | None:
    """The entry of `watch` whose batch it was. Several may share a folder, each with a param of its own."""
    folder = row.watched_folder
    found = [watch for watch in pipeline.watch if watch.folder == folder]
    param = row.arguments.get("watch_param") if isinstance(row.arguments, dict) else None
    return next((watch for watch in found if watch.param == param), found[0] if found else None)


def empty_params(pipeline: Pipeline) -> dict[str, Any]:
    """The params that folders fill, all without a file: a batch fills one of them."""
    return {
        watch.param: [] if pipeline.params[watch.param].type == "files" else None
        for watch in pipeline.watch
        if watch.param in pipeline.params
    }


def with_arrivals(loaded: Loaded, row: RunRow, store: Store) -> Loaded:
    """The spec with the files of a past batch as its param, as far as they are still what they were."""
    pipeline = loaded.pipeline
    folder, watch = row.watched_folder, _entry(pipeline, row)
    if watch is None:
        raise UsageError(f"run {row.id} took files from {folder}, which is not watched any more", code="usage.redo")
    files = list(_still_there(pipeline, watch, row, store))
    if not files:
        raise UsageError(
            f"the files of run {row.id} lie nowhere any more, or are not what they were",
            code="usage.redo",
            hint=f"put them into {folder} again: what had succeeded is not paid for twice",
        )
    value = files if pipeline.params[watch.param].type == "files" else files[0]
    return replace(loaded, params={**loaded.params, **empty_params(pipeline), watch.param: value})


def _still_there(pipeline: Pipeline, watch: Watch, row: RunRow, store: Store) -> Iterator[FileValue]:
    root = Places.of(watch, pipeline.folder).root
    for arrival in store.arrivals.of_run(row.id):
        try:
            same = sha256_file(arrival.bytes_path) == arrival.sha256
        except OSError:
            continue
        if same:
            yield FileValue.at(arrival.path, arrival.bytes_path, pipeline.folder, root, store.digests)
