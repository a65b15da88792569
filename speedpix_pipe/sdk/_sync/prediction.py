# Written by _tools/unasync.py from speedpix_pipe/sdk/_async/prediction.py; edit that and run it again.
"""The handle of one prediction: a frozen state plus the client that can ask about it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from speedpix_pipe.sdk import _inputs
from speedpix_pipe.sdk._models import NodeState, PredictionState, Status
from speedpix_pipe.sdk.errors import PredictionError

if TYPE_CHECKING:
    from speedpix_pipe.sdk._sync.predictions import Predictions


class Prediction:
    """One task on the service. `wait` and `reload` bring it up to date, in place, and return it."""

    __slots__ = ("_born", "_canceled", "_output", "_owner", "_state", "_use_file_output")

    def __init__(self, owner: Predictions, state: PredictionState, *, use_file_output: bool, born: float) -> None:
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

    def wait(
        self,
        timeout: float | None = None,
        polling_interval: float | None = None,
        *,
        on_progress: Callable[[Prediction], object] | None = None,
        on_success: Callable[[], object] | None = None,
        cancel_event: threading.Event | None = None,
    ) -> Prediction:
        """Wait until it is done. Without `polling_interval` (seconds) the service's own hints say when to look.

        `timeout` (seconds) raises `SpeedPixTimeoutError`; the task goes on. `on_progress` is called after each look,
        `on_success` when the service says that it is done, before the result is asked for; that may still fail, and a
        further wait tells it again.
        """
        self._owner.watch(
            self,
            timeout,
            polling_interval,
            on_progress,
            on_success,
            cancel_event,
        )
        return self

    def reload(self) -> Prediction:
        """Look at it once, now."""
        self._update(self._owner.look(self._state))
        return self

    def cancel(self) -> Prediction:
        """Stop waiting for it, here; a wait in progress ends at its next look. The service has no cancel call: it
        keeps running (and billing) the task.
        """
        return self._cancel_locally()

    def given_up(self) -> bool:
        """The caller canceled it: nothing that is learned later changes it."""
        return self._canceled

    def _cancel_locally(self) -> Prediction:
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
