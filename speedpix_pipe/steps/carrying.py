"""Uploads whose bytes other machines move: we ask for the ticket, they PUT, and no key leaves this process."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from speedpix_pipe.files import Entry
from speedpix_pipe.files.storage.bytes import reading
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.base import Executor

if TYPE_CHECKING:
    from speedpix_pipe.sdk import AsyncSpeedPix


class Sent(Protocol):
    """What is known of an upload that arrived: the SDK's `File` has it too."""

    @property
    def access_url(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def expires_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Carried:
    """`Sent`, by somebody else."""

    access_url: str
    sha256: str
    size: int
    expires_at: datetime | None


async def streamed(client: AsyncSpeedPix, entry: Entry, name: str, media_type: str) -> Sent:
    """An object by way of this machine, a block at a time. ChangedObjectError if it is not the one that was seen."""
    with reading(entry) as reader:
        return await client.files.create(reader, filename=name, content_type=media_type)


async def carried(client: AsyncSpeedPix, carrier: Executor, path: Path | Entry, name: str, media_type: str) -> Carried:
    """What `client.files.create` does, in two: a ticket from the service, and the bytes by way of an executor."""
    from speedpix_pipe.sdk.transfer import EXPIRED_STATUSES, UploadError

    ticket = await client.files.ticket(name, media_type)
    try:
        moved = await carrier.upload(ticket.upload_url, path, media_type)
    except UploadError as error:
        if error.http_status not in EXPIRED_STATUSES:
            raise
        # It may have expired while the job waited for a worker: another one, once.
        ticket = await client.files.ticket(name, media_type)
        moved = await carrier.upload(ticket.upload_url, path, media_type)
    return Carried(ticket.access_url, moved.sha256, moved.size, ticket.expires_at)
