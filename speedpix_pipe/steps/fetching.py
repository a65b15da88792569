"""From a finished prediction to kept files: each fetched, looked at, and in the blob store, whole.

Interrupted downloads are the transfer's to repeat; an expired URL is renewed here, once. What cannot be fetched
stays paid for: the ledger's row says how a later run gets it.
"""

from __future__ import annotations

import errno
import secrets
from typing import TYPE_CHECKING

from speedpix_pipe.errors import TaskError, TaskErrorKind
from speedpix_pipe.model import KeptFile
from speedpix_pipe.steps.arrival import look
from speedpix_pipe.steps.base import Executor, Job, Keeper
from speedpix_pipe.steps.places import FoundFile, find_files
from speedpix_pipe.steps.service import Service
from speedpix_pipe.steps.together import together

if TYPE_CHECKING:
    from speedpix_pipe.sdk import AsyncPrediction
    from speedpix_pipe.sdk.errors import SpeedPixError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class GoneError(Exception):
    """A paid prediction whose result can no longer be had."""


class Fetching:
    """Brings the files of results into the blob store."""

    def __init__(self, service: Service, keeper: Keeper, executor: Executor) -> None:
        self._service = service
        self._keeper = keeper
        self._executor = executor

    async def all_of(self, job: Job, prediction: AsyncPrediction) -> tuple[KeptFile, ...]:
        """Every file of a result. GoneError where the service has one no longer."""
        found = find_files(prediction.raw_output)
        return tuple(await together([self._one(job, prediction, file) for file in found])) if found else ()

    async def _one(self, job: Job, prediction: AsyncPrediction, file: FoundFile) -> KeptFile:
        async with job.gates.downloading():
            try:
                return await self._fetch(prediction, file)
            except OSError as error:
                if error.errno in FULL:
                    job.gates.no_room()
                raise TaskError(
                    f"keeping the result: {error.strerror or error}",
                    kind=TaskErrorKind.OUTPUT,
                    code="task.cannot-keep",
                    hint="it is paid for: mend this and run again, it costs nothing",
                    prediction_id=prediction.id,
                ) from error

    async def _fetch(self, prediction: AsyncPrediction, file: FoundFile) -> KeptFile:
        from speedpix_pipe.sdk.errors import SpeedPixError
        from speedpix_pipe.sdk.transfer import EXPIRED_STATUSES

        try:
            return await self._keep(file.url, file, prediction.id)
        except SpeedPixError as error:
            if error.http_status not in EXPIRED_STATUSES:
                raise _failed(prediction, error) from error
        try:
            fresh = find_files(await self._service.client.predictions.result_of(prediction.id))
        except SpeedPixError as error:
            raise _failed(prediction, error) from error
        again = next((f for f in fresh if f.place == file.place), None)
        if again is None:
            raise GoneError(f"the result has no file at {file.place} any more")
        try:
            return await self._keep(again.url, file, prediction.id)
        except SpeedPixError as error:
            if error.http_status in EXPIRED_STATUSES:
                raise GoneError(str(error)) from error
            raise _failed(prediction, error) from error

    async def _keep(self, url: str, file: FoundFile, prediction_id: str) -> KeptFile:
        """One file: whole, looked at, and in the blob store."""
        from speedpix_pipe.sdk.transfer import url_expiry

        part = self._keeper.work / f"{secrets.token_hex(16)}.part"
        try:
            moved = await self._executor.download(url, part, hold=True)
            sniffed, wrong = look(part if moved.content is None else moved.content, moved.size, url, file.about)
            if wrong is not None:
                raise TaskError(wrong, kind=TaskErrorKind.DOWNLOAD, code="task.content", prediction_id=prediction_id)
            if moved.content is None:
                await self._keeper.adopt(part, moved.sha256, moved.size)
            else:
                await self._keeper.keep(moved.content, moved.sha256)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
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


def _failed(prediction: AsyncPrediction, error: SpeedPixError) -> TaskError:
    return TaskError(f"fetching the result: {error}", kind=TaskErrorKind.DOWNLOAD, prediction_id=prediction.id)
