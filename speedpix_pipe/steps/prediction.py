"""One prediction on the service, paid for once: looked up, submitted, awaited, fetched.

Before anything is submitted the ledger is asked (`run`): an open prediction is joined, a finished one fetched, one
of unknown outcome left alone. So resume, redo, time-outs and equal tasks in other processes are one mechanism.
Here the service's `canceled` becomes the runner's `cancelled`, and SDK errors become task errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from speedpix_pipe.clock import Clock
from speedpix_pipe.errors import AccessError, TaskError, TaskErrorKind
from speedpix_pipe.events import (
    PredictionCreated,
    PredictionFinished,
    PredictionRequested,
    TaskProgressed,
    TaskRetrying,
)
from speedpix_pipe.model import Json, KeptFile, OnUnknownSubmit, Result, Submission, SubmissionState, Workflow
from speedpix_pipe.steps.arrival import look
from speedpix_pipe.steps.base import (
    Executor,
    Job,
    Keeper,
    Ledger,
    UnknownOutcomeError,
)
from speedpix_pipe.steps.places import FoundFile, find_files
from speedpix_pipe.steps.service import UPLOAD_MARGIN_SECONDS, Service

if TYPE_CHECKING:
    from speedpix_pipe.sdk import AsyncPrediction
    from speedpix_pipe.sdk.errors import SpeedPixError

LOOKS_FOR_A_RESULT = 3
BETWEEN_LOOKS_SECONDS = 60.0
OWNER_POLL_SECONDS = 1.0


class GoneError(Exception):
    """A paid prediction whose result can no longer be had."""


class Predictions:
    """All predictions of one run."""

    def __init__(
        self, service: Service, ledger: Ledger, keeper: Keeper, executor: Executor, clock: Clock, jitter: Any
    ) -> None:
        self.service = service
        self._ledger = ledger
        self._keeper = keeper
        self._executor = executor
        self._clock = clock
        self._jitter = jitter
        self._windows: set[asyncio.Task[Any]] = set()

    async def run(self, job: Job, fingerprint: str) -> Result:
        """Join, fetch or submit, until there is a result or an error that ends the task."""
        failures = 0
        while True:
            try:
                return await self._once(job, fingerprint, again=failures > 0)
            except TaskError as error:
                final = error.kind is TaskErrorKind.TASK and error.prediction_id is not None
                if not final or failures >= job.step.retry.failed_task:
                    raise
                failures += 1
                job.attempts += 1
                self._retrying(job, error.message, error.kind, 0.0)

    async def drain(self) -> None:
        """Wait for submissions in their window; none may be left without its answer."""
        while self._windows:
            await asyncio.wait(self._windows)

    # --- what the ledger says ---

    async def _once(self, job: Job, fingerprint: str, *, again: bool) -> Result:
        row = self._ledger.look(self.service.account, fingerprint)
        while row is not None and row.state is SubmissionState.REQUESTED and self._ledger.owner_lives(row):
            await job.gates.pause(OWNER_POLL_SECONDS)
            row = self._ledger.look(self.service.account, fingerprint)
        if row is None:
            return await self._submit_and_wait(job, fingerprint, replaces=None)
        match row.state:
            case SubmissionState.SUCCEEDED if job.stale:
                return await self._submit_and_wait(job, fingerprint, replaces=row.id)
            case SubmissionState.CREATED | SubmissionState.SUCCEEDED:
                return await self._join(job, row)
            case SubmissionState.REQUESTED | SubmissionState.UNKNOWN:
                if job.step.on_unknown_submit is OnUnknownSubmit.RESUBMIT and not again:
                    return await self._submit_and_wait(job, fingerprint, replaces=row.id)
                raise UnknownOutcomeError(_unknown_words(row), row)
            case _:
                return await self._submit_and_wait(job, fingerprint, replaces=None)

    async def _join(self, job: Job, row: Submission) -> Result:
        """Somebody has paid for this already: wait for it, or fetch its result again."""
        assert row.prediction_id is not None
        job.emit(
            PredictionCreated(
                step=job.node, key=job.key, submission=row.id, prediction_id=row.prediction_id, resumed=True
            )
        )
        try:
            async with job.gates.slot(job.order):
                prediction = await self._look_again(job, row)
                if not prediction.done:
                    prediction = await self._wait(job, prediction)
            return await self._finish(job, prediction, row)
        except GoneError as error:
            day = row.requested_at.date().isoformat()
            message = f"paid on {day}, result no longer available: {error}"
            await self._ledger.settle(row.id, SubmissionState.GONE, message=message)
            raise TaskError(
                message, kind=TaskErrorKind.DOWNLOAD, code="task.gone", prediction_id=row.prediction_id
            ) from error

    async def _look_again(self, job: Job, row: Submission) -> AsyncPrediction:
        """The service may have forgotten an old prediction: that takes three looks, a minute apart, to believe."""
        from speedpix_pipe.sdk.errors import APIError, SpeedPixError

        assert row.prediction_id is not None
        looks = 0
        while True:
            looks += 1
            try:
                found = await self.service.client.predictions.get(row.prediction_id)
                self.service.answered = True
                return found
            except APIError as error:
                translated = self.service.translate(error, "asking for an earlier prediction")
                if isinstance(translated, AccessError) or not error.definite:
                    raise translated from error
                if looks == LOOKS_FOR_A_RESULT:
                    raise GoneError(str(error)) from error
                self._retrying(job, str(error), TaskErrorKind.GATEWAY, BETWEEN_LOOKS_SECONDS)
                await job.gates.pause(BETWEEN_LOOKS_SECONDS)
            except SpeedPixError as error:
                raise self.service.translate(error, "asking for an earlier prediction") from error

    # --- submitting ---

    async def _submit_and_wait(self, job: Job, fingerprint: str, *, replaces: int | None) -> Result:
        margin = max(UPLOAD_MARGIN_SECONDS, job.step.timeout_seconds)
        sent = await self.service.sendable(job.prepared.input, job.gates, margin_seconds=margin)
        async with job.gates.slot(job.order):
            row, prediction = await self._submit(job, fingerprint, sent, replaces)
            prediction = await self._wait(job, prediction)
        return await self._finish(job, prediction, row)

    async def _submit(
        self, job: Job, fingerprint: str, sent: Mapping[str, Json], replaces: int | None
    ) -> tuple[Submission, AsyncPrediction]:
        """Until it is accepted. What surely never ran is repeated as often as the step allows; doubt ends the task."""
        from speedpix_pipe.sdk.errors import ConnectError, RateLimitError, SpeedPixError, SubmissionUnknownError

        retry = job.step.retry
        attempt = 1
        while True:
            try:
                async with job.gates.submitting(job.price, task=job.task):
                    # Shielded: a submission that has begun gets its answer, whatever ends the wait.
                    window = asyncio.ensure_future(self._in_window(job, fingerprint, sent, replaces))
                    self._windows.add(window)
                    window.add_done_callback(self._windows.discard)
                    return await asyncio.shield(window)
            except RateLimitError as error:
                job.gates.throttled(error.retry_after)
                self._retrying(job, str(error), TaskErrorKind.GATEWAY, error.retry_after or 0.0)
            except SubmissionUnknownError as error:
                found = self._ledger.look(self.service.account, fingerprint)
                assert found is not None
                raise UnknownOutcomeError(str(error), found) from error
            except SpeedPixError as error:
                translated = self.service.translate(error, f"submitting to {_name(job)}")
                refused = isinstance(translated, AccessError) and not isinstance(error, ConnectError)
                if refused or not error.retryable or attempt >= retry.attempts:
                    raise translated from error
                pause = error.retry_after or self._backoff(attempt, retry.backoff_seconds, retry.max_backoff_seconds)
                attempt += 1
                job.attempts += 1
                self._retrying(job, str(error), TaskErrorKind.GATEWAY, pause)
                await job.gates.pause(pause)
            replaces = None

    async def _in_window(
        self, job: Job, fingerprint: str, sent: Mapping[str, Json], replaces: int | None
    ) -> tuple[Submission, AsyncPrediction]:
        """From the intent on disk to the answer on disk."""
        from speedpix_pipe.sdk.errors import SpeedPixError, SubmissionUnknownError

        step, workflow = job.step, _workflow(job)
        row = await self._ledger.intend(
            account=self.service.account,
            fingerprint=fingerprint,
            run_id=job.run_id,
            step=job.node,
            key=job.key,
            price=job.price,
            replaces=replaces,
        )
        job.emit(
            PredictionRequested(step=job.node, key=job.key, submission=row.id, fingerprint=fingerprint, price=job.price)
        )
        try:
            prediction = await self.service.client.predictions.create(
                workflow.id,
                sent,
                alias_id=None if workflow.version else workflow.alias or "main",
                version_id=workflow.version,
                resource_config_id=list(step.resource_config) or None,
                randomise_seeds=step.randomise_seeds,
                return_temp_files=step.return_temp_files,
                detect_paths=False,
                use_file_output=False,
                max_attempts=1,
            )
        except SubmissionUnknownError as error:
            job.gates.unknown()
            await self._ledger.settle(row.id, SubmissionState.UNKNOWN, message=str(error))
            raise
        except SpeedPixError as error:
            state = SubmissionState.REFUSED if error.surely_never_ran else SubmissionState.FAILED
            job.gates.refused(job.price)
            await self._ledger.settle(row.id, state, message=str(error))
            raise
        self.service.answered = True
        job.gates.accepted()
        job.emit(PredictionCreated(step=job.node, key=job.key, submission=row.id, prediction_id=prediction.id))
        await self._ledger.created(row.id, prediction.id)
        return row, prediction

    # --- waiting ---

    async def _wait(self, job: Job, prediction: AsyncPrediction) -> AsyncPrediction:
        from speedpix_pipe.sdk.errors import SpeedPixError, SpeedPixTimeoutError

        timeout = job.step.timeout_seconds
        try:
            with job.gates.waiting():
                return await prediction.wait(timeout, on_progress=lambda seen: self._progress(job, seen))
        except SpeedPixTimeoutError as error:
            message = f"not done after {timeout:g} s; it goes on at the service, and the next run joins it"
            raise TaskError(
                message, kind=TaskErrorKind.TIMEOUT, hint="raise `timeout`, or run again", prediction_id=prediction.id
            ) from error
        except SpeedPixError as error:
            raise self.service.translate(error, "waiting for the prediction") from error

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

    async def _finish(self, job: Job, prediction: AsyncPrediction, row: Submission) -> Result:
        """A final prediction becomes a kept result, or the error that the service gave."""
        seconds = prediction.task_duration
        status = "succeeded" if prediction.status == "succeeded" else "failed"
        job.emit(
            PredictionFinished(
                step=job.node, key=job.key, prediction_id=prediction.id, status=status, service_seconds=seconds
            )
        )
        if status == "failed":
            words = ": ".join(p for p in (prediction.sub_error_code or prediction.error_code, prediction.error) if p)
            message = words or "the service says that it failed, without a reason"
            await self._ledger.settle(row.id, SubmissionState.FAILED, message=message)
            raise TaskError(message, kind=TaskErrorKind.TASK, prediction_id=prediction.id)
        received = self._clock.now()
        files = await self._fetch_all(job, prediction)
        return Result(prediction.raw_output, files, prediction.id, received)

    async def settle(self, fingerprint: str) -> None:
        """The result is kept: the row says so."""
        row = self._ledger.look(self.service.account, fingerprint)
        if row is not None and row.state is SubmissionState.CREATED:
            await self._ledger.settle(row.id, SubmissionState.SUCCEEDED)

    # --- fetching ---

    async def _fetch_all(self, job: Job, prediction: AsyncPrediction) -> tuple[KeptFile, ...]:
        found = find_files(prediction.raw_output)
        if not found:
            return ()
        async with job.gates.downloading():
            return tuple(await asyncio.gather(*[self._fetch(prediction, file) for file in found]))

    async def _fetch(self, prediction: AsyncPrediction, file: FoundFile) -> KeptFile:
        from speedpix_pipe.sdk.errors import DownloadError, SpeedPixError
        from speedpix_pipe.sdk.transfer import EXPIRED_STATUSES

        try:
            return await self._keep(file.url, file)
        except DownloadError as error:
            if error.http_status not in EXPIRED_STATUSES:
                raise self._download_failed(prediction, error) from error
        try:
            fresh = find_files(await self.service.client.predictions.result_of(prediction.id))
            again = next((f for f in fresh if f.place == file.place), None)
            if again is None:
                raise GoneError(f"the result has no file at {file.place} any more")
            return await self._keep(again.url, file)
        except DownloadError as error:
            if error.http_status in EXPIRED_STATUSES:
                raise GoneError(str(error)) from error
            raise self._download_failed(prediction, error) from error
        except SpeedPixError as error:
            raise self._download_failed(prediction, error) from error

    @staticmethod
    def _download_failed(prediction: AsyncPrediction, error: SpeedPixError) -> TaskError:
        return TaskError(f"fetching the result: {error}", kind=TaskErrorKind.DOWNLOAD, prediction_id=prediction.id)

    async def _keep(self, url: str, file: FoundFile) -> KeptFile:
        """One file of a result: whole, looked at, and in the blob store."""
        from speedpix_pipe.sdk.transfer import url_expiry

        part = self._keeper.work / f"{uuid4().hex}.part"
        try:
            moved = await self._executor.download(url, part)
            sniffed, wrong = look(part, moved.size, url, file.about)
            if wrong is not None:
                raise TaskError(wrong, kind=TaskErrorKind.DOWNLOAD, code="task.content")
            await self._keeper.adopt(part, moved.sha256, moved.size)
        finally:
            part.unlink(missing_ok=True)
        about = file.about or {}
        name = about.get("filename")
        width, height = about.get("width"), about.get("height")
        return KeptFile(
            place=file.place,
            sha256=moved.sha256,
            size=moved.size,
            media_type=sniffed.media_type,
            extension=sniffed.extension,
            name=name if isinstance(name, str) else "",
            url=file.url,
            url_expires_at=url_expiry(file.url),
            width=width if isinstance(width, int) else None,
            height=height if isinstance(height, int) else None,
        )

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


def _workflow(job: Job) -> Workflow:
    assert job.step.workflow is not None
    return job.step.workflow


def _name(job: Job) -> str:
    return _workflow(job).name


def _unknown_words(row: Submission) -> str:
    sent = row.requested_at.isoformat(timespec="seconds")
    return f"a submission sent at {sent} was never answered; it may have been accepted and paid for"
