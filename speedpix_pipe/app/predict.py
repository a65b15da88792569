"""The use case `predict`: one call of a workflow through the SDK, its files saved where they were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from speedpix_pipe.errors import AccessError, PipeError, TaskError, TaskErrorKind, UsageError
from speedpix_pipe.files import sniff
from speedpix_pipe.model import Json
from speedpix_pipe.records import dataclass
from speedpix_pipe.sdk import FileOutput, Prediction, SpeedPix
from speedpix_pipe.sdk import errors as sdk
from speedpix_pipe.settings import Settings

Progress = Callable[[Prediction], object]


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """One call. `input` holds JSON and, for files, paths."""

    workflow: str
    input: Mapping[str, Any]
    settings: Settings
    local: bool = False
    alias: str | None = None
    version: str | None = None
    timeout_seconds: float | None = None
    folder: Path | None = None  # where files are saved; None saves none


@dataclass(frozen=True, slots=True)
class Predicted:
    prediction_id: str
    output: Json
    files: tuple[Path, ...]


class NotSavedError(TaskError):
    """The prediction is made and paid for, but not all of its files could be saved. `made` is what there is of it."""

    def __init__(self, made: Predicted, why: str) -> None:
        message = f"prediction {made.prediction_id} has succeeded, but its files could not be saved: {why}"
        super().__init__(message, kind=TaskErrorKind.DOWNLOAD, prediction_id=made.prediction_id)
        self.made = made


def predict(request: PredictRequest, progress: Progress | None = None) -> Predicted:
    """Submit, wait, fetch. Raises PipeErrors only."""
    if request.folder is not None:
        _make(request.folder)
    try:
        with _client(request) as client:
            prediction = client.predictions.create(
                request.workflow,
                request.input,
                alias_id=request.alias,
                version_id=request.version,
            )
            prediction.wait(request.timeout_seconds, on_progress=progress)
            prediction.raise_for_failure()
            return _fetched(prediction, request)
    except sdk.SpeedPixError as error:
        raise _translated(error) from error


def _fetched(prediction: Prediction, request: PredictRequest) -> Predicted:
    output = _plain(prediction.output)
    files: list[Path] = []
    try:
        if request.folder is not None:
            files.extend(_saved(prediction.output, request.folder, request.workflow))
    except (sdk.SpeedPixError, OSError) as error:
        raise NotSavedError(Predicted(prediction.id, output, tuple(files)), str(error)) from error
    return Predicted(prediction.id, output, tuple(files))


def _make(folder: Path) -> None:
    """Before anything is paid for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"nothing can be saved to {folder}: {error.strerror}", code="usage.output") from None


@contextmanager
def _client(request: PredictRequest) -> Iterator[SpeedPix]:
    if not request.local:
        known = request.settings.credentials()
        with SpeedPix(known.app_key.reveal(), known.app_secret.reveal(), known.endpoint, detect_paths=False) as client:
            yield client
        return
    from speedpix_pipe.emulator import EmulatorOptions, EmulatorThread

    options = EmulatorOptions()
    with (
        EmulatorThread(options) as emulator,
        SpeedPix(options.app_key, options.app_secret, emulator.url, detect_paths=False) as client,
    ):
        yield client


def _plain(value: Any) -> Json:
    """The output with every file as its URL."""
    match value:
        case FileOutput():
            return value.url
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value


def _files(value: Any) -> Iterator[FileOutput]:
    """All files of an output, in its order. A `preview` is none."""
    match value:
        case FileOutput():
            yield value
        case Mapping():
            for name, inner in value.items():
                if name != "preview":
                    yield from _files(inner)
        case list() | tuple():
            for inner in value:
                yield from _files(inner)


def _saved(output: Any, folder: Path, workflow: str) -> Iterator[Path]:
    """Every file under a free name in the folder: the workflow's, a number, the extension that its bytes ask for."""
    stem = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in workflow).lstrip(".") or "result"
    for file in _files(output):
        part = folder / f".{uuid4().hex}.part"
        try:
            file.save(part)
            yield _moved(part, folder, stem, sniff(part).extension)
        finally:
            part.unlink(missing_ok=True)


def _moved(part: Path, folder: Path, stem: str, extension: str) -> Path:
    number = 1
    while True:
        target = folder / (f"{stem}.{extension}" if number == 1 else f"{stem}-{number}.{extension}")
        try:
            target.touch(exist_ok=False)  # nobody's file is replaced
        except FileExistsError:
            number += 1
            continue
        part.replace(target)
        return target


def _translated(error: sdk.SpeedPixError) -> PipeError:
    message = str(error)
    match error:
        case sdk.AuthenticationError() | sdk.SignatureError() | sdk.PermissionDeniedError():
            return AccessError(message, code="access.refused")
        case sdk.ConnectError():
            return AccessError(message, code="access.unreachable", hint="check SPEEDPIX_ENDPOINT and the network")
        case sdk.ConfigurationError():
            return AccessError(message, code="access.configuration")
        case sdk.InputError() | sdk.BadRequestError() | sdk.NotFoundError():
            return UsageError(message, code="usage.input")
        case sdk.SubmissionUnknownError():
            return TaskError(message, kind=TaskErrorKind.UNKNOWN)
        case sdk.SpeedPixTimeoutError():
            return TaskError(message, kind=TaskErrorKind.TIMEOUT)
        case sdk.FileError():
            return TaskError(message, kind=TaskErrorKind.DOWNLOAD)
        case sdk.PredictionError() | sdk.ContentAuditError():
            return TaskError(message, kind=TaskErrorKind.TASK)
        case _:
            return TaskError(message, kind=TaskErrorKind.GATEWAY)
