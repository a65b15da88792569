"""`client.predictions`, and the handle of one prediction: a frozen state plus the client that can ask about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

# unasync: insert import threading
from speedpix_pipe.sdk import _inputs, _policy, _wire
from speedpix_pipe.sdk._async._calls import AsyncCalls
from speedpix_pipe.sdk._async.files import AsyncFiles
from speedpix_pipe.sdk._async.outputs import AsyncFileOutput
from speedpix_pipe.sdk._config import FileEncoding, parse_encoding
from speedpix_pipe.sdk._models import NodeState, PredictionState, Status
from speedpix_pipe.sdk._polling import Pace
from speedpix_pipe.sdk._wire import Envelope, Operation
from speedpix_pipe.sdk.errors import (
    InputError,
    PredictionError,
    SpeedPixError,
    SpeedPixTimeoutError,
    SubmissionUnknownError,
    WaitCanceledError,
)

_LOG = logging.getLogger("speedpix_pipe.sdk")
PATIENT_ATTEMPTS = 10


class AsyncPrediction:
    """One task on the service. `wait` and `reload` bring it up to date, in place, and return it."""

    __slots__ = ("_born", "_canceled", "_output", "_owner", "_state", "_use_file_output")

    def __init__(self, owner: AsyncPredictions, state: PredictionState, *, use_file_output: bool, born: float) -> None:
        self._owner = owner
        self._use_file_output = use_file_output
        self._born = born
        self._canceled = False
        self._output: Any = None
        self._state = state
        self._update(state)

    def _update(self, state: PredictionState) -> None:
        if state.output is not self._state.output or self._output is None:
            self._output = self._wrapped(state)
        self._state = state

    def _wrapped(self, state: PredictionState) -> Any:
        if not self._use_file_output or state.output is None:
            return state.output
        return _inputs.wrap_urls(state.output, lambda url, place: self._owner.file_output(url, state.id, place))

    def __repr__(self) -> str:
        return f"<Prediction {self.id} {self.status}>"

    @property
    def id(self) -> str:
        return self._state.id

    @property
    def status(self) -> Status:
        return self._state.status

    @property
    def raw_status(self) -> str | None:
        """The service's own word for the status."""
        return self._state.raw_status

    @property
    def done(self) -> bool:
        """Nothing more will happen to it."""
        return self._state.status.final

    @property
    def workflow_id(self) -> str | None:
        return self._state.workflow_id

    @property
    def input(self) -> Any:
        """The input as it was sent: local files are URLs by then. None if the prediction was found by its id."""
        return self._state.input

    @property
    def output(self) -> Any:
        """What the workflow made, with file URLs as `FileOutput`; None until it has succeeded."""
        return self._output

    @property
    def raw_output(self) -> Any:
        """The same as plain JSON."""
        return self._state.output

    @property
    def error(self) -> str | None:
        return self._state.error

    @property
    def error_code(self) -> str | None:
        return self._state.error_code

    @property
    def sub_error_code(self) -> str | None:
        return self._state.sub_error_code

    @property
    def progress(self) -> float | None:
        """0 to 1."""
        return self._state.progress

    @property
    def eta_relative(self) -> float | None:
        """Seconds the service expects it to take from the last look."""
        return self._state.eta_relative

    @property
    def queue_remaining(self) -> int | None:
        """How many are before it; only while it waits."""
        return self._state.queue_remaining

    @property
    def message(self) -> str | None:
        return self._state.message

    @property
    def state(self) -> NodeState | None:
        """The node that is being run."""
        return self._state.state

    @property
    def estimated_duration(self) -> float | None:
        """Seconds the service estimated at submission."""
        return self._state.estimated_duration

    @property
    def task_duration(self) -> float | None:
        """Seconds it took on the service."""
        return self._state.task_duration

    @property
    def started_at(self) -> datetime | None:
        return self._state.started_at

    @property
    def ended_at(self) -> datetime | None:
        return self._state.ended_at

    @property
    def invoke_id(self) -> str | None:
        """The service's id of the last call about it, for support."""
        return self._state.invoke_id

    @property
    def raw(self) -> dict[str, Any]:
        """The last answer about it, as it came."""
        return self._state.raw

    @property
    def snapshot(self) -> PredictionState:
        """All of the above as one frozen value."""
        return self._state

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # the same deadline on both faces, and an error of ours
        polling_interval: float | None = None,
        *,
        on_progress: Callable[[AsyncPrediction], object] | None = None,
        # unasync: insert cancel_event: threading.Event | None = None,
    ) -> AsyncPrediction:
        """Wait until it is done. Without `polling_interval` (seconds) the service's own hints say when to look.

        `timeout` (seconds) raises `SpeedPixTimeoutError`; the task goes on. `on_progress` is called after each look.
        """
        await self._owner.watch(
            self,
            timeout,
            polling_interval,
            on_progress,
            # unasync: insert cancel_event,
        )
        return self

    async def reload(self) -> AsyncPrediction:
        """Look at it once, now."""
        self._update(await self._owner.look(self._state))
        return self

    async def cancel(self) -> AsyncPrediction:
        """Stop waiting for it, here; a wait in progress ends at its next look. The service has no cancel call: it
        keeps running (and billing) the task.
        """
        return self._cancel_locally()

    def given_up(self) -> bool:
        """The caller canceled it: nothing that is learned later changes it."""
        return self._canceled

    def _cancel_locally(self) -> AsyncPrediction:
        self._canceled = True
        if not self.done:
            self._state = replace(self._state, status=Status.CANCELED, error="canceled by the caller")
        return self

    def raise_for_failure(self) -> None:
        """`PredictionError` unless it succeeded or is still on its way."""
        if self.status in (Status.FAILED, Status.CANCELED):
            raise PredictionError(
                self.error or f"the task was {self.status}",
                prediction=self,
                error_code=self.error_code,
                sub_error_code=self.sub_error_code,
                api_invoke_id=self.invoke_id,
            )


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
        # All that can be refused here is refused before a file is uploaded.
        _wire.submit_body(workflow_id, {}, alias_id=alias_id, version_id=version_id)
        pools = _wire.resource_header(resource_config_id)
        encoding = parse_encoding(file_encoding_strategy) if file_encoding_strategy else self._file_encoding
        detect = self._detect_paths if detect_paths is None else detect_paths
        ready = await self._files.resolve(input, encoding, detect_paths=detect)
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
        # unasync: insert cancel_event: threading.Event | None = None,
    ) -> AsyncPrediction:
        """Pick up a prediction by its id and wait until it is done."""
        prediction = self.handle(PredictionState(prediction_id, Status.UNKNOWN))
        return await prediction.wait(
            timeout,
            polling_interval,
            on_progress=on_progress,
            # unasync: insert cancel_event=cancel_event,
        )

    async def cancel(self, prediction_id: str) -> AsyncPrediction:
        """Local only, as `Prediction.cancel`: the service offers no way to stop a task."""
        return self.handle(PredictionState(prediction_id, Status.UNKNOWN))._cancel_locally()

    # -- looking ------------------------------------------------------------------------------------------------------

    async def look(
        self, state: PredictionState, *, deadline: float | None = None, patient: bool = False
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
        # unasync: insert cancel_event: threading.Event | None = None,
    ) -> None:
        """The loop behind `wait`. All waits of a client take turns with each other."""
        for name, seconds in (("timeout", timeout), ("polling_interval", polling_interval)):
            if seconds is not None and seconds < 0:
                raise InputError(f"{name} is a number of seconds, not {seconds}")
        clock, state = self.calls.clock, prediction.snapshot
        deadline = None if timeout is None else clock.monotonic() + timeout
        born = prediction._born if state.estimated_duration is not None else clock.monotonic()
        pace = Pace(born, state.estimated_duration, random=self.calls.random, interval=polling_interval)
        due = clock.monotonic() if state.status is Status.UNKNOWN and polling_interval is None else pace.first()
        while not prediction.done:
            late = deadline is not None and due >= deadline
            try:
                await self.calls.turns.turn(
                    deadline if late and deadline is not None else due,
                    # unasync: insert cancel_event,
                )
            except WaitCanceledError as error:
                error.prediction = prediction
                raise
            if prediction.given_up():
                break
            if late:
                raise self._too_late(prediction, timeout)
            try:
                seen = await self.look(prediction.snapshot, deadline=deadline, patient=True)
            except SpeedPixError as error:
                if deadline is not None and error.retryable and clock.monotonic() + 1.0 >= deadline:
                    raise self._too_late(prediction, timeout) from error
                raise
            if prediction.given_up():
                break
            prediction._update(seen)
            _tell(on_progress, prediction)
            due = pace.after(clock.monotonic(), seen)

    def _too_late(self, prediction: AsyncPrediction, timeout: float | None) -> SpeedPixTimeoutError:
        return SpeedPixTimeoutError(
            f"prediction {prediction.id} was not done after {timeout:g} s; it goes on, and can be picked up by its id",
            prediction=prediction,
            api_invoke_id=prediction.invoke_id,
            retryable=True,
        )


def _tell(observer: Callable[[Any], object] | None, prediction: AsyncPrediction) -> None:
    """An observer that raises loses its own call, not the prediction that is paid for."""
    if observer is None:
        return
    try:
        observer(prediction)
    except Exception:  # noqa: BLE001  # whatever a stranger's callback raises
        _LOG.exception("on_progress raised for prediction %s", prediction.id)
