"""`client.predictions`: submit, look, wait."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

# unasync: insert import threading
from speedpix_pipe.sdk import _policy, _wire
from speedpix_pipe.sdk._async._calls import AsyncCalls
from speedpix_pipe.sdk._async.files import AsyncFiles
from speedpix_pipe.sdk._async.outputs import AsyncFileOutput
from speedpix_pipe.sdk._async.prediction import AsyncPrediction
from speedpix_pipe.sdk._config import FileEncoding, parse_encoding
from speedpix_pipe.sdk._models import PredictionState, Status
from speedpix_pipe.sdk._polling import Pace
from speedpix_pipe.sdk._wire import Envelope, Operation
from speedpix_pipe.sdk.errors import (
    InputError,
    SpeedPixError,
    SpeedPixTimeoutError,
    SubmissionUnknownError,
    WaitCanceledError,
)

_LOG = logging.getLogger("speedpix_pipe.sdk")
PATIENT_ATTEMPTS = 10


class AsyncPredictions:
    """The predictions of one client."""

    def __init__(
        self,
        calls: AsyncCalls,
        files: AsyncFiles,
        *,
        use_file_output: bool,
        file_encoding: FileEncoding,
        detect_paths: bool,
    ) -> None:
        self.calls = calls
        self._files = files
        self._use_file_output = use_file_output
        self._file_encoding = file_encoding
        self._detect_paths = detect_paths

    def file_output(self, url: str, prediction_id: str, place: tuple[str | int, ...]) -> AsyncFileOutput:
        return AsyncFileOutput.of(url, self, prediction_id, place)

    def handle(self, state: PredictionState, *, use_file_output: bool | None = None) -> AsyncPrediction:
        """A handle for a state that was kept elsewhere."""
        wrap = self._use_file_output if use_file_output is None else use_file_output
        return AsyncPrediction(self, state, use_file_output=wrap, born=self.calls.clock.monotonic())

    async def create(
        self,
        workflow_id: str,
        input: Mapping[str, Any],  # noqa: A002  # the service's guides call it so
        *,
        alias_id: str | None = None,
        version_id: str | None = None,
        resource_config_id: str | list[str] | None = None,
        randomise_seeds: bool | None = None,
        randomize_seeds: bool | None = None,
        return_temp_files: bool | None = None,
        file_encoding_strategy: str | None = None,
        use_file_output: bool | None = None,
        detect_paths: bool | None = None,
        max_attempts: int | None = None,
    ) -> AsyncPrediction:
        """Submit a workflow run, which costs money, and return at once.

        It is submitted again only if it surely never ran, at most `max_attempts` times in all. `SubmissionUnknownError`
        means that it may be running; any other error means that no prediction was made.
        """
        if randomise_seeds is None:
            randomise_seeds = randomize_seeds
        self.calls.home.enter()
        # All that can be refused here is refused before a file is uploaded.
        _wire.submit_body(workflow_id, {}, alias_id=alias_id, version_id=version_id)
        pools = _wire.resource_header(resource_config_id)
        encoding = parse_encoding(file_encoding_strategy) if file_encoding_strategy else self._file_encoding
        detect = self._detect_paths if detect_paths is None else detect_paths
        try:
            ready = await self._files.resolve(input, encoding, detect_paths=detect)
        except SpeedPixError as error:
            error.surely_never_ran = True  # whatever it did to the upload, nothing was submitted
            raise
        body = _wire.submit_body(
            workflow_id,
            ready,
            alias_id=alias_id,
            version_id=version_id,
            randomise_seeds=randomise_seeds,
            return_temp_files=return_temp_files,
        )

        def read(envelope: Envelope) -> PredictionState:
            return _wire.read_submission(envelope, workflow_id, ready)

        headers = ((_wire.RESOURCE_HEADER, pools),) if pools else ()
        try:
            state = await self.calls.call(Operation.SUBMIT, body, read, headers=headers, attempts=max_attempts)
        except SpeedPixError as error:
            if _policy.means_unknown(error):
                raise SubmissionUnknownError(error, workflow_id=workflow_id) from error
            raise
        return self.handle(state, use_file_output=use_file_output)

    async def get(self, prediction_id: str) -> AsyncPrediction:
        """A prediction by its id: how it stands, and its result if it is done."""
        state = PredictionState(prediction_id, Status.UNKNOWN)
        return self.handle(await self.look(state))

    async def wait(
        self,
        prediction_id: str,
        timeout: float | None = None,  # noqa: ASYNC109  # as above
        polling_interval: float | None = None,
        *,
        on_progress: Callable[[AsyncPrediction], object] | None = None,
        on_success: Callable[[], object] | None = None,
        # unasync: insert cancel_event: threading.Event | None = None,
    ) -> AsyncPrediction:
        """Pick up a prediction by its id and wait until it is done."""
        prediction = self.handle(PredictionState(prediction_id, Status.UNKNOWN))
        return await prediction.wait(
            timeout,
            polling_interval,
            on_progress=on_progress,
            on_success=on_success,
            # unasync: insert cancel_event=cancel_event,
        )

    async def cancel(self, prediction_id: str) -> AsyncPrediction:
        """Local only, as `Prediction.cancel`: the service offers no way to stop a task."""
        return self.handle(PredictionState(prediction_id, Status.UNKNOWN))._cancel_locally()

    # -- looking ------------------------------------------------------------------------------------------------------

    async def look(
        self,
        state: PredictionState,
        *,
        deadline: float | None = None,
        patient: bool = False,
        on_success: Callable[[], object] | None = None,
    ) -> PredictionState:
        """One progress call, and the result call if the task is done."""
        attempts = (
            max(self.calls.retry.attempts, PATIENT_ATTEMPTS) if patient and self.calls.retry.attempts > 1 else None
        )
        before, body = state, _wire.task_body(state.id)

        def read(envelope: Envelope) -> PredictionState:
            return _wire.read_progress(envelope, before)

        state = await self.calls.call(Operation.PROGRESS, body, read, attempts=attempts, deadline=deadline)
        if state.status is Status.UNKNOWN and state.raw_status != before.raw_status:
            _LOG.warning(
                "prediction %s has the status %r, which is not known; still waiting", state.id, state.raw_status
            )
        if not state.status.final:
            return state
        if on_success is not None and state.status is Status.SUCCEEDED:
            _tell("on_success", state.id, on_success)
        return await self._with_result(state, body, attempts, deadline)

    async def _with_result(
        self, state: PredictionState, body: bytes, attempts: int | None, deadline: float | None
    ) -> PredictionState:
        """A result that cannot be had does not make a finished task a failed one: the error goes to the caller."""
        self.calls.ceiling.take(self.calls.clock.monotonic())

        def read(envelope: Envelope) -> PredictionState:
            return _wire.read_result(envelope, state)

        try:
            return await self.calls.call(Operation.RESULT, body, read, attempts=attempts, deadline=deadline)
        except SpeedPixError as error:
            if state.status is Status.SUCCEEDED:
                raise
            # For a failed task the refusal is the reason; a result call that broke has none to add.
            told = error.definite
            return replace(
                state,
                error=error.message if told else state.message or "the task failed",
                error_code=error.error_code if told else None,
                sub_error_code=error.sub_error_code if told else None,
                invoke_id=error.api_invoke_id or state.invoke_id,
            )

    async def result_of(self, prediction_id: str) -> Any:
        """The output of a finished prediction, with URLs as fresh as the service gives them."""
        state = PredictionState(prediction_id, Status.SUCCEEDED)

        def read(envelope: Envelope) -> PredictionState:
            return _wire.read_result(envelope, state)

        return (await self.calls.call(Operation.RESULT, _wire.task_body(prediction_id), read)).output

    async def watch(
        self,
        prediction: AsyncPrediction,
        timeout: float | None,  # noqa: ASYNC109  # as above
        polling_interval: float | None,
        on_progress: Callable[[AsyncPrediction], object] | None,
        on_success: Callable[[], object] | None = None,
        # unasync: insert cancel_event: threading.Event | None = None,
    ) -> None:
        """The loop behind `wait`. All waits of a client take turns with each other."""
        for name, seconds in (("timeout", timeout), ("polling_interval", polling_interval)):
            if seconds is not None and seconds < 0:
                raise InputError(f"{name} is a number of seconds, not {seconds}")
        self.calls.home.enter()
        clock, state = self.calls.clock, prediction.snapshot
        deadline = None if timeout is None else clock.monotonic() + timeout
        born = prediction._born if state.estimated_duration is not None else clock.monotonic()
        pace = Pace(born, state.estimated_duration, random=self.calls.random, interval=polling_interval)
        due = clock.monotonic() if state.status is Status.UNKNOWN and polling_interval is None else pace.first()
        while not prediction.done:
            # The last look is at the deadline, whatever the hints say: no wait ends without having asked.
            last = deadline is not None and due >= deadline
            try:
                await self.calls.turns.turn(
                    deadline if last and deadline is not None else due,
                    # unasync: insert cancel_event,
                )
            except WaitCanceledError as error:
                error.prediction = prediction
                raise
            if prediction.given_up():
                break
            try:
                seen = await self.look(prediction.snapshot, deadline=deadline, patient=True, on_success=on_success)
            except SpeedPixError as error:
                if deadline is not None and error.retryable and clock.monotonic() + 1.0 >= deadline:
                    raise self._too_late(prediction, timeout) from error
                raise
            if prediction.given_up():
                break
            prediction._update(seen)
            if on_progress is not None:
                _tell("on_progress", prediction.id, on_progress, prediction)
            if last and not prediction.done:
                raise self._too_late(prediction, timeout)
            due = pace.after(clock.monotonic(), seen)

    def _too_late(self, prediction: AsyncPrediction, timeout: float | None) -> SpeedPixTimeoutError:
        return SpeedPixTimeoutError(
            f"prediction {prediction.id} was not done after {timeout:g} s; it goes on, and can be picked up by its id",
            prediction=prediction,
            api_invoke_id=prediction.invoke_id,
            retryable=True,
        )


def _tell(name: str, prediction_id: str, observer: Callable[..., object], *seen: Any) -> None:
    """An observer that raises loses its own call, not the prediction that is paid for."""
    try:
        observer(*seen)
    except Exception:  # noqa: BLE001  # whatever a stranger's callback raises
        _LOG.exception("%s raised for prediction %s", name, prediction_id)
