"""Copies of files: shared blocks where the file system can, else bytes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from pathlib import Path

_FICLONE = 0x40049409
_NO_REFLINK = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.EBADF, errno.ETXTBSY}
)
_NO_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EIO})
_CHUNK = 1 << 20
_NAME_BYTES = 255


def reflink(source: int, target: int) -> bool:
    """Let an empty file share the blocks of another. False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NO_REFLINK:
            return False
        raise
    return True


def copy_bytes(source: int, target: int, size: int) -> None:
    """Copy a whole file, of so many bytes as far as we know, within the kernel, or through us where it cannot."""
    copied = 0
    while copied < size:
        try:
            made = os.copy_file_range(source, target, min(size - copied, 1 << 30))
            if not made:
                break
            copied += made
        except OSError as error:
            if error.errno not in _NO_RANGE:
                raise
            break
    while copied < size and (piece := os.read(source, _CHUNK)):  # what the kernel left over: all of it
        copied += len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(target, view) :]


def sha256_of(path: Path) -> str:
    """The digest of a file's bytes. Does not wait for a pipe that took its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fit_name(before: str, name: str, after: str) -> str:
    """`before + name + after`, with the name cut so that all fits into one entry of a folder."""
    room = _NAME_BYTES - len(os.fsencode(before)) - len(os.fsencode(after))
    raw = os.fsencode(name)
    if len(raw) <= room:
        return before + name + after
    digest = hashlib.sha256(raw).hexdigest()[:8]
    cut = raw[: room - 9]
    while cut:
        with contextlib.suppress(UnicodeDecodeError):
            return f"{before}{cut.decode()}~{digest}{after}"
        cut = cut[:-1]
    return f"{before}{digest}{after}"
