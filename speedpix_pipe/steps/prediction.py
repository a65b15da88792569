"""One prediction on the service, paid for once: looked up, submitted, awaited, fetched.

Before anything is submitted the ledger is asked (`run`): an open prediction is joined, a finished one fetched, one
of unknown outcome left alone. So resume, redo, time-outs and equal tasks in other processes are one mechanism.
Here the service's `canceled` becomes the runner's `cancelled`, and SDK errors become task errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import AccessError, StoreError, TaskError, TaskErrorKind
from speedpix_pipe.events import (
    PredictionCreated,
    PredictionFinished,
    PredictionRequested,
    TaskProgressed,
    TaskRetrying,
)
from speedpix_pipe.model import Json, OnUnknownSubmit, Result, Submission, SubmissionState, Workflow
from speedpix_pipe.steps.base import (
    Again,
    Executor,
    FinalError,
    Job,
    Keeper,
    Ledger,
    UnknownOutcomeError,
)
from speedpix_pipe.steps.fetching import Fetching, GoneError
from speedpix_pipe.steps.seeds import Seeds
from speedpix_pipe.steps.service import UPLOAD_MARGIN_SECONDS, Sendable, Service
from speedpix_pipe.steps.together import unheard

if TYPE_CHECKING:
    from speedpix_pipe.sdk import AsyncPrediction

LOOKS_FOR_A_RESULT = 3
BETWEEN_LOOKS_SECONDS = 60.0
FIRST_CONTACT_SECONDS = 4.0  # how long a service that never answered is called again
FIRST_PAUSE_SECONDS = 1.0
OWNER_POLL_SECONDS = 1.0
Accepted = tuple[Submission, "AsyncPrediction"]


class _TakenError(Exception):
    """Somebody else wrote a row for this fingerprint since we looked: look again."""


class Predictions:
    """All predictions of one run."""

    def __init__(
        self,
        service: Service,
        ledger: Ledger,
        keeper: Keeper,
        executor: Executor,
        clock: Clock,
        jitter: Any,
        seeds: Seeds,
    ) -> None:
        self.service = service
        self._ledger = ledger
        self._fetching = Fetching(service, keeper, executor)
        self._clock = clock
        self._jitter = jitter
        self._seeds = seeds
        self._windows: set[asyncio.Task[Accepted]] = set()

    async def run(self, job: Job, fingerprint: str) -> Result:
        """Join, fetch or submit, until there is a result or an error that ends the task."""
        failures = 0
        while True:
            try:
                return await self._once(job, fingerprint)
            except _TakenError:
                continue
            except FinalError as error:
                if error.kind is not TaskErrorKind.TASK or failures >= job.step.retry.failed_task:
                    raise
                failures += 1
                job.attempts += 1
                self._retrying(job, error.message, error.kind, 0.0)

    async def drain(self) -> None:
        """Wait for submissions in their window; none may be left without its answer."""
        while self._windows:
            await asyncio.wait(self._windows)

    def leave(self) -> None:
        """Wait for no answer any more. Who is in a window notes that its outcome is unknown."""
        for window in self._windows:
            window.cancel()

    # --- what the ledger says ---

    async def _once(self, job: Job, fingerprint: str) -> Result:
        row = self._ledger.look(self.service.account, fingerprint)
        while row is not None and row.state is SubmissionState.REQUESTED and self._ledger.owner_lives(row):
            await job.gates.pause(OWNER_POLL_SECONDS)
            row = self._ledger.look(self.service.account, fingerprint)
        if row is not None and row.state is SubmissionState.REQUESTED:
            row = self._ledger.look(self.service.account, fingerprint)  # its owner may have noted the answer and left
        if row is None:
            return await self._submit_and_wait(job, fingerprint, replaces=None)
        match row.state:
            case SubmissionState.SUCCEEDED if job.again is Again.ANEW or _too_old(job, row):
                return await self._submit_and_wait(job, fingerprint, replaces=row)
            case SubmissionState.CREATED | SubmissionState.SUCCEEDED:
                return await self._join(job, fingerprint, row)
            case _:  # requested by a run that died, or unknown
                asked = job.again is not Again.NO or job.step.on_unknown_submit is OnUnknownSubmit.RESUBMIT
                if not asked:
                    raise UnknownOutcomeError(_unknown_words(row), row)
                return await self._submit_and_wait(job, fingerprint, replaces=row)

    async def _join(self, job: Job, fingerprint: str, row: Submission) -> Result:
        """Somebody has paid for this already: wait for it, or fetch its result again."""
        assert row.prediction_id is not None
        if self.service.forgot(row.requested_at):
            return await self._submit_and_wait(job, fingerprint, replaces=row)
        job.emit(
            PredictionCreated(
                step=job.node, key=job.key, submission=row.id, prediction_id=row.prediction_id, resumed=True
            )
        )
        try:
            prediction = await self._look_again(job, row)
        except GoneError as error:
            if self.service.forgets:  # another process's emulator had it: it cost nothing
                return await self._submit_and_wait(job, fingerprint, replaces=row)
            raise await self._gone(row, error) from error
        if prediction.done:
            await self._ended(job, prediction, row)
        else:
            async with job.gates.slot(job.order) as done:
                prediction = await self._wait(job, prediction, done)
                await self._ended(job, prediction, row)
        try:
            return await self._fetched(job, prediction, row)
        except GoneError as error:
            raise await self._gone(row, error) from error

    async def _look_again(self, job: Job, row: Submission) -> AsyncPrediction:
        """The service may have forgotten an old prediction: that takes three looks, a minute apart, to believe."""
        from speedpix_pipe.sdk.errors import APIError, SpeedPixError

        assert row.prediction_id is not None
        looks = 0
        while True:
            looks += 1
            try:
                with job.gates.waiting():
                    found = await self.service.client.predictions.get(row.prediction_id)
            except APIError as error:
                translated = self.service.translate(error, "asking for an earlier prediction")
                # Another account of ours may have paid for it, and what is its own business is closed to this one.
                ours = row.account == self.service.account
                if not error.definite and not (isinstance(translated, AccessError) and not ours):
                    raise translated from error
                if looks == LOOKS_FOR_A_RESULT or self.service.forgets:
                    raise GoneError(str(error)) from error
                self._retrying(job, str(error), TaskErrorKind.GATEWAY, BETWEEN_LOOKS_SECONDS)
                await job.gates.pause(BETWEEN_LOOKS_SECONDS)
            except SpeedPixError as error:
                raise self.service.translate(error, "asking for an earlier prediction") from error
            else:
                self.service.answered = True
                return found

    async def _gone(self, row: Submission, error: GoneError) -> FinalError:
        message = f"paid on {row.requested_at.date().isoformat()}, result no longer available: {error}"
        await self._ledger.settle(row.id, SubmissionState.GONE, message=message)
        return FinalError(message, kind=TaskErrorKind.DOWNLOAD, code="task.gone", prediction_id=row.prediction_id)

    # --- submitting ---

    async def _submit_and_wait(self, job: Job, fingerprint: str, *, replaces: Submission | None) -> Result:
        sent = await self._sendable(job)
        async with job.gates.slot(job.order) as done:
            row, prediction = await self._submit(job, fingerprint, sent, replaces)
            prediction = await self._wait(job, prediction, done)
            await self._ended(job, prediction, row)
        try:
            return await self._fetched(job, prediction, row)
        except GoneError as error:
            # It was made a moment ago: only a later run that finds it gone again shall believe that.
            raise TaskError(
                f"fetching the result: {error}", kind=TaskErrorKind.DOWNLOAD, prediction_id=prediction.id
            ) from error

    async def _sendable(self, job: Job) -> Sendable:
        prepared = job.prepared
        margin = max(UPLOAD_MARGIN_SECONDS, job.step.timeout_seconds)
        digests = {path: sha256 for _, path, sha256 in prepared.files}
        with job.gates.waiting(paid=False):
            return await self.service.sendable(prepared.input, job.gates, margin_seconds=margin, digests=digests)

    async def _submit(self, job: Job, fingerprint: str, sent: Sendable, replaces: Submission | None) -> Accepted:
        """Until it is accepted. What surely never ran is repeated as often as the step allows; doubt ends the task,
        unless its step says to submit again.
        """
        from speedpix_pipe.sdk.errors import ConnectError, RateLimitError, SpeedPixError

        retry = job.step.retry
        attempt, began = 1, self._clock.monotonic()
        while True:
            if sent.until is not None and self._clock.now() > sent.until:  # it waited long for its place, or its turn
                sent = await self._sendable(job)
            try:
                return await self._send(job, fingerprint, sent.value, replaces)
            except RateLimitError as error:
                job.gates.throttled(error.retry_after)
                self._retrying(job, str(error), TaskErrorKind.GATEWAY, error.retry_after or 0.0)
                continue
            except UnknownOutcomeError as error:
                if job.step.on_unknown_submit is not OnUnknownSubmit.RESUBMIT or attempt >= retry.attempts:
                    raise
                replaces, message, asked = error.submission, str(error), None
            except SpeedPixError as error:
                translated = self.service.translate(error, f"submitting to {_workflow(job).name}")
                refused = isinstance(translated, AccessError) and not isinstance(error, ConnectError)
                if refused or not error.retryable or attempt >= retry.attempts:
                    raise translated from error
                message, asked = str(error), error.retry_after
                if isinstance(error, ConnectError) and not self.service.answered:
                    # The name may be wrong: whoever misspelled it shall know within seconds.
                    if self._clock.monotonic() - began >= FIRST_CONTACT_SECONDS:
                        raise translated from error
                    asked = min(FIRST_PAUSE_SECONDS, self._backoff(attempt, retry.backoff_seconds, FIRST_PAUSE_SECONDS))
            pause = asked or self._backoff(attempt, retry.backoff_seconds, retry.max_backoff_seconds)
            attempt += 1
            job.attempts += 1
            self._retrying(job, message, TaskErrorKind.GATEWAY, pause)
            await job.gates.pause(pause)

    async def _send(
        self, job: Job, fingerprint: str, sent: Mapping[str, Json], replaces: Submission | None
    ) -> Accepted:
        """One turn in the window."""
        async with job.gates.submitting(job.price, task=job.task, order=job.order):
            # Shielded: a submission that has begun gets its answer, whatever ends the wait.
            window = asyncio.ensure_future(self._in_window(job, fingerprint, sent, replaces))
            self._windows.add(window)
            window.add_done_callback(self._closed)
            return await asyncio.shield(window)

    def _closed(self, window: asyncio.Task[Accepted]) -> None:
        self._windows.discard(window)
        if not window.cancelled():
            window.exception()  # nobody may be left to hear it

    async def _in_window(
        self, job: Job, fingerprint: str, sent: Mapping[str, Json], replaces: Submission | None
    ) -> Accepted:
        """From the intent on disk to the answer on disk."""
        from speedpix_pipe.sdk.errors import APIError, SpeedPixError, SubmissionUnknownError

        if job.prepared.choice is not None:
            await self._seeds.keep(job.prepared.choice, fingerprint)
        row = await self._intend(job, fingerprint, replaces)
        job.emit(
            PredictionRequested(step=job.node, key=job.key, submission=row.id, fingerprint=fingerprint, price=job.price)
        )
        try:
            prediction = await self._post(job, sent)
        except SubmissionUnknownError as error:
            raise await self._in_doubt(job, row, str(error)) from error
        except SpeedPixError as error:
            state = SubmissionState.REFUSED if error.surely_never_ran else SubmissionState.FAILED
            if state is SubmissionState.REFUSED:
                job.gates.refused(job.price)
            if isinstance(error, APIError):
                job.gates.answered()
            await self._ledger.settle(row.id, state, message=str(error))
            raise
        except asyncio.CancelledError as error:
            raise await self._in_doubt(job, row, "the run was left before the answer came") from error
        except BaseException as error:
            await self._in_doubt(job, row, f"{type(error).__name__} while it was sent")
            raise
        # Queued by the call: nothing may come between. It is on disk before whatever is queued after it, so who waits
        # for the result to be kept, or for how it failed, has waited for this.
        unheard(self._ledger.created(row.id, prediction.id))
        self.service.answered = True
        job.gates.answered()
        job.gates.accepted()
        job.emit(PredictionCreated(step=job.node, key=job.key, submission=row.id, prediction_id=prediction.id))
        return row, prediction

    async def _intend(self, job: Job, fingerprint: str, replaces: Submission | None) -> Submission:
        try:
            return await self._ledger.intend(
                account=self.service.account,
                fingerprint=fingerprint,
                run_id=job.run_id,
                step=job.node,
                key=job.key,
                price=job.price,
                replaces=replaces.id if replaces else None,
            )
        except StoreError as error:
            if error.code != "store.already-open":  # the ledger lies above this floor: its errors go by code
                raise
            job.gates.refused(job.price)
            raise _TakenError from error

    async def _post(self, job: Job, sent: Mapping[str, Json]) -> AsyncPrediction:
        step, workflow, choice = job.step, _workflow(job), job.prepared.choice
        return await self.service.client.predictions.create(
            workflow.id,
            sent,
            alias_id=None if workflow.version else workflow.alias or "main",
            version_id=workflow.version,
            resource_config_id=list(step.resource_config) or None,
            randomise_seeds=True if choice is not None and choice.seed is None else step.randomise_seeds,
            return_temp_files=step.return_temp_files,
            detect_paths=False,
            use_file_output=False,
            max_attempts=1,
        )

    async def _in_doubt(self, job: Job, row: Submission, message: str) -> UnknownOutcomeError:
        job.gates.unknown()
        await self._ledger.settle(row.id, SubmissionState.UNKNOWN, message=message)
        return UnknownOutcomeError(message, row)

    # --- waiting ---

    async def _wait(self, job: Job, prediction: AsyncPrediction, done: Callable[[], None]) -> AsyncPrediction:
        """Until it is final. `done` is called when it has succeeded: who submits next need not wait for its result, but
        where any failure ends the run.
        """
        from speedpix_pipe.sdk.errors import RateLimitError, SpeedPixError, SpeedPixTimeoutError

        timeout = job.step.timeout_seconds
        ends, tries = self._clock.monotonic() + timeout, 0
        while True:
            left = max(0.0, ends - self._clock.monotonic())
            try:
                with job.gates.waiting():
                    return await prediction.wait(
                        left,
                        on_progress=lambda seen: self._progress(job, seen),
                        on_success=None if job.stops else done,
                    )
            except SpeedPixTimeoutError as error:
                message = f"not done after {timeout:g} s; it goes on at the service, and the next run joins it"
                hint = "raise `timeout`, or run again"
                raise TaskError(message, kind=TaskErrorKind.TIMEOUT, hint=hint, prediction_id=prediction.id) from error
            except RateLimitError as error:
                # The client has asked as often as it may; but throttling does not count, only the time-out does.
                tries += 1
                job.gates.throttled(error.retry_after)
                pause = error.retry_after or self._backoff(tries, 1.0, BETWEEN_LOOKS_SECONDS)
                pause = min(pause, max(0.0, ends - self._clock.monotonic()))  # the last look is at the end
                self._retrying(job, str(error), TaskErrorKind.GATEWAY, pause)
                with job.gates.waiting():
                    await self._clock.sleep(pause)
            except SpeedPixError as error:
                translated = self.service.translate(error, "waiting for the prediction")
                if isinstance(translated, TaskError):
                    translated.prediction_id = prediction.id
                raise translated from error

    @staticmethod
    def _progress(job: Job, seen: AsyncPrediction) -> None:
        job.emit(
            TaskProgressed(
                step=job.node,
                key=job.key,
                progress=seen.progress or 0.0,
                eta_seconds=seen.eta_relative,
                queue_remaining=seen.queue_remaining,
            )
        )

    async def _ended(self, job: Job, prediction: AsyncPrediction, row: Submission) -> None:
        """A prediction is final. Raises the error that the service gave, in the task's slot: a failure may mean that
        nothing more is submitted.
        """
        succeeded = prediction.status == "succeeded"
        job.emit(
            PredictionFinished(
                step=job.node,
                key=job.key,
                prediction_id=prediction.id,
                status="succeeded" if succeeded else "failed",
                service_seconds=prediction.task_duration,
            )
        )
        if not succeeded:
            words = ": ".join(p for p in (prediction.sub_error_code or prediction.error_code, prediction.error) if p)
            message = words or "the service says that it failed, without a reason"
            await self._ledger.settle(row.id, SubmissionState.FAILED, message=message)
            raise FinalError(message, kind=TaskErrorKind.TASK, prediction_id=prediction.id)

    async def _fetched(self, job: Job, prediction: AsyncPrediction, row: Submission) -> Result:
        """What it made, kept. GoneError where its files are to be had no longer."""
        received = self._clock.now()
        files = await self._fetching.all_of(job, prediction)
        if row.state is not SubmissionState.SUCCEEDED:
            job.open_row = row.id
        return Result(prediction.raw_output, files, prediction.id, received)

    def settle(self, job: Job) -> None:
        """The result is kept: the row says so."""
        if job.open_row is not None:
            unheard(self._ledger.settle(job.open_row, SubmissionState.SUCCEEDED))
            job.open_row = None

    # --- small things ---

    def _backoff(self, attempt: int, base: float, most: float) -> float:
        return float(min(most, base * 2 ** (attempt - 1)) * (0.5 + self._jitter()))

    @staticmethod
    def _retrying(job: Job, message: str, kind: TaskErrorKind, delay: float) -> None:
        job.emit(
            TaskRetrying(
                step=job.node, key=job.key, attempt=job.attempts, delay_seconds=delay, kind=kind.value, message=message
            )
        )


def _too_old(job: Job, row: Submission) -> bool:
    """Whether it made the result that is too old: somebody may have paid for a young one since."""
    return job.stale is not None and row.requested_at <= job.stale


def _workflow(job: Job) -> Workflow:
    assert job.step.workflow is not None
    return job.step.workflow


def _unknown_words(row: Submission) -> str:
    sent = row.requested_at.isoformat(timespec="seconds")
    return f"a submission sent at {sent} was never answered; it may have been accepted and paid for"
