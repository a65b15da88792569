"""What may become of a final file, on a disk or in a store of objects: the rules, without the means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from speedpix_pipe.files import ObjectUrl
from speedpix_pipe.records import dataclass


class PublishedKind(StrEnum):
    NEW = "new"
    SAME = "same"  # it was there already, byte for byte
    RESTORED = "restored"  # it had been deleted
    CHANGED = "changed"  # the user edited it: left alone
    REPLACED = "replaced"  # an older result or foreign bytes stood there


@dataclass(frozen=True, slots=True)
class Published:
    """What became of one final file."""

    kind: PublishedKind
    path: Path | ObjectUrl
    moved_aside: Path | ObjectUrl | None = None  # where foreign bytes that stood in its place are now
    # Done when it is recorded that the bytes are ours; None: it was already.
    written: asyncio.Future[None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """What we last wrote there, and the print of what stood there then: while it is equal, nobody has written."""

    sha256: str
    stat: bytes


def standing(
    found: bytes | None, sha256: str, record: Record | None, digest: Callable[[], str]
) -> PublishedKind | None:
    """What a target with this print is to a new result; None: foreign bytes are in the way.

    `found` is None where nothing stands; `digest` reads what stands, and is called only where the print tells nothing.
    """
    if found is None:
        known = record is not None and record.sha256 == sha256
        return PublishedKind.RESTORED if known else PublishedKind.NEW
    current = record.sha256 if record is not None and record.stat == found else digest()
    if current == sha256:
        return PublishedKind.SAME
    if record is not None and current == record.sha256:
        return PublishedKind.REPLACED
    if record is not None and record.sha256 == sha256:
        return PublishedKind.CHANGED
    return None
