"""`SpeedPix`, also called `Client`: with `async_*` twins, so that code written for the official SDK runs as it is.

A twin is thin: it asks an asynchronous client made with the same settings, and carries the state over.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from speedpix_pipe.sdk._async.client import AsyncSpeedPix
from speedpix_pipe.sdk._async.outputs import AsyncFileOutput
from speedpix_pipe.sdk._async.prediction import AsyncPrediction
from speedpix_pipe.sdk._async.predictions import AsyncPredictions
from speedpix_pipe.sdk._models import File, PredictionState
from speedpix_pipe.sdk._sync.client import SpeedPix as Threaded
from speedpix_pipe.sdk._sync.files import Files
from speedpix_pipe.sdk._sync.outputs import FileOutput
from speedpix_pipe.sdk._sync.prediction import Prediction
from speedpix_pipe.sdk._sync.predictions import Predictions


class TwinFileOutput(FileOutput):
    """A `FileOutput` that can also be awaited."""

    __slots__ = ()
    _owner: TwinPredictions

    def _twin(self) -> AsyncFileOutput:
        return self._owner.twin().file_output(self._fresh, self._prediction_id, self._place)

    async def async_save(self, path: str | Path) -> Path:
        return await self._twin().save(path)

    async def async_read(self) -> bytes:
        return await self._twin().read()


class TwinPrediction(Prediction):
    """A `Prediction` that can also be awaited."""

    __slots__ = ()
    _owner: TwinPredictions

    async def async_wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # the deadline has an error of ours
        polling_interval: float | None = None,
        *,
        on_progress: Callable[[AsyncPrediction], object] | None = None,
        on_success: Callable[[], object] | None = None,
    ) -> TwinPrediction:
        twin = self._twin()
        await twin.wait(timeout, polling_interval, on_progress=on_progress, on_success=on_success)
        self._update(twin.snapshot)
        return self

    async def async_reload(self) -> TwinPrediction:
        self._update((await self._twin().reload()).snapshot)
        return self

    async def async_cancel(self) -> TwinPrediction:
        self.cancel()
        return self

    def _twin(self) -> AsyncPrediction:
        return AsyncPrediction(self._owner.twin(), self.snapshot, use_file_output=False, born=self._born)


class TwinPredictions(Predictions):
    """The predictions of a `SpeedPix`."""

    face: Callable[[], AsyncSpeedPix]

    def twin(self) -> AsyncPredictions:
        return self.face().predictions

    def file_output(self, url: str, prediction_id: str, place: tuple[str | int, ...]) -> TwinFileOutput:
        output = TwinFileOutput.of(url, self, prediction_id, place)
        assert isinstance(output, TwinFileOutput)
        return output

    def handle(self, state: PredictionState, *, use_file_output: bool | None = None) -> TwinPrediction:
        wrap = self._use_file_output if use_file_output is None else use_file_output
        return TwinPrediction(self, state, use_file_output=wrap, born=self.calls.clock.monotonic())

    async def async_create(self, workflow_id: str, input: Any, **options: Any) -> TwinPrediction:  # noqa: A002  # as create
        made = await self.twin().create(workflow_id, input, **options)
        return self.handle(made.snapshot, use_file_output=options.get("use_file_output"))

    async def async_get(self, prediction_id: str) -> TwinPrediction:
        return self.handle((await self.twin().get(prediction_id)).snapshot)

    async def async_cancel(self, prediction_id: str) -> Prediction:
        return self.cancel(prediction_id)


class TwinFiles(Files):
    """The uploads of a `SpeedPix`."""

    face: Callable[[], AsyncSpeedPix]

    async def async_create(self, file: Any, *, filename: str | None = None, content_type: str | None = None) -> File:
        return await self.face().files.create(file, filename=filename, content_type=content_type)


class SpeedPix(Threaded):
    """A client of the SpeedPix service, for threads; for each call that talks there is an `async_` twin as well.

    `app_key`, `app_secret` and `endpoint` default to `SPEEDPIX_APP_KEY`, `SPEEDPIX_APP_SECRET` and
    `SPEEDPIX_ENDPOINT`. One client holds at most 96 connections, shared by everything that it does.
    """

    predictions: TwinPredictions
    files: TwinFiles

    def _assemble(self) -> None:
        self._faces: list[AsyncSpeedPix] = []  # one for each event loop that runs
        self._faces_guard = threading.Lock()
        self.files = TwinFiles(self._calls, max_uploads=self._max_uploads)
        self.predictions = TwinPredictions(
            self._calls,
            self.files,
            use_file_output=self._use_file_output,
            file_encoding=self._config.file_encoding,
            detect_paths=self._detect_paths,
        )
        self.files.face = self.predictions.face = self.asynchronous

    def asynchronous(self) -> AsyncSpeedPix:
        """The asynchronous client with the same settings; made when first asked for, and anew for each event loop that
        runs beside others.

        A transport or a clock belongs to one face; the other one gets its own.
        """
        loop = _running_loop()
        with self._faces_guard:
            for face in self._faces:
                if face._calls.home.is_of(loop):
                    return face
            for face in self._faces:
                if face._calls.home.move_to(loop):
                    return face
            face = self._another_face()
            face._calls.home.move_to(loop)
            self._faces.append(face)
            return face

    def _another_face(self) -> AsyncSpeedPix:
        config, calls = self._config, self._calls
        return AsyncSpeedPix(
            config.app_key,
            config.app_secret.reveal(),
            str(config.endpoint),
            config.timeout,
            config.user_agent,
            use_file_output=self._use_file_output,
            file_encoding_strategy=config.file_encoding.value,
            detect_paths=self._detect_paths,
            retry=calls.retry,
            max_reads_per_second=self._max_reads_per_second,
            max_uploads=self._max_uploads,
            trust_env=self._trust_env,
            nonce=calls.auth.nonce,
            random=calls.random,
        )

    async def async_run(self, workflow_id: str, input: Any, **options: Any) -> Any:  # noqa: A002  # as run
        """`run` for coroutines, with the same options except `cancel_event`: cancel the task instead."""
        wait = options.pop("wait", True)
        waiting = {
            name: options.pop(option)
            for name, option in (
                ("timeout", "wait_timeout"),
                ("polling_interval", "polling_interval"),
                ("on_progress", "on_progress"),
            )
            if option in options
        }
        prediction = await self.predictions.async_create(workflow_id, input, **options)
        if not wait:
            return prediction
        await prediction.async_wait(**waiting)
        prediction.raise_for_failure()
        return prediction.output

    async def aclose(self) -> None:
        """Close both faces' connections; those of another event loop are that loop's."""
        self.close()
        for face in list(self._faces):
            await face.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
