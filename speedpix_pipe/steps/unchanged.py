"""Whether local files stayed what they were while others read them.

What is uploaded is hashed on its way out. Pixels are read by processes and machines that hash nothing, so their files
are looked at before and after.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from speedpix_pipe.files import FileValue
from speedpix_pipe.files.content import same_state
from speedpix_pipe.files.storage.threads import in_thread
from speedpix_pipe.records import dataclass
from speedpix_pipe.steps.service import ChangedError


@dataclass(frozen=True, slots=True)
class Before:
    """A local file as it was before it was worked on."""

    file: FileValue
    sha256: str  # that the fingerprint was made of
    state: os.stat_result | None  # None: it was gone


def looks_before(files: Iterable[tuple[FileValue, str]]) -> list[Before]:
    """A look at each local file, with its digest. Kept results need none: nobody writes to them."""
    return [
        Before(file, sha256, _state(file.absolute)) for file, sha256 in files if file.origin is None and not file.remote
    ]


async def check_unchanged(files: Sequence[Before]) -> None:
    """ChangedError where a file is not, or was not all the while, what its digest says."""
    changed = await in_thread(partial(_changed, files)) if files else []
    for file in changed:
        file.forget()  # whoever starts over looks at it anew
    if changed:
        raise ChangedError(changed[0].path)


def _changed(files: Sequence[Before]) -> list[FileValue]:
    return [before.file for before in files if not _stayed(before)]


def _stayed(before: Before) -> bool:
    """Its state says so, and it has the bytes that its digest was made of.

    The digest is remembered by the state of a file that was old when it was read: a later change shows. A young file
    may change within one tick of its clock, and is read again.
    """
    path = before.file.absolute
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))  # a share tells its state to who opens it
        now = path.stat()
        return before.state is not None and same_state(before.state, now) and before.file.digest_now() == before.sha256
    except OSError:
        return False


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
