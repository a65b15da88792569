"""The use case `report`: a run in the journal, kept files and thumbnails, into one HTML page."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from speedpix_pipe.app.object_pictures import ObjectPictures
from speedpix_pipe.executors import worker
from speedpix_pipe.files import names_object, sha256_file
from speedpix_pipe.model import KeptFile
from speedpix_pipe.pages.graph import draw
from speedpix_pipe.pages.pictures import Thumbnail
from speedpix_pipe.records import dataclass
from speedpix_pipe.report.base import InputFile, ResultFile, RunView, TaskView
from speedpix_pipe.report.gallery import MakeThumbnail, MapThumbnails, build_report
from speedpix_pipe.store import RunRow, Store, TaskRow
from speedpix_pipe.summary import Tally

FEW = 12  # pictures for which starting processes costs more than it saves
CHUNK = 8
OBJECTS_AT_ONCE = 256


def write_report(
    store: Store,
    row: RunRow,
    target: Path | None,
    *,
    language: str = "en",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The gallery of a run; by default `reports/RUN.html` in the state folder.

    `progress` is told how many thumbnails of how many are made, since that is what takes time.
    """
    folder = Path(row.spec_path).parent
    with TemporaryDirectory(prefix="speedpix-report-") as brought:
        objects = ObjectPictures(Path(brought))
        inputs = _Inputs(folder, objects, store if row.watched_folder is not None else None)
        tasks = [_task_view(task, folder, inputs) for task in store.journal.tasks(row.id)]
        return build_report(
            _run_view(store, row, folder),
            tasks,
            target or store.folder / "reports" / f"{row.id}.html",
            open_blob=lambda sha256: _existing(store.blobs.path(sha256)),
            map_thumbnails=partial(_counted, partial(_with_objects, objects) if objects else _thumbnails, progress),
            language=language,
        )


def _run_view(store: Store, row: RunRow, folder: Path) -> RunView:
    tally = Tally(keep_files=False)
    for event in store.journal.events(row.id):
        tally.add(event)
    summary, started = tally.summary(), store.journal.started(row.id)
    return RunView(
        run_id=row.id,
        pipeline=row.pipeline,
        status="died" if row.died else row.status,
        folder=folder,
        spec_path=row.spec_path,
        steps=started.steps,
        needs={str(node["step"]): node["needs"] for node in draw(started.steps, started.resolved_spec)},
        resumable=row.resumable and not row.lives,
        local=summary.local,
        redo=summary.redo,
        reason=row.reason,
        started_at=row.started_at,
        seconds=row.seconds if row.seconds is not None else summary.seconds,
        service=row.service,
        params=row.params,
        outputs=row.outputs,
        commit=started.commit,
        dirty=started.dirty,
        version=started.version,
        submitted=summary.submitted,
        spent=summary.spent if summary.priced else None,
        saved=summary.saved if summary.priced else None,
    )


def _task_view(task: TaskRow, folder: Path, inputs: _Inputs) -> TaskView:
    saved = {file.sha256: file.path for file in task.saved}
    return TaskView(
        step=task.step,
        key=task.key,
        status=task.status,
        order=task.order,
        matrix=task.matrix or {},
        input=task.input,
        input_files=tuple(inputs.of(*file) for file in task.input_files),
        files=tuple(_result_file(kept, saved.get(kept.sha256), folder) for kept in task.files),
        output=task.output,
        attempts=task.attempts,
        seconds=task.seconds,
        service_seconds=task.service_seconds,
        started_at=task.started_at,
        finished_at=task.finished_at,
        error_kind=task.error_kind or "",
        error_message=task.error_message or "",
        ignored=task.ignored,
        skip_reason=task.skip_reason or "",
        cause=task.skip_cause or "",
        price=task.price,
        prediction_id=task.prediction_id or "",
        source=task.source or "",
    )


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Where the files that tasks were given lie now. `moved`: of a hot folder, which has moved them."""

    folder: Path
    objects: ObjectPictures
    moved: Store | None

    def of(self, field: str, path: str, sha256: str) -> InputFile:
        if names_object(path):
            return InputFile(field, path, sha256, picture=self.objects.name(path, sha256))
        return InputFile(field, path, sha256, None if self.moved is None else self._now(self.moved, path, sha256))

    def _now(self, store: Store, path: str, sha256: str) -> Path | None:
        """Somebody may have put other bytes there, and another file may have come by the old name."""
        place = store.arrivals.where(self.folder / path, sha256)
        if place is None:
            return None
        try:
            same = sha256_file(place) == sha256
        except OSError:
            same = False
        return place if same else store.blobs.path(sha256)


def _result_file(kept: KeptFile, saved: str | None, folder: Path) -> ResultFile:
    if saved is not None and names_object(saved):
        return ResultFile(kept, url=saved)
    return ResultFile(kept, folder / saved if saved is not None else None)


def _existing(path: Path) -> Path:
    path.stat()  # FileNotFoundError for one that was pruned
    return path


def _thumbnails(make: MakeThumbnail, pictures: Sequence[Path]) -> Iterable[Thumbnail]:
    return map(make, pictures) if len(pictures) <= FEW else _in_processes(make, pictures)


def _counted(
    draw_all: MapThumbnails,
    progress: Callable[[int, int], None] | None,
    make: MakeThumbnail,
    pictures: Sequence[Path],
) -> Iterator[Thumbnail]:
    for number, thumbnail in enumerate(draw_all(make, pictures), start=1):
        if progress is not None:
            progress(number, len(pictures))
        yield thumbnail


def _with_objects(objects: ObjectPictures, make: MakeThumbnail, pictures: Sequence[Path]) -> Iterator[Thumbnail]:
    """As many at a time as may lie on this disk meanwhile."""
    for some in batched(pictures, OBJECTS_AT_ONCE):
        brought = objects.bring(some)
        yield from _thumbnails(make, some)
        for path in brought:
            path.unlink(missing_ok=True)


def batched(values: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _in_processes(make: MakeThumbnail, pictures: Sequence[Path]) -> Iterator[Thumbnail]:
    """From a fork server, like all our workers: a forked child would keep our locks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["speedpix_pipe.pages.pictures", "PIL.Image", "PIL.ImageOps"])
    with ProcessPoolExecutor(mp_context=context, initializer=worker.begin) as pool:
        yield from pool.map(make, pictures, chunksize=CHUNK)
